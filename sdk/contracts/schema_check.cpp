#include "contracts/schema_program.h"
#include "contracts/schema_scratch.h"

#include <algorithm>
#include <cmath>

namespace trellis::schema {
namespace {

// The result of several checks: the first failure ends them, unless all failures are asked for.
class Tally {
public:
  explicit Tally(bool all) : all_(all) {}
  bool go_on(bool result) { // false: no further check is needed
    passed_ = passed_ && result;
    return passed_ || all_;
  }
  bool passed() const { return passed_; }

private:
  bool all_;
  bool passed_ = true;
};

// Code points; a byte that continues one doesn't count.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_whole(double number) {
  return std::trunc(number) == number;
}

std::uint8_t types_of(const JsonValue &value) {
  switch (value.GetType()) {
  case rapidjson::kNullType: return kNull;
  case rapidjson::kFalseType:
  case rapidjson::kTrueType: return kBoolean;
  case rapidjson::kObjectType: return kObject;
  case rapidjson::kArrayType: return kArray;
  case rapidjson::kStringType: return kString;
  case rapidjson::kNumberType: break;
  }
  if (!value.IsDouble()) return kNumber | kInteger;
  const double number = value.GetDouble();
  if (!std::isfinite(number)) return 0;
  return is_whole(number) ? kNumber | kInteger : kNumber;
}

bool is_multiple(double number, double divisor) {
  constexpr double kTolerance = 1e-10; // 01 §4.2
  if (is_whole(number) && std::fmod(1 / divisor, 1) == 0) return true;
  const double rest = std::fmod(number, divisor); // NaN, and so never near, when the divisor is 0
  return std::abs(rest) < kTolerance || std::abs(rest - divisor) < kTolerance || std::abs(rest + divisor) < kTolerance;
}

bool at_least(double value, std::optional<double> limit) {
  return !limit || value >= *limit;
}
bool at_most(double value, std::optional<double> limit) {
  return !limit || value <= *limit;
}

// One run over a value. The order of the checks is the order of the issues (06 §1.2): the kind, then the rules of the
// kind, then those of every kind, and what must not be left over at last.
//
// `seen` collects, for the object or array at hand, what unevaluatedProperties and unevaluatedItems of a schema further
// up have to leave alone. Only what passes is marked, and a branch that fails marks nothing.
class Run {
public:
  Run(const HashKey &hash_key, Findings *findings) : hash_key_(hash_key), findings_(findings) {}

  bool evaluate(const Node &node, const JsonValue &value, Evaluated *seen) const {
    if (findings_ && findings_->full()) return false; // what follows can't be reported any more
    if (node.kind == Node::Kind::everything) return true;
    if (node.kind == Node::Kind::nothing) return refuse(node, Keyword::falsehood, value);
    if (node.unevaluated_properties && value.IsObject()) return tracked(node, value, seen, value.MemberCount());
    if (node.unevaluated_items && value.IsArray()) return tracked(node, value, seen, value.Size());
    return rules(node, value, seen);
  }

private:
  bool refuse(const Node &node, Keyword keyword, const JsonValue &value) const {
    if (findings_) findings_->add({&node, keyword, &value});
    return false;
  }
  bool check(bool passed, const Node &node, Keyword keyword, const JsonValue &value) const {
    return passed || refuse(node, keyword, value);
  }
  Tally tally() const { return Tally(findings_ != nullptr); }
  Run with(Findings *findings) const { return {hash_key_, findings}; }
  Run quiet() const { return with(nullptr); }

  // Another schema for the same value, which marks only if it passes.
  bool branch(const Node &node, const JsonValue &value, Evaluated *seen) const {
    if (!seen) return evaluate(node, value, nullptr);
    Evaluated own(seen->count());
    if (!evaluate(node, value, &own)) return false;
    seen->merge(own);
    return true;
  }

  bool tracked(const Node &node, const JsonValue &value, Evaluated *seen, std::size_t count) const {
    Evaluated own(count);
    Tally tally = this->tally();
    if (!tally.go_on(rules(node, value, &own))) return false;
    if (!tally.go_on(value.IsArray() ? no_items_left(node, value, own) : no_properties_left(node, value, own)))
      return false;
    if (seen && tally.passed()) seen->merge(own);
    return tally.passed();
  }

  bool no_items_left(const Node &node, const JsonValue &value, Evaluated &seen) const {
    bool passed = true;
    for (rapidjson::SizeType i = 0; i < value.Size() && (passed || findings_); ++i) {
      if (seen.has(i)) continue;
      const bool accepted = quiet().evaluate(*node.unevaluated_items, value[i], nullptr);
      if (accepted) seen.mark(i);
      passed = passed && accepted;
    }
    return check(passed, node, Keyword::unevaluated_items, value);
  }

  bool no_properties_left(const Node &node, const JsonValue &value, Evaluated &seen) const {
    bool passed = true;
    std::size_t index = 0;
    for (const auto &member : value.GetObject()) {
      const std::size_t at = index++;
      if (seen.has(at)) continue;
      const bool accepted = quiet().evaluate(*node.unevaluated_properties, member.value, nullptr);
      if (accepted) seen.mark(at);
      passed = passed && accepted;
      if (!passed && !findings_) return false;
    }
    return check(passed, node, Keyword::unevaluated_properties, value);
  }

  bool rules(const Node &node, const JsonValue &value, Evaluated *seen) const {
    Tally tally = this->tally();
    const bool right_kind = node.types == kAnyType || (node.types & types_of(value)) != 0;
    if (!tally.go_on(check(right_kind, node, Keyword::type, value))) return false;
    if (!tally.go_on(rules_of_kind(node, value, seen))) return false;
    if (node.common && !tally.go_on(common(node, value, seen))) return false;
    return tally.passed();
  }

  bool rules_of_kind(const Node &node, const JsonValue &value, Evaluated *seen) const {
    if (value.IsObject()) return !node.object || object(node, value, seen);
    if (value.IsArray()) return !node.array || array(node, value, seen);
    if (value.IsString()) return !node.string || string(node, value);
    if (value.IsNumber()) return !node.number || number(node, value);
    return true;
  }

  // ---------------------------------------------------------------- objects

  bool object(const Node &node, const JsonValue &value, Evaluated *seen) const {
    const ObjectRules &rules = *node.object;
    const Slots slots(rules, value);
    Tally tally = this->tally();
    const bool complete =
        std::all_of(rules.required.begin(), rules.required.end(), [&](Slot s) { return slots.has(s); });
    if (!tally.go_on(check(complete, node, Keyword::required, value))) return false;
    if (rules.additional && !tally.go_on(additional_properties(node, value, slots, seen))) return false;
    if (!tally.go_on(all_dependencies(node, value, slots, seen))) return false;
    if (!rules.patterns.empty() && !tally.go_on(pattern_properties(node, value, seen))) return false;
    if (!tally.go_on(properties(rules, value, slots, seen))) return false;
    if (rules.property_names && !tally.go_on(property_names(node, value))) return false;
    const double count = value.MemberCount();
    if (!tally.go_on(check(at_least(count, rules.min_properties), node, Keyword::min_properties, value))) return false;
    if (!tally.go_on(check(at_most(count, rules.max_properties), node, Keyword::max_properties, value))) return false;
    return tally.passed();
  }

  static bool is_described(const ObjectRules &rules, const JsonValue &name) {
    if (rules.names.find(text_of(name), 0) < rules.properties.size()) return true;
    return std::any_of(rules.patterns.begin(), rules.patterns.end(),
                       [&](const auto &property) { return property.pattern.found_in(text_of(name)); });
  }

  bool additional_properties(const Node &node, const JsonValue &value, const Slots &slots, Evaluated *seen) const {
    const ObjectRules &rules = *node.object;
    if (slots.declared() == value.MemberCount()) return true;
    if (!seen && rules.additional->kind == Node::Kind::everything) return true;
    Tally tally = this->tally();
    std::size_t index = 0;
    for (const auto &member : value.GetObject()) {
      const std::size_t at = index++;
      if (is_described(rules, member.name)) continue;
      const bool accepted = evaluate(*rules.additional, member.value, nullptr);
      if (accepted && seen) seen->mark(at);
      if (!tally.go_on(accepted)) return false;
    }
    return check(tally.passed(), node, Keyword::additional_properties, value);
  }

  bool all_dependencies(const Node &node, const JsonValue &value, const Slots &slots, Evaluated *seen) const {
    const ObjectRules &rules = *node.object;
    Tally tally = this->tally();
    for (const auto &dependency : rules.dependencies)
      if (slots.has(dependency.slot) && !tally.go_on(mixed_dependency(dependency, node, value, slots, seen)))
        return false;
    for (const auto &dependency : rules.dependent_required)
      if (slots.has(dependency.slot) && !tally.go_on(dependent_required(dependency, node, value, slots))) return false;
    for (const auto &dependency : rules.dependent_schemas)
      if (slots.has(dependency.slot) && !tally.go_on(branch(*dependency.node, value, seen))) return false;
    return tally.passed();
  }

  bool mixed_dependency(const Dependency &dependency, const Node &node, const JsonValue &value, const Slots &slots,
                        Evaluated *seen) const {
    if (dependency.node) return branch(*dependency.node, value, seen);
    const auto &names = dependency.names;
    const bool complete = std::all_of(names.begin(), names.end(), [&](Slot slot) { return slots.has(slot); });
    return check(complete, node, Keyword::dependencies, value);
  }

  // One issue for each missing name, unlike `dependencies` and `required`: so do existing clients.
  bool dependent_required(const Dependency &dependency, const Node &node, const JsonValue &value,
                          const Slots &slots) const {
    Tally tally = this->tally();
    for (const Slot slot : dependency.names)
      if (!tally.go_on(check(slots.has(slot), node, Keyword::dependent_required, value))) return false;
    return tally.passed();
  }

  bool pattern_properties(const Node &node, const JsonValue &value, Evaluated *seen) const {
    Tally tally = this->tally();
    for (const auto &property : node.object->patterns) {
      std::size_t index = 0;
      for (const auto &member : value.GetObject()) {
        const std::size_t at = index++;
        if (!property.pattern.found_in(text_of(member.name))) continue;
        const bool accepted = evaluate(*property.node, member.value, nullptr);
        if (accepted && seen) seen->mark(at);
        if (!tally.go_on(accepted)) return false;
      }
    }
    return tally.passed();
  }

  bool properties(const ObjectRules &rules, const JsonValue &value, const Slots &slots, Evaluated *seen) const {
    if (slots.declared() == 0) return true;
    Tally tally = this->tally();
    const auto members = value.MemberBegin();
    for (Slot slot = 0; slot < rules.properties.size(); ++slot) {
      if (!slots.has(slot)) continue;
      const bool accepted = evaluate(*rules.properties[slot], members[slots.index(slot)].value, nullptr);
      if (accepted && seen) seen->mark(slots.index(slot));
      if (!tally.go_on(accepted)) return false;
    }
    return tally.passed();
  }

  bool property_names(const Node &node, const JsonValue &value) const {
    Tally tally = this->tally();
    for (const auto &member : value.GetObject())
      if (!tally.go_on(evaluate(*node.object->property_names, member.name, nullptr))) return false;
    return check(tally.passed(), node, Keyword::property_names, value);
  }

  // ---------------------------------------------------------------- arrays

  bool array(const Node &node, const JsonValue &value, Evaluated *seen) const {
    const ArrayRules &rules = *node.array;
    const double size = value.Size();
    Tally tally = this->tally();
    if (rules.additional && !tally.go_on(additional_items(rules, value, seen))) return false;
    const double matches = rules.contains ? count_matches(rules, value) : 0;
    if (!tally.go_on(check(contains_enough(rules, matches), node, Keyword::contains, value))) return false;
    if (rules.items && !tally.go_on(items(*rules.items, value, rules.prefix_items.size(), seen))) return false;
    if (!tally.go_on(item_list(rules.item_list, value, seen))) return false;
    if (rules.contains && !tally.go_on(match_limits(node, value, matches))) return false;
    if (!tally.go_on(check(at_least(size, rules.min_items), node, Keyword::min_items, value))) return false;
    if (!tally.go_on(check(at_most(size, rules.max_items), node, Keyword::max_items, value))) return false;
    if (!tally.go_on(item_list(rules.prefix_items, value, seen))) return false;
    const bool unique = !rules.unique || !has_equal_items(value, hash_key_);
    if (!tally.go_on(check(unique, node, Keyword::unique_items, value))) return false;
    return tally.passed();
  }

  // Existing clients report only the first additional item that fails.
  bool additional_items(const ArrayRules &rules, const JsonValue &value, Evaluated *seen) const {
    for (auto i = static_cast<rapidjson::SizeType>(rules.item_list.size()); i < value.Size(); ++i) {
      if (!evaluate(*rules.additional, value[i], nullptr)) return false;
      if (seen) seen->mark(i);
    }
    return true;
  }

  double count_matches(const ArrayRules &rules, const JsonValue &value) const {
    const Run quiet = this->quiet();
    return static_cast<double>(std::count_if(value.Begin(), value.End(), [&](const JsonValue &item) {
      return quiet.evaluate(*rules.contains, item, nullptr);
    }));
  }

  static bool contains_enough(const ArrayRules &rules, double matches) {
    return !rules.contains || matches > 0 || rules.min_contains == 0.0;
  }

  bool match_limits(const Node &node, const JsonValue &value, double matches) const {
    Tally tally = this->tally();
    if (!tally.go_on(check(at_least(matches, node.array->min_contains), node, Keyword::min_contains, value)))
      return false;
    if (!tally.go_on(check(at_most(matches, node.array->max_contains), node, Keyword::max_contains, value)))
      return false;
    return tally.passed();
  }

  bool items(const Node &node, const JsonValue &value, std::size_t from, Evaluated *seen) const {
    Tally tally = this->tally();
    for (auto i = static_cast<rapidjson::SizeType>(from); i < value.Size(); ++i) {
      const bool accepted = evaluate(node, value[i], nullptr);
      if (accepted && seen) seen->mark(i);
      if (!tally.go_on(accepted)) return false;
    }
    return tally.passed();
  }

  bool item_list(const std::vector<const Node *> &nodes, const JsonValue &value, Evaluated *seen) const {
    Tally tally = this->tally();
    for (rapidjson::SizeType i = 0; i < value.Size() && i < nodes.size(); ++i) {
      const bool accepted = evaluate(*nodes[i], value[i], nullptr);
      if (accepted && seen) seen->mark(i);
      if (!tally.go_on(accepted)) return false;
    }
    return tally.passed();
  }

  // ---------------------------------------------------------------- strings and numbers

  bool string(const Node &node, const JsonValue &value) const {
    const StringRules &rules = *node.string;
    const auto text = text_of(value);
    Tally tally = this->tally();
    const bool counts = rules.min_length || rules.max_length;
    const auto length = counts ? static_cast<double>(characters(text)) : 0;
    if (!tally.go_on(check(at_least(length, rules.min_length), node, Keyword::min_length, value))) return false;
    if (!tally.go_on(check(at_most(length, rules.max_length), node, Keyword::max_length, value))) return false;
    const bool well_formed = !rules.format || has_format(*rules.format, text);
    if (!tally.go_on(check(well_formed, node, Keyword::format, value))) return false;
    const bool matches = !rules.pattern || rules.pattern->found_in(text);
    if (!tally.go_on(check(matches, node, Keyword::pattern, value))) return false;
    return tally.passed();
  }

  bool number(const Node &node, const JsonValue &value) const {
    const NumberRules &rules = *node.number;
    const double number = value.GetDouble();
    if (!std::isfinite(number)) return true; // not a number to ECMAScript's schema checks: only `type` refuses it
    Tally tally = this->tally();
    const bool above = !rules.exclusive_minimum || number > *rules.exclusive_minimum;
    if (!tally.go_on(check(above, node, Keyword::exclusive_minimum, value))) return false;
    const bool below = !rules.exclusive_maximum || number < *rules.exclusive_maximum;
    if (!tally.go_on(check(below, node, Keyword::exclusive_maximum, value))) return false;
    if (!tally.go_on(check(at_least(number, rules.minimum), node, Keyword::minimum, value))) return false;
    if (!tally.go_on(check(at_most(number, rules.maximum), node, Keyword::maximum, value))) return false;
    const bool whole = !rules.multiple_of || is_multiple(number, *rules.multiple_of);
    if (!tally.go_on(check(whole, node, Keyword::multiple_of, value))) return false;
    return tally.passed();
  }

  // ---------------------------------------------------------------- values of every kind

  bool common(const Node &node, const JsonValue &value, Evaluated *seen) const {
    const CommonRules &rules = *node.common;
    Tally tally = this->tally();
    const bool same = !rules.constant || equal_values(value, *rules.constant);
    if (!tally.go_on(check(same, node, Keyword::constant, value))) return false;
    if (rules.enumeration && !tally.go_on(enumeration(node, value))) return false;
    if (rules.condition && !tally.go_on(condition(node, value, seen))) return false;
    const bool other = !rules.negation || !quiet().evaluate(*rules.negation, value, nullptr);
    if (!tally.go_on(check(other, node, Keyword::negation, value))) return false;
    for (const auto *schema : rules.all_of)
      if (!tally.go_on(branch(*schema, value, seen))) return false;
    if (rules.any_of && !tally.go_on(any_of(node, value, seen))) return false;
    if (rules.one_of && !tally.go_on(one_of(node, value, seen))) return false;
    return tally.passed();
  }

  bool enumeration(const Node &node, const JsonValue &value) const {
    const auto &allowed = *node.common->enumeration;
    const bool found =
        std::any_of(allowed.Begin(), allowed.End(), [&](const auto &one) { return equal_values(value, one); });
    return check(found, node, Keyword::enumeration, value);
  }

  // The issues of `if` and `then` stay inside; those of `else` come out. So do existing clients.
  bool condition(const Node &node, const JsonValue &value, Evaluated *seen) const {
    const CommonRules &rules = *node.common;
    const bool holds = quiet().branch(*rules.condition, value, seen);
    const Node *selected = holds ? rules.consequence : rules.alternative;
    if (!selected) return true;
    const bool passed = holds ? quiet().branch(*selected, value, seen) : branch(*selected, value, seen);
    return check(passed, node, Keyword::condition, value);
  }

  bool any_of(const Node &node, const JsonValue &value, Evaluated *seen) const {
    if (!findings_) return any_of_quiet(*node.common->any_of, value, seen);
    Findings inside(findings_->max());
    bool passed = false;
    for (const auto *schema : *node.common->any_of) {
      Findings own(findings_->max());
      passed |= with(&own).branch(*schema, value, seen);
      inside.add_all(own);
    }
    if (passed) return true;
    findings_->add_all(inside);
    return refuse(node, Keyword::any_of, value);
  }

  bool any_of_quiet(const std::vector<const Node *> &schemas, const JsonValue &value, Evaluated *seen) const {
    bool passed = false;
    for (const auto *schema : schemas) {
      passed |= branch(*schema, value, seen);
      if (passed && !seen) return true; // otherwise the others may mark more
    }
    return passed;
  }

  bool one_of(const Node &node, const JsonValue &value, Evaluated *seen) const {
    const std::size_t max = findings_ ? findings_->max() : 0;
    Findings inside(max);
    int passed = 0;
    for (const auto *schema : *node.common->one_of) {
      Findings own(max);
      passed += with(findings_ ? &own : nullptr).branch(*schema, value, seen) ? 1 : 0;
      if (passed > 1 && !findings_) return false;
      inside.add_all(own);
    }
    if (passed == 1) return true;
    if (findings_ && passed == 0) findings_->add_all(inside);
    return refuse(node, Keyword::one_of, value);
  }

  const HashKey &hash_key_;
  Findings *findings_;
};

} // namespace

bool evaluate(const Node &node, const JsonValue &value, const HashKey &hash_key, Findings *findings) {
  return Run(hash_key, findings).evaluate(node, value, nullptr);
}

} // namespace trellis::schema

namespace trellis {

bool Schema::valid(const JsonValue &value) const {
  return schema::evaluate(*program_->root, value, program_->hash_key, nullptr);
}

std::vector<SchemaIssue> Schema::check(const JsonValue &value, std::size_t max) const {
  if (valid(value)) return {};
  schema::Findings findings(std::max<std::size_t>(max, 1)); // an empty list would say that the value is valid
  schema::evaluate(*program_->root, value, program_->hash_key, &findings);
  std::vector<SchemaIssue> issues;
  for (const auto &finding : findings.list())
    issues.push_back(schema::issue_of(finding));
  return issues;
}

} // namespace trellis
