#include "wire/sodium_ready.h"

#include <sodium.h>
#include <stdexcept>

namespace trellis {

void ensure_sodium() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) throw std::runtime_error("libsodium could not be initialized");
}

} // namespace trellis
