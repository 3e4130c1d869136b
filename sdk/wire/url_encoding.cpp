#include "wire/url_encoding.h"

#include "contracts/json_text.h"
#include <cstdint>

namespace trellis::url {
namespace {

constexpr char kUpperHex[] = "0123456789ABCDEF";

// The printable ASCII characters that each set adds to the controls. "^" in paths: browsers began to encode it in 2024.
// Left as it is, a proof fits whichever form its signer sent.
std::string_view characters(EncodeSet set) {
  switch (set) {
  case EncodeSet::c0_control: return "";
  case EncodeSet::fragment: return " \"<>`";
  case EncodeSet::query: return " \"#<>";
  case EncodeSet::special_query: return " \"#<>'";
  case EncodeSet::path: return " \"#<>?`{}";
  case EncodeSet::userinfo: return " \"#<>?^`{}/:;=@[\\]|";
  }
  return "";
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

} // namespace

void append_encoded(std::string &out, std::string_view text, EncodeSet set) {
  const std::string_view encoded = characters(set);
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte > 0x1F && byte < 0x7F && encoded.find(c) == std::string_view::npos) {
      out += c;
      continue;
    }
    out += '%';
    out += kUpperHex[byte >> 4];
    out += kUpperHex[byte & 15];
  }
}

std::string percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

std::string to_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t length = utf8_sequence(text, at); length > 0) {
      out += text.substr(at, length);
      at += length;
    } else if (const std::size_t surrogate = surrogate_sequence(text, at); surrogate > 0) {
      out += "\xEF\xBF\xBD";
      at += surrogate;
    } else {
      out += "\xEF\xBF\xBD";
      ++at;
    }
  }
  return out;
}

} // namespace trellis::url
