#include "store/crash_point.h"

#ifdef TRELLIS_CRASH_POINTS

#include <atomic>
#include <cstdlib>
#include <unistd.h>

namespace trellis::auth {
namespace {

long crash_at() {
  const char *text = std::getenv("TRELLIS_CRASH_AT");
  return text ? std::atol(text) : 0;
}

} // namespace

void crash_point() {
  static const long at = crash_at();
  static std::atomic<long> reached{0}; // of the process, as the variable is
  if (at > 0 && ++reached == at) ::_exit(137);
}

} // namespace trellis::auth

#endif
