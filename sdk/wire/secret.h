// Memory for seeds, keys, tokens and passwords: wiped when it goes out of scope, never printed.
//
// Move-only, so that a copy of a secret is always a deliberate act with a name. There is no conversion to a log field
// or to a string; `reveal` is what a reviewer greps for.
#pragma once

#include "contracts/encoding.h"
#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// Overwrites memory in a way that the compiler doesn't remove.
void wipe(void *data, std::size_t size);
// The text that `text` holds and all spare capacity; leaves it empty. For texts that passed through std::string.
void wipe(std::string &text) noexcept;
// Compares in a time that depends on the lengths only.
bool secret_equal(ByteView a, ByteView b);

// N secret bytes.
template <std::size_t N>
class SecretBytes {
public:
  SecretBytes() = default;
  explicit SecretBytes(const std::array<std::uint8_t, N> &bytes) : bytes_(bytes) {}
  ~SecretBytes() { wipe(bytes_.data(), N); }
  SecretBytes(SecretBytes &&other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_.data(), N); }
  SecretBytes &operator=(SecretBytes &&other) noexcept {
    if (this == &other) return *this;
    bytes_ = other.bytes_;
    wipe(other.bytes_.data(), N);
    return *this;
  }
  SecretBytes(const SecretBytes &) = delete;
  SecretBytes &operator=(const SecretBytes &) = delete;

  SecretBytes clone() const { return SecretBytes(bytes_); }
  const std::uint8_t *data() const { return bytes_.data(); }
  std::uint8_t *data() { return bytes_.data(); }
  static constexpr std::size_t size() { return N; }
  ByteView reveal() const { return bytes_; }

  friend std::ostream &operator<<(std::ostream &out, const SecretBytes &) { return out << "[redacted]"; }

private:
  std::array<std::uint8_t, N> bytes_{};
};

// Secret text of any length.
class SecretText {
public:
  SecretText() = default;
  // Takes the text over and leaves nothing of it in `text`; of a copied text the caller wipes their own.
  explicit SecretText(std::string &&text) : text_(std::move(text)) { wipe(text); }
  explicit SecretText(const std::string &text) : text_(text) {}
  ~SecretText() { clear(); }
  SecretText(SecretText &&other) noexcept;
  SecretText &operator=(SecretText &&other) noexcept;
  SecretText(const SecretText &) = delete;
  SecretText &operator=(const SecretText &) = delete;

  SecretText clone() const { return SecretText(text_); }
  const std::string &reveal() const { return text_; }
  bool empty() const { return text_.empty(); }

  friend std::ostream &operator<<(std::ostream &out, const SecretText &) { return out << "[redacted]"; }

private:
  void clear();
  std::string text_;
};

} // namespace trellis
