#include "wire/secret.h"

#include <sodium.h>

namespace trellis {

void wipe(void *data, std::size_t size) {
  sodium_memzero(data, size);
}

// Growing to the capacity never allocates and brings the bytes beyond the end, those of a small string that was moved
// from included, back into reach.
void wipe(std::string &text) noexcept {
  text.resize(text.capacity());
  sodium_memzero(text.data(), text.size());
  text.clear();
}

bool secret_equal(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

SecretText::SecretText(SecretText &&other) noexcept : text_(std::move(other.text_)) {
  other.clear();
}

SecretText &SecretText::operator=(SecretText &&other) noexcept {
  if (this == &other) return *this;
  clear();
  text_ = std::move(other.text_);
  other.clear();
  return *this;
}

void SecretText::clear() {
  wipe(text_);
}

} // namespace trellis
