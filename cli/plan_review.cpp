#include "plan_review.h"
#include "contracts/manifest.h"
#include "review_text.h"
#include <algorithm>
#include <map>
#include <rapidjson/document.h>
#include <set>

namespace trellis::cli {
namespace {

// ---------------------------------------------------------------------------------------------------------- reading

const JsonValue &empty_value() {
  static const rapidjson::Value kNull;
  return kNull;
}

template <class... Names>
const JsonValue &at(const JsonValue &value, const Names &...names) {
  const JsonValue *found = &value;
  for (const std::string_view name : {std::string_view(names)...}) {
    found = find_member(*found, name);
    if (!found) return empty_value();
  }
  return *found;
}

// The elements of an array; nothing for any other value.
struct Elements {
  const JsonValue *first = nullptr, *last = nullptr;
  explicit Elements(const JsonValue &value) {
    if (!value.IsArray()) return;
    first = value.Begin();
    last = value.End();
  }
  const JsonValue *begin() const { return first; }
  const JsonValue *end() const { return last; }
};

std::string text_at(const JsonValue &value, const char *name) {
  return std::string(string_member(value, name));
}
bool is_required(const JsonValue &need) {
  const JsonValue *required = find_member(need, "required");
  return required && required->IsBool() && required->GetBool();
}

std::string surface_key(const JsonValue &surface) {
  std::string out = text_at(surface, "kind") + " " + text_at(surface, "name");
  if (const auto action = text_at(surface, "action"); !action.empty()) out += " " + action;
  return out + " of " + text_at(surface, "contractId");
}
std::string resource_key(const JsonValue &resource) {
  return text_at(resource, "kind") + " " + text_at(resource, "alias");
}

// Everything of a Needs or DesiredState, as lines that can be compared and read.
void add_needs(std::set<std::string> &into, const JsonValue &needs) {
  for (const JsonValue &need : Elements(at(needs, "contracts")))
    into.insert("contract " + text_at(need, "contractId"));
  for (const JsonValue &need : Elements(at(needs, "surfaces")))
    into.insert(surface_key(need));
  for (const JsonValue &need : Elements(at(needs, "capabilities")))
    into.insert("capability " + (need.IsString() ? std::string(text_of(need)) : text_at(need, "capability")));
  for (const JsonValue &need : Elements(at(needs, "resources")))
    into.insert("resource " + resource_key(need));
}
std::set<std::string> state_of(const JsonValue &authority) {
  std::set<std::string> out;
  const JsonValue &desired = at(authority, "desiredState");
  add_needs(out, at(desired, "needs"));
  add_needs(out, desired);
  return out;
}

// ---------------------------------------------------------------------------------------------------------- the page

struct Words {
  std::string name, description, consequence;
};

class Page {
public:
  Page(const ReviewFacts &facts, bool colour)
      : facts_(facts), proposal_(at(facts.plan, "proposal")), summary_(at(proposal_, "summary")),
        needs_(at(proposal_, "requestedNeeds")), own_id_(text_at(proposal_, "contractId")), text_(colour) {
    add_needs(added_, at(facts.plan, "desiredChange"));
    if (const JsonValue &contract = at(proposal_, "contract"); contract.IsObject())
      if (auto manifest = Manifest::validate(contract)) contract_ = std::move(*manifest);
  }

  std::string write() {
    introduction();
    artifact();
    asked_capabilities();
    defined_capabilities();
    used_contracts();
    offered_surfaces();
    resources();
    owned_subjects();
    warnings();
    version();
    decision();
    return text_.str();
  }

private:
  void introduction() {
    const JsonValue &plan = facts_.plan;
    text_.heading("Plan " + text_at(plan, "planId"));
    text_.fact("deployment", text_at(plan, "deploymentId"));
    text_.fact("state", state());
    text_.fact("kind", is_migration() ? "migration: replaces what the deployment has" : "update: adds to what it has");
    text_.fact("recorded", text_at(plan, "createdAt"));
    if (const auto expires = text_at(plan, "expiresAt"); !expires.empty()) text_.fact("expires", expires);
    if (const auto by = text_at(summary_, "requestedById"); !by.empty())
      text_.fact("asked for by", text_at(summary_, "requestedByKind") + " " + by);

    text_.heading("What it is");
    const JsonValue &contract = at(proposal_, "contract");
    text_.fact("contract", own_id_);
    text_.fact("digest", text_at(proposal_, "contractDigest"));
    if (!contract.IsObject()) return text_.item("The plan doesn't hold the contract itself.");
    if (contract_ && contract_->digest() != text_at(proposal_, "contractDigest"))
      text_.item("ATTENTION: the contract in the plan has another digest: " + contract_->digest());
    text_.fact("name", text_at(contract, "displayName"));
    text_.fact("kind", text_at(contract, "kind"));
    text_.paragraph(text_at(contract, "description"));
  }

  // Of a plan that is bound to one file: a deployment with approve = "artifact".
  void artifact() {
    const JsonValue &artifact = at(summary_, "artifact");
    if (!artifact.IsObject()) return;
    text_.heading("The file that it is approved from");
    text_.fact("SHA-256", text_at(artifact, "sha256"));
    const auto signer = text_at(artifact, "signer");
    text_.fact("signed by", signer.empty() ? "nobody; the host pins it" : signer);
    text_.item("Another file with the same contract, or by another signer, asks again.");
    if (added_.empty() && !is_migration()) text_.item("The contract itself asks for nothing new.");
  }

  // The words for a capability: its owner's, wherever they are.
  Words words_for(const std::string &key) const {
    for (const JsonValue *list : {&at(summary_, "authorityCapabilityDefinitions"), facts_.capabilities}) {
      if (!list) continue;
      for (const JsonValue &definition : Elements(*list))
        if (text_at(definition, "key") == key && text_at(definition, "displayName") != key)
          return {text_at(definition, "displayName"), text_at(definition, "description"),
                  text_at(definition, "consequence")};
    }
    return {};
  }

  void capability(const std::string &key, const std::string &remarks) {
    const Words words = words_for(key);
    if (words.name.empty())
      text_.item(key + remarks);
    else
      text_.item(words.name + "  (" + key + ")" + remarks);
    if (words.name.empty()) text_.item("Nobody has described this capability.", 2);
    text_.paragraph(words.description, 2);
    if (!words.consequence.empty()) text_.paragraph("Consequence: " + words.consequence, 2);
  }

  void asked_capabilities() {
    text_.heading("Capabilities that it asks for");
    bool any = false;
    for (const JsonValue &need : Elements(at(needs_, "capabilities"))) {
      const auto key = text_at(need, "capability");
      capability(key, remarks("capability " + key, is_required(need)));
      any = true;
    }
    if (!any) text_.item("none");
  }

  void defined_capabilities() {
    bool any = false;
    for (const JsonValue &definition : Elements(at(summary_, "authorityCapabilityDefinitions"))) {
      if (text_at(definition, "direction") != "creates") continue;
      if (!any) text_.heading("Capabilities that it defines, for you to give to others");
      any = true;
      capability(text_at(definition, "key"), "");
    }
  }

  void used_contracts() {
    std::map<std::string, std::vector<std::string>> used; // contract -> lines
    std::map<std::string, std::string> marks;
    for (const JsonValue &need : Elements(at(needs_, "contracts"))) {
      const auto id = text_at(need, "contractId");
      if (id == own_id_) continue;
      used[id];
      marks[id] = remarks("contract " + id, is_required(need));
    }
    for (const JsonValue &need : Elements(at(needs_, "surfaces")))
      if (const auto id = text_at(need, "contractId"); id != own_id_)
        used[id].push_back(text_at(need, "action") + " " + text_at(need, "kind") + " " + text_at(need, "name") +
                           remarks(surface_key(need), is_required(need)));
    text_.heading("Contracts that it uses");
    for (const auto &[id, lines] : used) {
      text_.item(id + marks[id]);
      for (const auto &line : lines)
        text_.item(line, 2);
      if (lines.empty()) unresolved_use(id);
    }
    if (used.empty()) text_.item("none");
  }

  // A contract that nobody has seen yet is asked for as a whole; its surfaces follow in a plan of their own.
  void unresolved_use(const std::string &id) {
    if (!contract_ || !contract_->model().uses) return;
    const Uses &uses = *contract_->model().uses;
    for (const auto *part : {&uses.required, &uses.optional}) {
      if (!*part) continue;
      for (const auto &[alias, use] : **part) {
        if (use.contract != id) continue;
        text_.item("not known when this was planned; it will ask in another plan to use:", 2);
        list_names("rpc", use.rpc ? use.rpc->call : std::nullopt);
        list_names("operation", use.operations ? use.operations->call : std::nullopt);
        list_names("publish event", use.events ? use.events->publish : std::nullopt);
        list_names("subscribe event", use.events ? use.events->subscribe : std::nullopt);
        list_names("feed", use.feeds ? use.feeds->subscribe : std::nullopt);
      }
    }
  }
  void list_names(const std::string &kind, const std::optional<NameList> &names) {
    if (!names) return;
    for (const auto &name : *names)
      text_.item(kind + " " + name, 3);
  }

  void offered_surfaces() {
    std::map<std::string, std::set<std::string>> offered; // kind -> names
    for (const JsonValue &surface : Elements(at(proposal_, "providedSurfaces")))
      offered[text_at(surface, "kind")].insert(text_at(surface, "name"));
    text_.heading("What it offers to others");
    for (const auto &[kind, names] : offered) {
      std::string line = kind + ":";
      for (const auto &name : names)
        line += " " + name;
      text_.paragraph(line);
    }
    if (offered.empty()) text_.item("nothing");
  }

  void resources() {
    text_.heading("Resources that it gets");
    bool any = false;
    std::set<std::string> requested;
    for (const JsonValue &need : Elements(at(needs_, "resources"))) {
      any = true;
      requested.insert("resource " + resource_key(need));
      text_.item(resource_key(need) + remarks("resource " + resource_key(need), is_required(need)));
      if (const JsonValue &definition = at(need, "definition"); definition.IsObject())
        text_.paragraph(to_json(definition), 2);
    }
    if (!any) text_.item("none");
    if (!is_migration() || !facts_.authority) return;
    for (const auto &line : state_of(*facts_.authority))
      if (line.starts_with("resource ") && !requested.contains(line)) text_.item("DROPPED: " + line.substr(9));
  }

  void owned_subjects() {
    text_.heading("NATS subjects that it will own");
    if (!contract_) return text_.item("unknown: the plan holds no valid contract");
    const ManifestModel &model = contract_->model();
    std::set<std::string> subjects;
    if (model.rpc)
      for (const auto &[name, surface] : *model.rpc)
        subjects.insert(surface.subject);
    if (model.operations)
      for (const auto &[name, surface] : *model.operations) {
        subjects.insert(surface.subject);
        subjects.insert(surface.subject + ".control");
      }
    if (model.events)
      for (const auto &[name, surface] : *model.events)
        subjects.insert(wildcard_subject(surface.subject));
    if (model.feeds)
      for (const auto &[name, surface] : *model.feeds)
        subjects.insert(surface.subject);
    for (const auto &subject : subjects)
      text_.item(subject);
    if (subjects.empty()) text_.item("none");
  }

  void warnings() {
    const Elements warnings(at(facts_.plan, "warnings"));
    if (warnings.begin() == warnings.end()) return;
    text_.heading("Warnings");
    for (const JsonValue &warning : warnings)
      text_.paragraph(text_of(warning));
  }

  void version() {
    const auto planned = text_at(summary_, "desiredVersion");
    text_.heading("Version check");
    if (planned.empty()) return text_.item("The plan names no version of the authority: it can't be accepted.");
    if (!facts_.authority) return text_.item("made for version " + planned + " of the deployment's authority");
    const auto current = text_at(*facts_.authority, "version");
    if (current == planned) return text_.item("made for the authority as it is now (" + current + ")");
    text_.item("OUTDATED: made for version " + planned + ", but the authority is at " + current + " now.");
    text_.item("It can't be accepted any more. A service that still waits records a new plan by itself.");
  }

  void decision() {
    if (state() != "pending") {
      text_.heading("Decision");
      text_.fact(state(), text_at(facts_.plan, "decisionAt"));
      if (const auto who = text_at(at(facts_.plan, "decisionBy"), "userId"); !who.empty()) text_.fact("by", who);
      return text_.fact("reason", text_at(facts_.plan, "decisionReason"));
    }
    const auto id = text_at(facts_.plan, "planId");
    text_.heading("To decide");
    if (!is_outdated())
      text_.item("trellis plan accept " + id + (is_migration() ? " --acknowledge 'what you accept'" : ""));
    text_.item("trellis plan reject " + id + " --reason 'why'");
  }

  bool is_migration() const { return text_at(facts_.plan, "classification") == "migration"; }
  bool is_outdated() const {
    const auto planned = text_at(summary_, "desiredVersion");
    return planned.empty() || (facts_.authority && text_at(*facts_.authority, "version") != planned);
  }
  std::string state() const {
    const auto state = text_at(facts_.plan, "state");
    return state.empty() ? "pending" : state;
  }

  std::string remarks(const std::string &key, bool required) const {
    std::string out = required ? "  [required" : "  [optional";
    if (added_.contains(key)) out += ", new";
    return out + "]";
  }

  const ReviewFacts &facts_;
  const JsonValue &proposal_, &summary_, &needs_;
  const std::string own_id_;
  std::set<std::string> added_; // of desiredChange
  std::optional<Manifest> contract_;
  ReviewText text_;
};

} // namespace

std::string plan_review(const ReviewFacts &facts, bool colour) {
  return Page(facts, colour).write();
}

std::vector<std::string> authority_changes(const JsonValue &before, const JsonValue &after) {
  const auto old_lines = state_of(before), new_lines = state_of(after);
  std::vector<std::string> out;
  for (const auto &line : new_lines)
    if (!old_lines.contains(line)) out.push_back("+ " + line);
  for (const auto &line : old_lines)
    if (!new_lines.contains(line)) out.push_back("- " + line);
  return out;
}

} // namespace trellis::cli
