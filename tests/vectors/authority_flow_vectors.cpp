// Kind flow of authority-plan (README §3.2): bootstrap, plans, reconciliation, offers and catalog in sequence.
#include "authority_flow.h"
#include "output.h"
#include "runner.h"
#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>

namespace trellis::vectors {
namespace {

using Names = std::set<std::string, std::less<>>;

// The members that a step may have beside `op`.
const Names &members_of(std::string_view op) {
  static const std::map<std::string_view, Names> kMembers = {
      {"deploy", {"deployment", "mode"}},
      {"instance", {"deployment", "instance"}},
      {"bootstrap", {"contract", "instance", "over"}},
      {"plan", {"deployment", "contract", "expectedDigest"}},
      {"accept", {"plan", "reason"}},
      {"reject", {"plan", "reason"}},
      {"reconcile", {"deployment", "desiredVersion"}},
      {"disable", {"deployment"}},
      {"plans", {"filter"}},
      {"offers", {"deployment"}},
      {"catalog", {}},
      {"surfaceStatus", {"request", "capabilities"}},
      {"permissions", {"deployment", "instance"}},
      {"breakResources", {}},
  };
  const auto found = kMembers.find(op);
  if (found == kMembers.end()) throw std::runtime_error("unknown op " + std::string(op));
  return found->second;
}

void check_members(const JsonValue &step) {
  const Names &known = members_of(string_member(step, "op"));
  for (const auto &member : step.GetObject())
    if (const auto name = text_of(member.name); name != "op" && name != "note" && !known.contains(name))
      throw std::runtime_error("unknown member " + std::string(name) + " of step " +
                               std::string(string_member(step, "op")));
}

// Only the listed members of a step are normative; the same holds for a binding and for the entries of these lists.
JsonDocument only_listed(const JsonValue &result, const JsonValue &listed, int depth = 0) {
  JsonDocument out;
  auto &memory = out.GetAllocator();
  if (result.IsObject() && listed.IsObject()) {
    out.SetObject();
    for (const auto &member : result.GetObject()) {
      const JsonValue *expected = find_member(listed, text_of(member.name));
      if (!expected) continue;
      const auto name = text_of(member.name);
      const bool goes_on = depth == 0 && (name == "binding" || name == "plans" || name == "offers" || name == "issues");
      const JsonDocument kept = goes_on ? only_listed(member.value, *expected, 1) : JsonDocument();
      out.AddMember(JsonValue(member.name, memory), JsonValue(goes_on ? kept : member.value, memory), memory);
    }
  } else if (result.IsArray() && listed.IsArray()) {
    out.SetArray();
    for (rapidjson::SizeType i = 0; i < result.Size(); ++i) {
      const JsonDocument kept = i < listed.Size() ? only_listed(result[i], listed[i], 1) : JsonDocument();
      out.PushBack(JsonValue(i < listed.Size() ? kept : result[i], memory), memory);
    }
  } else {
    out.CopyFrom(result, memory);
  }
  return out;
}

// Generated names in the order of their first appearance.
std::vector<std::string> generated_tokens(const std::string &text) {
  static const std::regex kGenerated("tr_(?:kv|obj|cons|jq|jobs)_([0-9a-z]+)");
  std::vector<std::string> tokens;
  for (std::sregex_iterator match(text.begin(), text.end(), kGenerated), end; match != end; ++match)
    if (std::string token = (*match)[1]; std::ranges::find(tokens, token) == tokens.end())
      tokens.push_back(std::move(token));
  return tokens;
}

// Generated names compare up to one renaming: ours get the expected ones' names, first to first.
JsonDocument renamed(const JsonDocument &result, const JsonValue &expected) {
  std::string text = to_json(result);
  const auto ours = generated_tokens(text), theirs = generated_tokens(to_json(expected));
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    if (ours[i].size() != theirs[i].size()) continue; // a wrong length stays one
    for (std::size_t at = 0; (at = text.find(ours[i], at)) != std::string::npos; at += theirs[i].size())
      text.replace(at, ours[i].size(), theirs[i]);
  }
  auto document = parse_json(text);
  if (!document) throw std::runtime_error(document.error().text());
  return std::move(*document);
}

JsonDocument run_flow(const Input &input, const CaseContext &context) {
  FlowControlPlane plane(input.at("contracts"));
  const JsonValue &steps = input.at("steps");
  const JsonValue *expected = find_member(*context.expected, "steps");
  if (!expected || expected->Size() != steps.Size())
    throw std::runtime_error("steps and expectations differ in number");
  JsonDocument out(rapidjson::kObjectType);
  auto &memory = out.GetAllocator();
  JsonValue results(rapidjson::kArrayType);
  for (rapidjson::SizeType i = 0; i < steps.Size(); ++i) {
    check_members(steps[i]);
    const JsonDocument result = plane.run(steps[i]);
    const bool must_succeed = (*expected)[i].IsNull();
    if (must_succeed && find_member(result, "error"))
      throw std::runtime_error("/input/steps/" + std::to_string(i) + ": " + to_json(result));
    results.PushBack(must_succeed ? JsonValue() : JsonValue(only_listed(result, (*expected)[i]), memory), memory);
  }
  out.AddMember("steps", results, memory);
  return renamed(out, *context.expected);
}

} // namespace

void register_authority_flow(Registry &registry) {
  registry["authority-plan"]["flow"] = {
      run_flow,
      {.sets = {"contracts", "surfaces", "capabilities", "resources", "missingCapabilities", "providedSurfaces",
                "offers", "publishAllow", "subscribeAllow"}}};
}

} // namespace trellis::vectors
