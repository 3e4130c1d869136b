#include "repeat.h"

#include "contracts/json.h"
#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace trellis::vectors {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

std::string repeated(const JsonValue &directive) {
  const auto *text = find_member(directive, "$repeat");
  const auto *times = find_member(directive, "times");
  if (!text->IsString() || !times || !times->IsUint64() || directive.MemberCount() != 2)
    throw std::runtime_error("malformed $repeat: " + to_json(directive));
  const std::string_view piece = text_of(*text);
  if (times->GetUint64() > kMostBytes || piece.size() * times->GetUint64() > kMostBytes)
    throw std::runtime_error("$repeat of more than 64 MiB");
  std::string out;
  for (std::uint64_t i = 0; i < times->GetUint64(); ++i)
    out += piece;
  return out;
}

} // namespace

void expand_repeats(rapidjson::Value &value, rapidjson::Document::AllocatorType &allocator) {
  if (find_member(value, "$repeat")) {
    const auto text = repeated(value);
    value.SetString(text.data(), static_cast<rapidjson::SizeType>(text.size()), allocator);
  } else if (value.IsObject()) {
    // Not a range-for: clang finds RapidJSON's comparison of mutable member iterators ambiguous in C++20.
    std::for_each(value.MemberBegin(), value.MemberEnd(), [&](auto &entry) { expand_repeats(entry.value, allocator); });
  } else if (value.IsArray()) {
    for (auto &element : value.GetArray())
      expand_repeats(element, allocator);
  }
}

} // namespace trellis::vectors
