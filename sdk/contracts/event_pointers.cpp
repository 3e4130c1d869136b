#include "contracts/event_pointers.h"

#include <algorithm>
#include <cstdint>
#include <rapidjson/document.h>
#include <span>
#include <unordered_set>
#include <utility>

namespace trellis {
namespace {

// What a part of a schema says about the pointers that reach it.
struct Verdicts {
  PointerVerdicts found;
  std::unordered_set<std::string_view> refused; // not found, yet a schema that isn't tokenable was collected
};

bool is_one_of_three(const JsonValue &type) {
  const auto name = text_of(type);
  return name == "string" || name == "number" || name == "integer";
}

bool is_text_or_number(const JsonValue &value) {
  return value.IsString() || value.IsNumber();
}

const JsonValue *array_member(const JsonValue &schema, std::string_view name) {
  const auto *value = find_member(schema, name);
  return value && value->IsArray() && !value->Empty() ? value : nullptr;
}

// 01 §8.2: the first line that matches decides.
bool tokenable(const JsonValue &schema) {
  if (!schema.IsObject()) return false;
  for (const char *combinator : {"allOf", "anyOf", "oneOf"})
    if (const auto *items = array_member(schema, combinator))
      return std::all_of(items->Begin(), items->End(), tokenable);
  if (const auto *constant = find_member(schema, "const"); constant && is_text_or_number(*constant)) return true;
  if (const auto *values = find_member(schema, "enum"); values && values->IsArray())
    return !values->Empty() && std::all_of(values->Begin(), values->End(), is_text_or_number);
  const auto *type = find_member(schema, "type");
  if (!type) return false;
  if (type->IsArray()) return std::all_of(type->Begin(), type->End(), is_one_of_three);
  return is_one_of_three(*type);
}

// "/" sorts before everything else, so that the pointers below one segment are neighbours.
bool pointer_less(std::string_view a, std::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0 : 1 + static_cast<std::uint8_t>(c); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

// Sorted pointers that agree up to `offset`, where each of them ends or has the "/" of its next segment.
struct Branch {
  std::span<const std::string_view> pointers;
  std::size_t offset = 0;

  // The pointers whose next segment is `segment` (escaped as in a pointer).
  Branch below(std::string_view segment) const {
    const auto next = [&](std::string_view pointer) {
      const auto rest = pointer.substr(offset + 1);
      return rest.substr(0, rest.find('/'));
    };
    const auto first = std::partition_point(pointers.begin(), pointers.end(),
                                            [&](auto pointer) { return pointer_less(next(pointer), segment); });
    const auto last =
        std::partition_point(first, pointers.end(), [&](auto pointer) { return next(pointer) == segment; });
    return {{first, last}, offset + 1 + segment.size()};
  }
};

void combine(Verdicts &into, Verdicts from) {
  if (into.found.size() < from.found.size()) std::swap(into.found, from.found);
  for (const auto &[pointer, tokenable] : from.found)
    into.found.try_emplace(pointer, true).first->second &= tokenable;
  if (into.refused.size() < from.refused.size()) std::swap(into.refused, from.refused);
  into.refused.merge(from.refused);
}

PointerVerdicts found_in(Verdicts verdicts) {
  for (const auto pointer : verdicts.refused)
    if (const auto found = verdicts.found.find(pointer); found != verdicts.found.end()) found->second = false;
  return std::move(verdicts.found);
}

Verdicts collect(const JsonValue &schema, Branch branch);

// anyOf and oneOf: a pointer is found when every variant has it; the variants before the first that lacks it count
// towards being tokenable all the same.
Verdicts collect_variants(const JsonValue &variants, const Branch &branch) {
  Verdicts verdicts;
  verdicts.found = found_in(collect(variants[0], branch));
  for (rapidjson::SizeType i = 1; i < variants.Size() && !verdicts.found.empty(); ++i) {
    const PointerVerdicts variant = found_in(collect(variants[i], branch));
    for (auto entry = verdicts.found.begin(); entry != verdicts.found.end();) {
      auto &[pointer, tokenable] = *entry;
      const auto found = variant.find(pointer);
      if (found != variant.end()) {
        tokenable &= found->second;
        ++entry;
      } else {
        if (!tokenable) verdicts.refused.insert(pointer);
        entry = verdicts.found.erase(entry);
      }
    }
  }
  return verdicts;
}

Verdicts collect(const JsonValue &schema, Branch branch) {
  Verdicts verdicts;
  if (!branch.pointers.empty() && branch.pointers.front().size() == branch.offset) {
    verdicts.found.emplace(branch.pointers.front(), tokenable(schema));
    branch.pointers = branch.pointers.subspan(1);
  }
  if (branch.pointers.empty() || !schema.IsObject()) return verdicts;
  if (const auto *properties = find_member(schema, "properties"); properties && properties->IsObject())
    for (const auto &[name, property] : properties->GetObject()) {
      const auto below = branch.below(json_pointer_token(text_of(name)));
      if (!below.pointers.empty()) combine(verdicts, collect(property, below));
    }
  if (const auto *branches = array_member(schema, "allOf"))
    for (const auto &item : branches->GetArray())
      combine(verdicts, collect(item, branch));
  for (const char *combinator : {"anyOf", "oneOf"})
    if (const auto *variants = array_member(schema, combinator)) combine(verdicts, collect_variants(*variants, branch));
  return verdicts;
}

} // namespace

PointerVerdicts resolve_pointers(const JsonValue &schema, std::vector<std::string_view> pointers) {
  std::sort(pointers.begin(), pointers.end(), pointer_less);
  pointers.erase(std::unique(pointers.begin(), pointers.end()), pointers.end());
  return found_in(collect(schema, {pointers, 0}));
}

} // namespace trellis
