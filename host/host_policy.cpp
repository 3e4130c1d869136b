// The rounds of questions: once every file has been read, its contract becomes known, policy is asked about each
// plugin, and the answers decide what runs.
#include "host_slot.h"

#include "contracts/health_contract.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <utility>

namespace trellis::host {
namespace {

constexpr char kReconciling[] = "authority_reconciliation_pending"; // 04 §7: accepted, and about to be granted

std::string member(const PolicyAnswer &answer, std::string_view name) {
  const auto body = parse_json(answer.body);
  return body ? std::string(string_member(*body, name)) : std::string();
}

// What policy bound: `binding.resources` of its answer, JSON.
std::string bindings_of(const PolicyAnswer &answer) {
  const auto body = parse_json(answer.body);
  const auto *binding = body ? find_member(*body, "binding") : nullptr;
  const auto *resources = binding ? find_member(*binding, "resources") : nullptr;
  return resources ? to_json(*resources) : std::string();
}

template <class Fn>
void each_used_contract(const Manifest &manifest, Fn fn) {
  const auto &uses = manifest.model().uses;
  if (!uses) return;
  for (const auto *group : {&uses->required, &uses->optional})
    if (*group)
      for (const auto &[alias, use] : **group)
        fn(use.contract);
}

} // namespace

// -------------------------------------------------------------------------------------------------------- contracts

// Once every file has been read: what is known to all, then the questions.
void Host::publish_contracts() {
  if (inspections_ > 0) return;
  ContractDirectory::Contracts known{{health_contract().id(), health_contract()}};
  std::vector<Manifest> manifests;
  const auto add = [&](Slot &slot, const Manifest &manifest) {
    const auto [entry, fresh] = known.try_emplace(manifest.id(), manifest);
    if (fresh) manifests.push_back(manifest);
    if (!fresh && entry->second.digest() != manifest.digest() && slot.vetted && !slot.running) {
      slot.vetted.reset();
      enter(slot, Phase::refused, "another plugin serves another version of " + manifest.id());
    }
  };
  for (const auto &[name, slot] : slots_) {
    // Not for policy: it knows them better, or has none.
    const auto *artifact = slot->running  ? &slot->running->artifact()
                           : slot->vetted ? slot->vetted->artifact.get()
                                          : nullptr;
    if (slot->is_control_plane() && artifact)
      for (const auto &manifest : artifact->manifests())
        known.insert_or_assign(manifest.id(), manifest);
  }
  for (auto &[name, slot] : slots_)
    if (slot->vetted && slot->wanted && !slot->is_control_plane()) add(*slot, slot->vetted->artifact->manifest());
  for (auto &[name, slot] : slots_)
    if (slot->running && !slot->vetted && !slot->is_control_plane()) add(*slot, slot->running->manifest());

  std::vector<std::string> changed;
  const auto before = contracts_.snapshot();
  for (const auto &[id, manifest] : known)
    if (const auto old = before->find(id); old == before->end() || old->second.digest() != manifest.digest())
      changed.push_back(id);
  contracts_.replace(std::move(known));
  policy_.set_known_contracts(std::move(manifests));
  rotate_dependents(changed);
  ask_all();
}

// A connection's permissions are made when it connects: those that use a changed contract connect again.
void Host::rotate_dependents(const std::vector<std::string> &changed) {
  const bool all = std::exchange(rotate_all_, false);
  for (auto &[name, slot] : slots_) {
    if (!slot->running) continue;
    bool depends = false;
    each_used_contract(slot->running->manifest(), [&](const std::string &id) {
      depends = depends || all || std::find(changed.begin(), changed.end(), id) != changed.end();
    });
    if (depends) slot->running->rotate();
  }
}

// -------------------------------------------------------------------------------------------------------- questions

void Host::policy_changed() {
  for (auto &[name, slot] : slots_)
    if (!slot->busy) slot->reconsider_successor();
  ask_all();
}

void Host::ask_all() {
  if (stopping_ || inspections_ > 0) return;
  for (auto &[name, slot] : slots_)
    if (slot->wanted && slot->config.enabled) ask(*slot);
  report_when_settled();
}

void Host::ask(Slot &slot) {
  if (slot.busy) {
    slot.ask_again = true;
    return;
  }
  if (!slot.quarantined.empty()) return;
  slot.ask_again = false;
  if (!slot.artifact() || !slot.key) return;
  if (slot.is_control_plane()) return ask_control_plane(slot);
  if (slot.enrolled) return bootstrap(slot);
  enroll_then_bootstrap(slot);
}

// It is under no policy: an inspected file runs.
void Host::ask_control_plane(Slot &slot) {
  if (!slot.running && slot.phase == Phase::inspecting) activate(slot);
}

void Host::enroll_then_bootstrap(Slot &slot) {
  ++questions_;
  policy_.enroll(slot.config.deployment, slot.key->text(), [this, name = slot.config.name](const PolicyAnswer &answer) {
    post([this, name, answer] {
      --questions_;
      const auto found = slots_.find(name);
      if (found == slots_.end()) return;
      auto &asked = *found->second;
      if (answer.status != 200) return answered(asked, answer);
      asked.enrolled = true;
      bootstrap(asked);
    });
  });
}

void Host::bootstrap(Slot &slot) {
  const auto *artifact = slot.artifact();
  if (!artifact || !slot.key) return;
  ++questions_;
  const auto &config = slot.vetted ? slot.config : slot.running->config();
  policy_.bootstrap(bootstrap_request(*slot.key, artifact->manifest(), true, policy_.now()),
                    {artifact->sha256_hex(), config.signer, config.approve == Approval::artifact},
                    [this, name = slot.config.name, asked = artifact->sha256_hex()](const PolicyAnswer &answer) {
                      post([this, name, asked, answer] {
                        --questions_;
                        const auto found = slots_.find(name);
                        if (found == slots_.end()) return;
                        auto &about = *found->second;
                        // A leave for one file is none for the file that has come meanwhile.
                        if (about.artifact() && about.artifact()->sha256_hex() != asked) return ask(about);
                        answered(about, answer);
                      });
                    });
}

// A server refused the plugin's credentials. The answer brings new ones, for a plugin that is still starting too; a
// refusal ends it.
void Host::denied(const std::string &name) {
  const auto found = slots_.find(name);
  if (found == slots_.end() || stopping_ || !found->second->key) return;
  auto &slot = *found->second;
  if (!slot.busy) return ask(slot);
  bootstrap(slot);
}

// ---------------------------------------------------------------------------------------------------------- answers

// Whether policy decides on what is to run apart from what runs: another file, or the same one with another signer
// where files are approved.
bool Host::is_approved_apart(const Slot &slot) {
  const auto &running = *slot.running;
  if (running.artifact().sha256_hex() != slot.vetted->artifact->sha256_hex()) return true;
  return slot.config.approve == Approval::artifact && running.config().signer != slot.config.signer;
}

void Host::answered(Slot &slot, const PolicyAnswer &answer) {
  if (!slot.wanted || stopping_) return;
  if (slot.busy) {
    slot.ask_again = true;
    // What waits for a connection that policy no longer grants would wait for ever.
    if (answer.decided() && answer.status != 200) slot.request_stop();
    return;
  }
  if (!slot.quarantined.empty()) return report_when_settled(); // asked before it crashed once too often
  if (!answer.decided()) return undecided(slot, member(answer, "reason") + ": " + member(answer, "message"));
  if (answer.status == 200) {
    const bool up_to_date =
        slot.running && (!slot.vetted || slot.running->artifact().sha256_hex() == slot.vetted->artifact->sha256_hex());
    slot.bindings = bindings_of(answer);
    const bool reconfigured =
        slot.running && slot.vetted &&
        (!same_plugin(slot.running->config(), slot.config) || slot.running->bindings() != slot.bindings);
    if (!up_to_date || reconfigured) return activate(slot);
    if (slot.phase != Phase::running) enter(slot, Phase::running);
    return report_when_settled();
  }
  const auto phase = answer.status == 202 ? Phase::pending : Phase::refused;
  const auto reason = member(answer, "reason"), detail = reason + ": " + member(answer, "message");
  // In a moment there is another answer; connections keep what they have meanwhile (02 §6).
  if (slot.running && reason == kReconciling) return undecided(slot, detail);
  const bool about_successor = slot.running && slot.vetted && is_approved_apart(slot);
  if (!slot.running) {
    enter(slot, phase, detail);
  } else if (about_successor) {
    if (std::exchange(slot.successor_detail, detail) != detail)
      log_.warn(
          "the plugin's new version isn't approved; the running one stays",
          {{"plugin", slot.config.name}, {"digest", slot.vetted->artifact->manifest().digest()}, {"detail", detail}});
    slot.successor = std::exchange(slot.vetted, std::nullopt);
    return ask(slot); // about what runs
  } else {
    slot.reconsider_successor(); // when what ran is gone, it is what there is
    return withdraw(slot, phase, detail);
  }
  report_when_settled();
}

// Nobody could be asked: no reason to end what runs.
void Host::undecided(Slot &slot, const std::string &detail) {
  if (slot.running)
    log_.warn("policy can't be asked; the plugin keeps running", {{"plugin", slot.config.name}, {"detail", detail}});
  else
    enter(slot, Phase::pending, detail);
  report_when_settled();
}

} // namespace trellis::host
