// trellis contract needs: what a contract asks for, in the words that an operator decides by (02 §2, §10).
//
// The same order as the review page of a plan (plan_review.h), so that an author sees beforehand what the operator will
// see. That page describes a plan, in which needs are already decided; here they are derived.
#include "contract_commands.h"

#include "contract_report.h"
#include "contracts/authority_json.h"
#include "contracts/json_write.h"
#include "contracts/name_index.h"
#include "contracts/surface_lists.h"
#include "review_text.h"
#include <algorithm>
#include <map>
#include <ostream>
#include <set>

namespace trellis::cli {
namespace {

struct Capability {
  std::string key;
  bool required = false;
  const CapabilityText *text = nullptr; // nullptr: nobody has described it
  std::string described_by;             // contract id
};

// What there is to tell, for both forms. Points into `contract` and `others`.
struct Facts {
  const Manifest &contract;
  std::vector<Manifest> others;
  std::vector<std::string> unknown;
  Analysis analysis;
  Needs requested;
  std::vector<Capability> asked, defined;
};

class FactsBuilder {
public:
  FactsBuilder(const Manifest &contract, const Surroundings &surroundings)
      : surroundings_(surroundings),
        facts_{contract, surroundings.others(contract), unknown_uses(contract, surroundings), {}, {}, {}, {}} {}

  Result<Facts> build() {
    const auto known = surroundings_.known(facts_.contract);
    auto analysis = analyze(facts_.contract, known, Resolution::known_or_pending);
    if (!analysis) return tl::make_unexpected(std::move(analysis.error()));
    facts_.analysis = std::move(*analysis);
    facts_.requested = facts_.analysis.requested();
    const bool is_user = facts_.contract.kind() == ContractKind::app || facts_.contract.kind() == ContractKind::agent;
    // Users are asked for what 02 §10 counts, deployments for what 02 §2.2 does. A user's contract needs all it uses.
    const auto plan = is_user ? plan_approval(facts_.contract, known) : fail("kind", {}, {});
    if (plan)
      for (const auto &[key, text] : plan->capabilities)
        facts_.asked.push_back(described(key, true));
    else
      for (const auto &need : facts_.requested.capabilities)
        facts_.asked.push_back(described(need.capability, need.required));
    std::set<std::string_view> seen;
    for (const auto &definition : facts_.analysis.definitions)
      if (definition.direction == "creates" && seen.insert(definition.key).second)
        facts_.defined.push_back(described(definition.key, false));
    return std::move(facts_);
  }

private:
  // 01 §9: own words first, then those of the first contract by id and digest that has some.
  Capability described(const std::string &key, bool required) const {
    Capability out{key, required, nullptr, {}};
    const auto look = [&](const Manifest &manifest) {
      for (const auto &[name, text] : entries_of(manifest.model().capabilities))
        if (name == key && !out.text) out.text = &text, out.described_by = manifest.id();
    };
    look(facts_.contract);
    for (const auto &other : facts_.others)
      look(other);
    return out;
  }

  const Surroundings &surroundings_;
  Facts facts_;
};

// ------------------------------------------------------------------------------------------------------------- text

std::string remark(bool required) {
  return required ? "  [required]" : "  [optional]";
}

class Page {
public:
  Page(const Facts &facts, bool colour) : facts_(facts), model_(facts.contract.model()), text_(colour) {}

  std::string write() {
    introduction();
    text_.heading("Capabilities that it asks for");
    for (const auto &each : facts_.asked)
      capability(each, remark(each.required));
    if (facts_.asked.empty()) text_.item("none");
    if (!facts_.defined.empty()) text_.heading("Capabilities that it defines, for others to be given");
    for (const auto &each : facts_.defined)
      capability(each, "");
    used_contracts();
    resources();
    offered_surfaces();
    return text_.str();
  }

private:
  void introduction() {
    text_.heading("What it is");
    text_.fact("contract", facts_.contract.id());
    text_.fact("digest", facts_.contract.digest());
    text_.fact("name", model_.display_name);
    text_.fact("kind", kind_name(model_.kind));
    text_.paragraph(model_.description);
  }

  void capability(const Capability &capability, const std::string &remarks) {
    if (!capability.text) {
      text_.item(capability.key + remarks);
      const bool of_platform = capability.key == "admin" || capability.key == "service"; // 01 §9
      return text_.item(of_platform ? "A capability of the platform itself." : "Nobody has described this capability.",
                        2);
    }
    text_.item(capability.text->display_name + "  (" + capability.key + ")" + remarks);
    text_.paragraph(capability.text->description, 2);
    if (capability.text->consequence) text_.paragraph("Consequence: " + *capability.text->consequence, 2);
  }

  void used_contracts() {
    std::map<std::string, std::vector<std::string>> used; // contract -> lines
    std::map<std::string, bool> required;
    for (const auto &need : facts_.requested.contracts)
      if (need.contract_id != facts_.contract.id()) used[need.contract_id], required[need.contract_id] = need.required;
    for (const auto &id : facts_.unknown) // optional ones are no need as long as nobody knows them
      used[id];
    for (const auto &need : facts_.requested.surfaces)
      if (need.surface.contract_id != facts_.contract.id())
        used[need.surface.contract_id].push_back(std::string(surface_action_name(need.surface.action)) + " " +
                                                 std::string(surface_kind_name(need.surface.kind)) + " " +
                                                 need.surface.name + remark(need.required));
    text_.heading("Contracts that it uses");
    if (used.empty()) text_.item("none");
    for (const auto &[id, lines] : used) {
      text_.item(id + remark(required.contains(id) && required[id]));
      if (std::ranges::find(facts_.unknown, id) != facts_.unknown.end())
        text_.item("not known here: give it with --with FILE to see what this use asks for", 2);
      for (const auto &line : lines)
        text_.item(line, 2);
    }
  }

  void resources() {
    text_.heading("Resources that it gets");
    if (facts_.requested.resources.empty()) text_.item("none");
    for (const auto &need : facts_.requested.resources) {
      text_.item(std::string(resource_kind_name(need.kind)) + " " + need.alias + remark(need.required));
      if (const auto purpose = purpose_of(need); !purpose.empty()) text_.paragraph(purpose, 2);
      if (!need.definition.empty()) text_.paragraph(need.definition, 2);
    }
  }
  std::string purpose_of(const ResourceNeed &need) const {
    if (!model_.resources) return {};
    if (need.kind == ResourceKind::kv && model_.resources->kv)
      if (const auto *kv = find_named(*model_.resources->kv, need.alias)) return kv->purpose;
    if (need.kind == ResourceKind::store && model_.resources->store)
      if (const auto *store = find_named(*model_.resources->store, need.alias)) return store->purpose;
    return {};
  }

  void offered_surfaces() {
    text_.heading("What it offers to others");
    std::set<std::string> lines; // in a section's own order: rpc and feed have one action, others several
    bool any = false;
    for (const auto &surface : facts_.analysis.provided) {
      any = true;
      const auto line = std::string(surface_kind_name(surface.kind)) + " " + surface.name;
      if (lines.insert(line).second) text_.item(line);
    }
    if (!any) text_.item("nothing");
  }

  const Facts &facts_;
  const ManifestModel &model_;
  ReviewText text_;
};

// ------------------------------------------------------------------------------------------------------------- JSON

std::string capabilities_json(const std::vector<Capability> &capabilities, bool with_required) {
  std::string out = "[";
  for (const auto &each : capabilities) {
    JsonObjectText entry;
    entry.text("key", each.key);
    if (with_required) entry.flag("required", each.required);
    if (each.text) {
      entry.text("displayName", each.text->display_name).text("description", each.text->description);
      if (each.text->consequence) entry.text("consequence", *each.text->consequence);
      entry.text("describedBy", each.described_by);
    }
    out += (out.size() > 1 ? "," : "") + entry.str();
  }
  return out + "]";
}

std::string facts_json(const Facts &facts) {
  return JsonObjectText()
      .text("id", facts.contract.id())
      .text("digest", facts.contract.digest())
      .text("kind", kind_name(facts.contract.kind()))
      .json("capabilities", capabilities_json(facts.asked, true))
      .json("definedCapabilities", capabilities_json(facts.defined, false))
      .json("needs", needs_json(facts.requested))
      .json("providedSurfaces", surfaces_json(facts.analysis.provided))
      .texts("unknownContracts", facts.unknown)
      .str();
}

int show(const ContractOptions &options, Output &out) {
  const auto contract = read_sourced_contract(options.file, options.id);
  if (!contract) return fail_contract(out, contract.error());
  const auto surroundings = read_surroundings(options.with);
  if (!surroundings) return fail_contract(out, surroundings.error());
  const auto facts = FactsBuilder(contract->manifest, *surroundings).build();
  if (!facts) return fail_contract(out, contract->place(facts.error()));
  if (out.format() == Output::Format::json)
    print_json(out, facts_json(*facts));
  else
    out.out() << Page(*facts, out.colour()).write() << std::flush;
  return 0;
}

} // namespace

void add_needs_command(Command group) {
  const auto options = std::make_shared<ContractOptions>();
  auto command = group.command("needs", "Show what a contract asks for, as an operator will read it");
  add_contract_arguments(command, *options);
  add_with_option(command, options->with);
  command.action([options](Output &out) { return show(*options, out); });
}

} // namespace trellis::cli
