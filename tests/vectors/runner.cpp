#include "runner.h"

#include "compare.h"
#include "placeholders.h"
#include "repeat.h"
#include <algorithm>
#include <array>
#include <utility>

namespace trellis::vectors {
namespace {

// README §1.1. An unknown member could change what the case means, so it fails.
constexpr std::array<std::string_view, 9> kCaseMembers = {"name",     "kind", "sequence", "scenario",   "input",
                                                          "expected", "note", "recorded", "informative"};

[[noreturn]] void refuse(std::string_view name, std::string_view what) {
  throw std::runtime_error("/input" + json_pointer(name) + ": " + std::string(what));
}

Outcome failed(std::string why) {
  return {Verdict::failed, std::move(why)};
}

std::string unknown_member(const JsonValue &vector_case) {
  for (const auto &entry : vector_case.GetObject()) {
    const auto name = text_of(entry.name);
    if (std::find(kCaseMembers.begin(), kCaseMembers.end(), name) == kCaseMembers.end())
      return json_pointer(name) + ": unknown member of a case";
  }
  return {};
}

// What is wrong with the case's shape; empty when nothing is.
std::string malformed(const JsonValue &vector_case) {
  if (!vector_case.IsObject()) return "not an object";
  for (const std::string_view name : {"name", "kind"}) {
    const auto *member = find_member(vector_case, name);
    if (!member || !member->IsString()) return json_pointer(name) + ": not a string";
  }
  const auto *input = find_member(vector_case, "input");
  if (input && !input->IsObject()) return "/input: not an object";
  const auto *informative = find_member(vector_case, "informative");
  if (informative && !informative->IsBool()) return "/informative: not true or false";
  const bool compared = !informative || !informative->GetBool();
  if (compared && !find_member(vector_case, "expected")) return "/expected: absent";
  return unknown_member(vector_case);
}

JsonDocument copy_of_member(const JsonValue &vector_case, std::string_view name) {
  JsonDocument out(rapidjson::kObjectType);
  if (const auto *member = find_member(vector_case, name)) out.CopyFrom(*member, out.GetAllocator());
  expand_repeats(out, out.GetAllocator());
  return out;
}

Outcome run_well_formed(const Kind &kind, CaseContext context, const JsonValue &vector_case) {
  const JsonDocument input_value = copy_of_member(vector_case, "input");
  const JsonDocument expected = copy_of_member(vector_case, "expected");
  const auto *informative = find_member(vector_case, "informative");
  PlaceholderValues values;
  context.expected = &expected;
  context.values = &values;

  const Input input(input_value);
  const JsonDocument actual = kind.run(input, context);
  if (!informative || !informative->GetBool()) {
    const Placeholders placeholders(values, context.file == "jobs-wire");
    if (const auto found = first_difference(expected, actual, kind.comparison, placeholders))
      return failed(found->pointer + ": " + found->what);
  }
  const auto unread = input.unread();
  if (!unread.empty()) return failed("/input" + json_pointer(unread[0]) + ": a member that the procedure doesn't know");
  return {};
}

} // namespace

const JsonValue *Input::find(std::string_view name) const {
  read_.emplace(name);
  return find_member(value_, name);
}

const JsonValue &Input::at(std::string_view name) const {
  const auto *found = find(name);
  if (!found) refuse(name, "absent");
  return *found;
}

std::string Input::text(std::string_view name) const {
  const auto &found = at(name);
  if (!found.IsString()) refuse(name, "not a string");
  return std::string(text_of(found));
}

std::string Input::text_or(std::string_view name, std::string_view otherwise) const {
  return find(name) ? text(name) : std::string(otherwise);
}

double Input::number(std::string_view name) const {
  const auto &found = at(name);
  if (!found.IsNumber()) refuse(name, "not a number");
  return found.GetDouble();
}

bool Input::flag(std::string_view name) const {
  const auto *found = find(name);
  if (found && !found->IsBool()) refuse(name, "not true or false");
  return found && found->GetBool();
}

void Input::accept_all() const {
  if (!value_.IsObject()) return;
  for (const auto &entry : value_.GetObject())
    read_.emplace(text_of(entry.name));
}

std::vector<std::string> Input::unread() const {
  std::vector<std::string> out;
  if (!value_.IsObject()) return out;
  for (const auto &entry : value_.GetObject())
    if (const auto name = text_of(entry.name); !read_.contains(name)) out.emplace_back(name);
  return out;
}

Outcome run_case(const Kinds &kinds, const std::string &file, const JsonValue &vector_case, const JsonValue *fixtures) {
  if (auto what = malformed(vector_case); !what.empty()) return failed(std::move(what));
  CaseContext context;
  context.file = file;
  context.name = string_member(vector_case, "name");
  context.kind = string_member(vector_case, "kind");
  context.fixtures = fixtures;
  const auto kind = kinds.find(context.kind);
  if (kind == kinds.end()) return failed("/kind: unknown kind \"" + context.kind + "\"");
  try {
    return run_well_formed(kind->second, std::move(context), vector_case);
  } catch (const Skipped &reason) {
    return {Verdict::skipped, reason.what()};
  } catch (const NotYet &missing) {
    return {Verdict::not_yet, missing.what()};
  } catch (const std::exception &error) {
    return failed(error.what());
  } catch (...) {
    return failed("the procedure threw something that is not an exception");
  }
}

} // namespace trellis::vectors
