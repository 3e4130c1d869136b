#include "compare.h"

#include <algorithm>
#include <cstdint>
#include <rapidjson/document.h>
#include <utility>
#include <vector>

namespace trellis::vectors {
namespace {

using Found = std::optional<Difference>;

constexpr std::size_t kShownBytes = 200;
// Assignments of set elements that are tried before a set counts as different; plain elements need none of them.
constexpr int kSetAttempts = 5000;

std::string clipped(std::string_view text, std::size_t from, std::size_t size) {
  const auto continues = [&](std::size_t i) {
    return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  std::size_t end = std::min(text.size(), from + size);
  while (continues(from) && from > 0)
    --from;
  while (continues(end))
    ++end;
  return (from > 0 ? "…" : "") + std::string(text.substr(from, end - from)) + (end < text.size() ? "…" : "");
}

std::string expected_got(const JsonValue &expected, const JsonValue &actual) {
  return "expected " + shown(expected) + ", got " + shown(actual);
}

// Long texts mostly agree: show where they part.
std::string texts_differ(const JsonValue &expected, const JsonValue &actual) {
  constexpr std::size_t kBefore = 30;
  constexpr std::size_t kAround = 110;
  const std::string left = to_json(expected);
  const std::string right = to_json(actual);
  if (left.size() <= kShownBytes && right.size() <= kShownBytes) return expected_got(expected, actual);
  const auto parting = std::mismatch(left.begin(), left.end(), right.begin(), right.end()).first - left.begin();
  const auto at = static_cast<std::size_t>(parting);
  const std::size_t from = at > kBefore ? at - kBefore : 0;
  return "expected " + clipped(left, from, kAround) + ", got " + clipped(right, from, kAround) + " (byte " +
         std::to_string(at) + " of the JSON text)";
}

bool same_number(const JsonValue &a, const JsonValue &b) {
  if (a.IsInt64() && b.IsInt64()) return a.GetInt64() == b.GetInt64();
  if (a.IsUint64() && b.IsUint64()) return a.GetUint64() == b.GetUint64();
  return a.GetDouble() == b.GetDouble();
}

// README §1.2 rule 4: implementations word and chain causes freely, so a cause that `expected` doesn't mention is fine.
bool never_compared(std::string_view member) {
  return member == "causeMessage" || member == "causeStack";
}

bool contains(const std::set<std::string, std::less<>> &names, std::string_view name) {
  return names.contains(name);
}

class Comparer {
public:
  Comparer(const Comparison &rules, Placeholders placeholders)
      : rules_(rules), placeholders_(std::move(placeholders)) {}

  // The whole result, where the rules for top-level members apply.
  Found top(const JsonValue &expected, const JsonValue &actual) {
    const std::string path = "/expected";
    if (!expected.IsObject() || !actual.IsObject()) return value(path, expected, actual, false);
    for (const auto &entry : expected.GetObject()) {
      const auto name = text_of(entry.name);
      if (name == "alternatives" || contains(rules_.ignored, name)) continue;
      if (auto found = member(path, entry, actual, contains(rules_.subset, name))) return found;
    }
    return rules_.only_listed ? std::nullopt : unexpected_member(path, expected, actual, rules_.ignored);
  }

private:
  using Member = JsonValue::ConstObject::MemberIterator::value_type;
  using Elements = std::vector<const JsonValue *>;

  Found value(const std::string &path, const JsonValue &expected, const JsonValue &actual, bool subset) {
    if (expected.IsString()) return text(path, expected, actual);
    if (expected.IsNumber() && actual.IsNumber() && same_number(expected, actual)) return std::nullopt;
    if (expected.IsNumber() || expected.GetType() != actual.GetType())
      return Difference{path, expected_got(expected, actual)};
    if (expected.IsObject()) return object(path, expected, actual, subset);
    if (expected.IsArray()) return array(path, expected, actual, subset);
    return std::nullopt; // null, true, false: the type is the value
  }

  Found text(const std::string &path, const JsonValue &expected, const JsonValue &actual) {
    if (placeholders_.match(text_of(expected), actual)) return std::nullopt;
    return Difference{path, actual.IsString() ? texts_differ(expected, actual) : expected_got(expected, actual)};
  }

  Found object(const std::string &path, const JsonValue &expected, const JsonValue &actual, bool subset) {
    for (const auto &entry : expected.GetObject())
      if (auto found = member(path, entry, actual, subset)) return found;
    return subset ? std::nullopt : unexpected_member(path, expected, actual, {});
  }

  Found member(const std::string &parent, const Member &entry, const JsonValue &actual, bool subset) {
    const auto name = text_of(entry.name);
    const std::string path = parent + json_pointer(name);
    const auto *found = find_member(actual, name);
    if (!found && may_be_absent(entry.value)) return std::nullopt;
    if (!found) return Difference{path, "expected " + shown(entry.value) + ", got no such member"};
    if (contains(rules_.json_texts, name) && entry.value.IsString())
      return json_text(path, entry.value, *found, subset);
    if (contains(rules_.sets, name) && entry.value.IsArray() && found->IsArray())
      return set(path, entry.value, *found, subset);
    return value(path, entry.value, *found, subset);
  }

  static Found unexpected_member(const std::string &path, const JsonValue &expected, const JsonValue &actual,
                                 const std::set<std::string, std::less<>> &ignored) {
    for (const auto &entry : actual.GetObject()) {
      const auto name = text_of(entry.name);
      if (find_member(expected, name) || contains(ignored, name) || never_compared(name)) continue;
      return Difference{path + json_pointer(name), "expected no such member, got " + shown(entry.value)};
    }
    return std::nullopt;
  }

  // README §1.2 rule 5: a value if the expected text is JSON, else the text itself.
  Found json_text(const std::string &path, const JsonValue &expected, const JsonValue &actual, bool subset) {
    const auto wanted = parse_json(text_of(expected));
    if (!wanted || !actual.IsString()) return text(path, expected, actual);
    const auto got = parse_json(text_of(actual));
    if (!got) return Difference{path, "expected JSON text, got " + shown(actual)};
    return value(path, *wanted, *got, subset);
  }

  Found array(const std::string &path, const JsonValue &expected, const JsonValue &actual, bool subset) {
    const auto common = std::min(expected.Size(), actual.Size());
    for (rapidjson::SizeType i = 0; i < common; ++i)
      if (auto found = value(path + "/" + std::to_string(i), expected[i], actual[i], subset)) return found;
    if (actual.Size() > common)
      return Difference{path + "/" + std::to_string(common), "expected no such element, got " + shown(actual[common])};
    if (expected.Size() > common)
      return Difference{path + "/" + std::to_string(common),
                        "expected " + shown(expected[common]) + ", got no such element"};
    return std::nullopt;
  }

  // A multiset. Elements without placeholders take their counterpart first, so that "<text>" can't take it from them;
  // the others are assigned by trying.
  Found set(const std::string &path, const JsonValue &expected, const JsonValue &actual, bool subset) {
    Elements left = elements_of(actual);
    Elements open;
    for (const auto *element : elements_of(expected)) {
      if (subset || !plain(*element))
        open.push_back(element);
      else if (!take(path, *element, left))
        return missing(path, *element);
    }
    int attempts = kSetAttempts;
    if (open.size() > left.size()) return missing(path, *open[left.size()]);
    if (!assign(path, open, 0, left, subset, attempts)) return missing(path, *open[0]);
    if (left.size() > open.size()) return surplus(path, expected, actual, subset);
    return std::nullopt;
  }

  static Elements elements_of(const JsonValue &array) {
    Elements out;
    for (const auto &element : array.GetArray())
      out.push_back(&element);
    return out;
  }

  static Found missing(const std::string &path, const JsonValue &element) {
    return Difference{path, "the set lacks " + shown(element)};
  }

  // Names one element of the result that is too much.
  Found surplus(const std::string &path, const JsonValue &expected, const JsonValue &actual, bool subset) const {
    Elements unmatched = elements_of(expected);
    for (const auto &element : actual.GetArray()) {
      const auto match = std::find_if(unmatched.begin(), unmatched.end(), [&](const auto *candidate) {
        auto trial = *this;
        return !trial.value(path, *candidate, element, subset);
      });
      if (match == unmatched.end()) return Difference{path, "the set has " + shown(element) + " too many"};
      unmatched.erase(match);
    }
    return Difference{path, "the set has too many elements"};
  }

  bool take(const std::string &path, const JsonValue &wanted, Elements &left) {
    const auto found = std::find_if(left.begin(), left.end(),
                                    [&](const auto *candidate) { return !value(path, wanted, *candidate, false); });
    if (found == left.end()) return false;
    left.erase(found);
    return true;
  }

  // Finds a different element of `left` for each of `open` from `next` on, keeping the bindings consistent.
  bool assign(const std::string &path, const Elements &open, std::size_t next, const Elements &left, bool subset,
              int &attempts) {
    if (next == open.size()) return true;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const Placeholders before = placeholders_;
      if (!value(path, *open[next], *left[i], subset)) {
        if (attempts-- <= 0) return false;
        Elements rest = left;
        rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
        if (assign(path, open, next + 1, rest, subset, attempts)) return true;
      }
      placeholders_ = before;
    }
    return false;
  }

  // Without placeholders, at any depth.
  bool plain(const JsonValue &value) const {
    if (value.IsString()) return !placeholders_.occur_in(text_of(value));
    if (value.IsArray())
      return std::all_of(value.Begin(), value.End(), [&](const auto &element) { return plain(element); });
    if (value.IsObject())
      return std::all_of(value.MemberBegin(), value.MemberEnd(), [&](const auto &entry) { return plain(entry.value); });
    return true;
  }

  const Comparison &rules_;
  Placeholders placeholders_;
};

JsonDocument with_replaced(const JsonValue &expected, const JsonValue &replacements) {
  JsonDocument out;
  out.CopyFrom(expected, out.GetAllocator());
  for (const auto &entry : replacements.GetObject()) {
    out.RemoveMember(entry.name);
    out.AddMember(JsonValue(entry.name, out.GetAllocator()), JsonValue(entry.value, out.GetAllocator()),
                  out.GetAllocator());
  }
  return out;
}

} // namespace

std::string shown(const JsonValue &value) {
  return clipped(to_json(value), 0, kShownBytes);
}

Found first_difference(const JsonValue &expected, const JsonValue &actual, const Comparison &rules,
                       const Placeholders &placeholders) {
  const auto *alternatives = find_member(expected, "alternatives");
  if (alternatives && !alternatives->IsArray()) return Difference{"/expected/alternatives", "not an array of objects"};
  Found found = Comparer(rules, placeholders).top(expected, actual);
  if (!found || !alternatives) return found;
  for (const auto &alternative : alternatives->GetArray()) {
    if (!alternative.IsObject()) return Difference{"/expected/alternatives", "not an array of objects"};
    const auto other = with_replaced(expected, alternative);
    if (!Comparer(rules, placeholders).top(other, actual)) return std::nullopt;
  }
  found->what += " (no alternative fits either)";
  return found;
}

} // namespace trellis::vectors
