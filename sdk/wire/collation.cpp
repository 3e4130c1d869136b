#include "wire/collation.h"

#include "contracts/json_text.h"
#include <algorithm>
#include <cstdint>
#include <vector>

namespace trellis {
namespace {

constexpr std::string_view kPrimaryOrder = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

// What is compared first of a character, and whether it is upper case, which counts when nothing else differs.
struct Weight {
  std::uint32_t primary = 0;
  bool upper = false;
};

std::uint32_t code_point(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(sequence[i])); };
  std::uint32_t out = sequence.size() == 2 ? byte(0) & 0x1FU : sequence.size() == 3 ? byte(0) & 0x0FU : byte(0) & 7U;
  for (std::size_t i = 1; i < sequence.size(); ++i)
    out = out << 6 | (byte(i) & 0x3FU);
  return out;
}

std::vector<Weight> weights_of(std::string_view text) {
  std::vector<Weight> out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_sequence(text, i));
    const char c = text[i];
    const bool upper = c >= 'A' && c <= 'Z';
    if (length > 1)
      out.push_back({static_cast<std::uint32_t>(kPrimaryOrder.size()) + code_point(text.substr(i, length)), false});
    else if (const auto at = kPrimaryOrder.find(upper ? static_cast<char>(c - 'A' + 'a') : c);
             at != std::string_view::npos)
      out.push_back({static_cast<std::uint32_t>(at), upper});
    i += length;
  }
  return out;
}

} // namespace

bool collates_before(std::string_view a, std::string_view b) {
  const auto left = weights_of(a), right = weights_of(b);
  const auto by_primary = [](const Weight &x, const Weight &y) { return x.primary < y.primary; };
  if (std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(), by_primary)) return true;
  if (std::lexicographical_compare(right.begin(), right.end(), left.begin(), left.end(), by_primary)) return false;
  return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end(),
                                      [](const Weight &x, const Weight &y) { return !x.upper && y.upper; });
}

} // namespace trellis
