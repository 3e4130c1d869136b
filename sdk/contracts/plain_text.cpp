#include "contracts/plain_text.h"

#include "contracts/json_write.h"

namespace trellis {
namespace {

// Length of the character at the start of strict UTF-8 when it is none to show, else 0.
std::size_t control_length(std::string_view text) {
  const auto byte = [text](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  if (byte(0) < 0x20 || byte(0) == 0x7F) return 1;
  if (byte(0) == 0xC2 && byte(1) < 0xA0) return 2; // U+0080 to U+009F
  if (byte(0) != 0xE2) return 0;
  const bool separator_or_override = byte(1) == 0x80 && byte(2) >= 0xA8 && byte(2) <= 0xAE; // U+2028 to U+202E
  const bool isolate = byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9;               // U+2066 to U+2069
  return separator_or_override || isolate ? 3 : 0;
}

} // namespace

std::string plain_text(std::string_view text, char in_place, bool keep_line_ends) {
  const std::string clean = utf8_text(text);
  std::string out;
  out.reserve(clean.size());
  for (std::string_view rest = clean; !rest.empty();) {
    const auto control = keep_line_ends && rest.front() == '\n' ? 0 : control_length(rest);
    out += control > 0 ? in_place : rest.front();
    rest.remove_prefix(control > 0 ? control : 1);
  }
  return out;
}

} // namespace trellis
