#include "contract_diff.h"

#include "contracts/accepted_grants.h"
#include "contracts/authority_plan.h"
#include "contracts/compatibility.h"
#include "contracts/name_index.h"
#include <algorithm>
#include <map>
#include <rapidjson/document.h>
#include <set>

namespace trellis::cli {
namespace {

constexpr const char *kSections[] = {"rpc", "operations", "events", "feeds", "jobs"};

// Our own canonical texts: they can't fail to parse, however long defaults have made them.
JsonDocument canonical_document(const std::string &text) {
  JsonLimits limits;
  limits.max_bytes = text.size();
  auto document = parse_json(text, limits);
  return document ? std::move(*document) : JsonDocument();
}

const JsonValue &member_or_null(const JsonValue &object, std::string_view name) {
  static const JsonValue kNull;
  const auto *found = find_member(object, name);
  return found ? *found : kNull;
}

using Members = std::map<std::string_view, const JsonValue *>;
Members members_of(const JsonValue &value) {
  Members out;
  if (value.IsObject())
    for (const auto &[name, member] : value.GetObject())
      out.emplace(text_of(name), &member);
  return out;
}

// visit(name, before, after), each nullptr where there is none of that name.
template <class Visit>
void each_pair(const JsonValue &before, const JsonValue &after, const Visit &visit) {
  const auto old_members = members_of(before), new_members = members_of(after);
  for (const auto &[name, value] : old_members) {
    const auto found = new_members.find(name);
    visit(name, value, found == new_members.end() ? nullptr : found->second);
  }
  for (const auto &[name, value] : new_members)
    if (!old_members.contains(name)) visit(name, static_cast<const JsonValue *>(nullptr), value);
}

void collect_changes(std::vector<JsonChange> &out, const std::string &pointer, const JsonValue &before,
                     const JsonValue &after) {
  if (!before.IsObject() || !after.IsObject()) {
    const auto old_text = to_json(before), new_text = to_json(after);
    if (old_text != new_text) out.push_back({ChangeKind::changed, pointer, old_text, new_text});
    return;
  }
  each_pair(before, after, [&](std::string_view name, const JsonValue *old_value, const JsonValue *new_value) {
    const auto inner = pointer + json_pointer(name);
    if (!new_value)
      out.push_back({ChangeKind::removed, inner, to_json(*old_value), ""});
    else if (!old_value)
      out.push_back({ChangeKind::added, inner, "", to_json(*new_value)});
    else
      collect_changes(out, inner, *old_value, *new_value);
  });
}

// A field's value with the schemas that it refers to, so that a change behind a name is a change.
std::string with_schemas(const JsonValue &field, const JsonValue &schemas) {
  std::string out = to_json(field);
  if (!field.IsObject()) return out;
  if (const auto *name = find_member(field, "schema"); name && name->IsString())
    return out + to_json(member_or_null(schemas, text_of(*name)));
  for (const auto &[name, member] : field.GetObject())
    out += with_schemas(member, schemas);
  return out;
}

// `before`, `after`: digest projections.
std::vector<SurfaceChange> surface_changes(const JsonValue &before, const JsonValue &after) {
  std::vector<SurfaceChange> out;
  const auto &old_schemas = member_or_null(before, "schemas"), &new_schemas = member_or_null(after, "schemas");
  const auto text = [](const JsonValue *field, const JsonValue &schemas) {
    return field ? with_schemas(*field, schemas) : std::string();
  };
  for (const char *section : kSections)
    each_pair(member_or_null(before, section), member_or_null(after, section),
              [&](std::string_view name, const JsonValue *old_entry, const JsonValue *new_entry) {
                SurfaceChange change{ChangeKind::changed, section, std::string(name), {}};
                if (!old_entry || !new_entry) {
                  change.kind = old_entry ? ChangeKind::removed : ChangeKind::added;
                  out.push_back(std::move(change));
                  return;
                }
                each_pair(*old_entry, *new_entry,
                          [&](std::string_view field, const JsonValue *old_field, const JsonValue *new_field) {
                            if (text(old_field, old_schemas) != text(new_field, new_schemas))
                              change.fields.emplace_back(field);
                          });
                if (!change.fields.empty()) out.push_back(std::move(change));
              });
  return out;
}

// --------------------------------------------------------------------------------------------------------------- needs

struct NeedFacts {
  bool required = false;
  std::string_view definition;
  bool operator==(const NeedFacts &) const = default;
};
using NeedLines = std::map<std::string, NeedFacts>;

NeedLines need_lines(const Needs &needs, std::string_view own_id) {
  NeedLines out;
  for (const auto &need : needs.contracts)
    if (need.contract_id != own_id) out["contract " + need.contract_id] = {need.required, {}};
  for (const auto &need : needs.surfaces)
    out[std::string(surface_kind_name(need.surface.kind)) + " " +
        std::string(surface_action_name(need.surface.action)) + " " + need.surface.name + " of " +
        need.surface.contract_id] = {need.required, {}};
  for (const auto &need : needs.capabilities)
    out["capability " + need.capability] = {need.required, {}};
  for (const auto &need : needs.resources)
    out["resource " + std::string(resource_kind_name(need.kind)) + " " + need.alias] = {need.required, need.definition};
  return out;
}

std::vector<NeedChange> need_changes(const NeedLines &before, const NeedLines &after) {
  std::vector<NeedChange> out;
  for (const auto &[line, facts] : before) {
    const auto found = after.find(line);
    if (found == after.end())
      out.push_back({ChangeKind::removed, line});
    else if (found->second != facts)
      out.push_back({ChangeKind::changed, line + (facts.required == found->second.required ? ": other definition"
                                                  : facts.required                         ? ": no longer required"
                                                                                           : ": now required")});
  }
  for (const auto &[line, facts] : after)
    if (!before.contains(line)) out.push_back({ChangeKind::added, line});
  return out;
}

// ------------------------------------------------------------------------------------------------------------ approval

class Approval {
public:
  Approval(const Manifest &before, const Manifest &after, ContractDiff &diff)
      : before_(before), after_(after), diff_(diff) {}

  // 02 §4.4 and §3, against an authority that accepted `before` and nothing else.
  void by_operator(const Analysis &old_analysis, const Analysis &new_analysis) {
    const auto fit = classify(current_needs(state_when_accepted(old_analysis)), new_analysis.requested());
    if (diff_.conflict)
      decide("migration", "the contracts are incompatible, so the first start of the new one records a migration plan "
                          "(authority_migration_required)");
    else if (fit.migration)
      decide("migration", "a resource is dropped or defined anew");
    else if (fit.plan_required)
      decide("update", "it needs more than what was accepted");
    else
      decide("none", "what was accepted covers all that it needs");
    const std::set<Surface> had(old_analysis.provided.begin(), old_analysis.provided.end());
    const bool has_new =
        std::ranges::any_of(new_analysis.provided, [&](const auto &each) { return !had.contains(each); });
    if (has_new && diff_.approval == "none")
      diff_.notes.push_back("New surfaces get no grant on NATS until an administrator plans and accepts the new "
                            "contract, although it starts without.");
  }

  // 02 §14.4 step 5.
  void by_user(const KnownContracts &known_before, const KnownContracts &known_after) {
    const auto old_plan = plan_approval(before_, known_before), new_plan = plan_approval(after_, known_after);
    if (!old_plan || !new_plan) return decide("unknown", (old_plan ? new_plan : old_plan).error().message);
    const bool covered = covers(keys_of(*old_plan), keys_of(*new_plan)) &&
                         covers(old_plan->publish_subjects, new_plan->publish_subjects) &&
                         covers(old_plan->subscribe_subjects, new_plan->subscribe_subjects);
    if (covered)
      decide("none", "a user's stored approval covers all that it asks for");
    else
      decide("user", "it asks for more than users have approved, so they are asked at the next login");
  }

private:
  void decide(const char *approval, std::string reason) {
    diff_.approval = approval;
    diff_.approval_reason = std::move(reason);
  }
  static std::vector<std::string> keys_of(const ApprovalPlan &plan) {
    std::vector<std::string> out;
    for (const auto &[key, text] : plan.capabilities)
      out.push_back(key);
    return out;
  }
  // Sorted lists.
  static bool covers(const std::vector<std::string> &has, const std::vector<std::string> &wants) {
    return std::ranges::includes(has, wants);
  }

  const Manifest &before_, &after_;
  ContractDiff &diff_;
};

bool is_for_users(const Manifest &contract) {
  return contract.kind() == ContractKind::app || contract.kind() == ContractKind::agent;
}

void add_notes(ContractDiff &diff, const Manifest &before, const Manifest &after) {
  if (before.kind() != after.kind())
    diff.notes.push_back("The kind changes from " + std::string(kind_name(before.kind())) + " to " +
                         std::string(kind_name(after.kind())) + ": a deployment of the old kind refuses the new one.");
  for (const auto &change : diff.surfaces)
    if (change.kind == ChangeKind::removed) {
      diff.notes.push_back("Removing a surface is compatible by the rules (01 §12.2), but contracts that use it don't "
                           "resolve once the old one is no longer active.");
      break;
    }
}

} // namespace

std::string_view change_name(ChangeKind kind) {
  return kind == ChangeKind::added ? "added" : kind == ChangeKind::removed ? "removed" : "changed";
}

std::vector<JsonChange> json_changes(const JsonValue &before, const JsonValue &after) {
  std::vector<JsonChange> out;
  collect_changes(out, "", before, after);
  return out;
}

Result<ContractDiff> diff_contracts(const Manifest &before, const Manifest &after, const Surroundings &surroundings) {
  ContractDiff diff;
  diff.same = before.digest() == after.digest();
  const auto old_projection = canonical_document(before.projection());
  const auto new_projection = canonical_document(after.projection());
  diff.digest = json_changes(old_projection, new_projection);
  std::set<std::string> in_digest;
  for (const auto &change : diff.digest)
    in_digest.insert(change.pointer);
  for (auto &change : json_changes(canonical_document(before.normalized()), canonical_document(after.normalized())))
    if (!in_digest.contains(change.pointer)) diff.other.push_back(std::move(change));
  diff.surfaces = surface_changes(old_projection, new_projection);
  if (const auto merged = merge_lineage({before, after}); !merged) diff.conflict = merged.error();

  const auto known_before = surroundings.known(before), known_after = surroundings.known(after);
  const auto old_analysis = analyze(before, known_before, Resolution::known_or_pending);
  if (!old_analysis) return tl::make_unexpected(old_analysis.error());
  const auto new_analysis = analyze(after, known_after, Resolution::known_or_pending);
  if (!new_analysis) return tl::make_unexpected(new_analysis.error());
  diff.needs = need_changes(need_lines(old_analysis->requested(), before.id()),
                            need_lines(new_analysis->requested(), after.id()));
  Approval approval(before, after, diff);
  if (is_for_users(after))
    approval.by_user(known_before, known_after);
  else
    approval.by_operator(*old_analysis, *new_analysis);
  add_notes(diff, before, after);
  return diff;
}

std::string_view conflict_rule(const Error &conflict) {
  if (conflict.code == "subject_surface_conflict") return "01 §12.1 step 1: one surface per subject";
  if (conflict.code == "named_schema_incompatible") return "01 §12.1 step 2: schemas of one name can be merged";
  if (conflict.code == "different_subject") return "01 §12.1 step 3: a surface keeps its subject";
  if (conflict.code == "different_field") return "01 §12.1 step 3: the fields of a surface stay as they are";
  return "01 §12.1 step 3: the schemas of a surface can be merged";
}

} // namespace trellis::cli
