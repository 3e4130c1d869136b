#include "contracts/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <optional>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <unordered_map>
#include <vector>

namespace trellis {
namespace {

using Allocator = JsonDocument::AllocatorType;

// Offset of the first byte that is not strict UTF-8 (no surrogates, no overlong forms), or npos.
std::size_t first_invalid_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  for (std::size_t i = 0; i < text.size();) {
    const std::uint8_t b = byte(i);
    if (b < 0x80) {
      ++i;
    } else if (b >= 0xC2 && b <= 0xDF && continues(i + 1)) {
      i += 2;
    } else if ((b & 0xF0) == 0xE0 && continues(i + 1) && continues(i + 2)) {
      if (b == 0xE0 && byte(i + 1) < 0xA0) return i;
      if (b == 0xED && byte(i + 1) >= 0xA0) return i;
      i += 3;
    } else if (b >= 0xF0 && b <= 0xF4 && continues(i + 1) && continues(i + 2) && continues(i + 3)) {
      if (b == 0xF0 && byte(i + 1) < 0x90) return i;
      if (b == 0xF4 && byte(i + 1) >= 0x90) return i;
      i += 4;
    } else {
      return i;
    }
  }
  return std::string_view::npos;
}

// The code unit of a \uXXXX escape that starts at `at`, or -1.
int escaped_unit(std::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int unit = 0;
  const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, unit, 16);
  return error == std::errc() && end == text.data() + at + 6 ? unit : -1;
}

bool is_high(int unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low(int unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

// RapidJSON refuses unpaired surrogate escapes: they are replaced by the three bytes that stand for them.
std::optional<std::string> without_lone_surrogates(std::string_view text) {
  if (text.find("\\uD") == std::string_view::npos && text.find("\\ud") == std::string_view::npos) return std::nullopt;
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out += text[i++];
      continue;
    }
    const int unit = escaped_unit(text, i);
    if (unit < 0) { // another escape: both characters at once, so that "\\" doesn't start one
      out += text.substr(i, 2);
      i += 2;
    } else if (is_high(unit) && is_low(escaped_unit(text, i + 6))) {
      out += text.substr(i, 12);
      i += 12;
    } else if (is_high(unit) || is_low(unit)) {
      out += static_cast<char>(0xE0 | (unit >> 12));
      out += static_cast<char>(0x80 | ((unit >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (unit & 0x3F));
      i += 6;
    } else {
      out += text.substr(i, 6);
      i += 6;
    }
  }
  return out;
}

// -1 when `name` is not a canonical array index (01 §2.4).
std::int64_t array_index(std::string_view name) {
  if (name.empty() || name.size() > 10 || name[0] < '0' || name[0] > '9') return -1;
  if (name[0] == '0' && name.size() > 1) return -1;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), value);
  if (error != std::errc() || end != name.data() + name.size() || value > 4294967294) return -1;
  return value;
}

std::string_view view(const JsonValue &text) {
  return {text.GetString(), text.GetStringLength()};
}

bool has_duplicates(const JsonValue &object) {
  const auto count = object.MemberCount();
  if (count < 2) return false;
  if (count <= 8) {
    for (auto a = object.MemberBegin(); a != object.MemberEnd(); ++a)
      for (auto b = object.MemberBegin(); b != a; ++b)
        if (view(a->name) == view(b->name)) return true;
    return false;
  }
  std::vector<std::string_view> names;
  names.reserve(count);
  for (const auto &member : object.GetObject())
    names.push_back(view(member.name));
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

void drop_duplicates(JsonValue &object, Allocator &allocator) {
  JsonValue kept(rapidjson::kObjectType);
  std::unordered_map<std::string_view, JsonValue *> values;
  std::vector<std::pair<JsonValue *, JsonValue *>> order; // name of the first occurrence, value of the last
  for (auto &member : object.GetObject()) {
    const auto [slot, fresh] = values.try_emplace(view(member.name), &member.value);
    if (fresh) order.emplace_back(&member.name, nullptr);
    slot->second = &member.value;
  }
  for (auto &[name, value] : order)
    value = values.at(view(*name));
  for (auto &[name, value] : order)
    kept.AddMember(*name, *value, allocator);
  object = kept;
}

void put_indexes_first(JsonValue &object, Allocator &allocator) {
  const auto indexed = [](const JsonValue::Member &member) { return array_index(view(member.name)) >= 0; };
  if (std::none_of(object.MemberBegin(), object.MemberEnd(), indexed)) return;
  std::vector<JsonValue::Member *> order;
  for (auto &member : object.GetObject())
    order.push_back(&member);
  std::stable_sort(order.begin(), order.end(), [](const auto *a, const auto *b) {
    const auto key = [](std::int64_t index) { return index < 0 ? std::numeric_limits<std::int64_t>::max() : index; };
    return key(array_index(view(a->name))) < key(array_index(view(b->name)));
  });
  JsonValue sorted(rapidjson::kObjectType);
  for (auto *member : order)
    sorted.AddMember(member->name, member->value, allocator);
  object = sorted;
}

void put_in_ecmascript_order(JsonValue &value, Allocator &allocator) {
  if (value.IsArray()) {
    for (auto &item : value.GetArray())
      put_in_ecmascript_order(item, allocator);
  } else if (value.IsObject()) {
    if (has_duplicates(value)) drop_duplicates(value, allocator);
    put_indexes_first(value, allocator);
    for (auto &member : value.GetObject())
      put_in_ecmascript_order(member.value, allocator);
  }
}

// The plugins of a process may change its locale, and with it what strtod takes for a decimal point.
double to_double(const std::string &number) {
  static const ::locale_t kC = ::newlocale(LC_ALL_MASK, "C", nullptr);
  return ::strtod_l(number.c_str(), nullptr, kC);
}

// Whether all of `text` is a number by JSON's grammar: strtod takes more ("01", "1.").
bool is_json_number(std::string_view text) {
  const auto digits = [&text] {
    const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(end);
    return end > 0;
  };
  const auto skip = [&text](std::string_view any) {
    const bool found = !text.empty() && any.find(text[0]) != std::string_view::npos;
    if (found) text.remove_prefix(1);
    return found;
  };
  skip("-");
  if (!skip("0") && !digits()) return false;
  if (skip(".") && !digits()) return false;
  if (skip("eE")) {
    skip("+-");
    if (!digits()) return false;
  }
  return text.empty();
}

// RapidJSON refuses numbers beyond a double's range, and some within it (0e999, or 400 digits with a negative
// exponent). The former are replaced by 1 or -1, and `overflowed` says which numbers of the text, counted from 0, have
// to become infinity again; the latter are spelled shorter.
struct Shrunk {
  std::string text;
  std::vector<std::size_t> overflowed;
};

void shrink_number(const std::string &number, std::size_t index, Shrunk &out) {
  const double value = is_json_number(number) ? to_double(number) : 0;
  if (std::isinf(value)) {
    out.overflowed.push_back(index);
    out.text += value < 0 ? "-1" : "1";
  } else if (is_json_number(number) && (number.size() > 300 || number.find_first_of(".eE") != std::string::npos)) {
    std::array<char, 32> shortest{};
    out.text.append(shortest.data(), std::to_chars(shortest.data(), shortest.data() + shortest.size(), value).ptr);
  } else {
    out.text += number;
  }
}

Shrunk without_overflow(std::string_view text) {
  Shrunk out;
  std::size_t numbers = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = i;
    if (text[i] == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i)
        if (text[i] == '\\') ++i;
      i = std::min(i + 1, text.size());
      out.text += text.substr(start, i - start);
    } else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
      i = std::min(text.find_first_not_of("+-.eE0123456789", i), text.size());
      shrink_number(std::string(text.substr(start, i - start)), numbers++, out);
    } else {
      out.text += text[i++];
    }
  }
  return out;
}

// Feeds a document, counts the depth, and turns number texts into doubles itself.
class DepthLimited {
public:
  DepthLimited(JsonDocument &document, std::size_t max_depth, const std::vector<std::size_t> &overflowed)
      : document_(document), max_depth_(max_depth), overflowed_(overflowed) {}

  bool too_deep() const { return too_deep_; }

  bool Null() { return document_.Null(); }
  bool Bool(bool b) { return document_.Bool(b); }
  bool Int(int i) { return document_.Int(i); }
  bool Uint(unsigned i) { return document_.Uint(i); }
  bool Int64(std::int64_t i) { return document_.Int64(i); }
  bool Uint64(std::uint64_t i) { return document_.Uint64(i); }
  bool Double(double d) { return document_.Double(d); }
  bool RawNumber(const char *text, rapidjson::SizeType size, bool) {
    if (std::binary_search(overflowed_.begin(), overflowed_.end(), numbers_++)) {
      const double infinity = std::numeric_limits<double>::infinity();
      return document_.Double(text[0] == '-' ? -infinity : infinity);
    }
    std::int64_t integer = 0;
    const auto [end, error] = std::from_chars(text, text + size, integer);
    if (error == std::errc() && end == text + size && (integer != 0 || text[0] != '-')) return document_.Int64(integer);
    return document_.Double(to_double(std::string(text, size)));
  }
  bool String(const char *text, rapidjson::SizeType size, bool copy) { return document_.String(text, size, copy); }
  bool Key(const char *text, rapidjson::SizeType size, bool copy) { return document_.Key(text, size, copy); }
  bool StartObject() { return enter() && document_.StartObject(); }
  bool EndObject(rapidjson::SizeType count) { return leave() && document_.EndObject(count); }
  bool StartArray() { return enter() && document_.StartArray(); }
  bool EndArray(rapidjson::SizeType count) { return leave() && document_.EndArray(count); }

private:
  bool enter() {
    too_deep_ = ++depth_ > max_depth_;
    return !too_deep_;
  }
  bool leave() {
    --depth_;
    return true;
  }

  JsonDocument &document_;
  std::size_t max_depth_;
  const std::vector<std::size_t> &overflowed_;
  std::size_t numbers_ = 0;
  std::size_t depth_ = 0;
  bool too_deep_ = false;
};

struct ParseOutcome {
  rapidjson::ParseResult result;
  bool too_deep = false;
};

ParseOutcome populate(JsonDocument &document, std::string_view source, const std::vector<std::size_t> &overflowed,
                      std::size_t max_depth) {
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  ParseOutcome outcome;
  const auto generate = [&](JsonDocument &target) {
    DepthLimited handler(target, max_depth, overflowed);
    rapidjson::MemoryStream stream(source.data(), source.size());
    rapidjson::Reader reader;
    outcome.result = reader.Parse<kFlags>(stream, handler);
    outcome.too_deep = handler.too_deep();
    return !outcome.result.IsError();
  };
  document.Populate(generate);
  return outcome;
}

} // namespace

Result<JsonDocument> parse_json(std::string_view text, const JsonLimits &limits) {
  if (text.size() > limits.max_bytes)
    return fail("json_too_large", {}, "JSON text of " + std::to_string(text.size()) + " bytes",
                "at most " + std::to_string(limits.max_bytes) + " bytes");
  // JSON holds none, and RapidJSON takes one for the end of the text: what follows it would be passed over unread.
  if (const auto at = text.find('\0'); at != std::string_view::npos)
    return fail("json_invalid", "byte " + std::to_string(at), "a NUL byte", "JSON text");
  if (const auto at = first_invalid_utf8(text); at != std::string_view::npos)
    return fail("json_invalid", "byte " + std::to_string(at), "not UTF-8", "JSON text in UTF-8");

  const auto rewritten = without_lone_surrogates(text);
  const std::string_view source = rewritten ? std::string_view(*rewritten) : text;
  JsonDocument document;
  auto outcome = populate(document, source, {}, limits.max_depth);
  if (outcome.result.Code() == rapidjson::kParseErrorNumberTooBig) {
    const Shrunk shrunk = without_overflow(source);
    outcome = populate(document, shrunk.text, shrunk.overflowed, limits.max_depth);
  }
  const std::string where = "byte " + std::to_string(outcome.result.Offset());
  if (outcome.too_deep)
    return fail("json_too_deep", where, "JSON nested too deeply",
                "at most " + std::to_string(limits.max_depth) + " levels");
  if (outcome.result.IsError())
    return fail("json_invalid", where, rapidjson::GetParseError_En(outcome.result.Code()), "JSON text");
  put_in_ecmascript_order(document, document.GetAllocator());
  return document;
}

const JsonValue *find_member(const JsonValue &object, std::string_view name) {
  if (!object.IsObject()) return nullptr;
  const JsonValue key(rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size())));
  const auto found = object.FindMember(key);
  return found == object.MemberEnd() ? nullptr : &found->value;
}

std::string_view text_of(const JsonValue &value) {
  return value.IsString() ? view(value) : std::string_view{};
}

std::string_view string_member(const JsonValue &object, std::string_view name, std::string_view otherwise) {
  const auto *found = find_member(object, name);
  return found && found->IsString() ? view(*found) : otherwise;
}

std::string json_pointer_token(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

} // namespace trellis
