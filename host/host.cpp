#include "host.h"

#include "open_policy.h"
#include "privileged_connections.h"
#include "session_keys.h"
#include "wire/ulid.h"
#include <algorithm>
#include <optional>
#include <rapidjson/document.h>
#include <set>
#include <stop_token>
#include <utility>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStopGrace{5}; // beyond `drain`, for a plugin's own stop and the last replies

std::string member(const PolicyAnswer &answer, std::string_view name) {
  const auto body = parse_json(answer.body);
  return body ? std::string(string_member(*body, name)) : std::string();
}

bool same_files(const std::optional<ConnectionFiles> &a, const std::optional<ConnectionFiles> &b) {
  if (!a || !b) return !a && !b;
  return a->auth == b->auth && a->system == b->system && a->trellis == b->trellis && a->session_seed == b->session_seed;
}

bool same_plugin(const PluginConfig &a, const PluginConfig &b) {
  return same_files(a.connections, b.connections) && a.config_json == b.config_json &&
         a.limits.queue == b.limits.queue && a.limits.max_concurrency == b.limits.max_concurrency &&
         a.limits.deadline == b.limits.deadline && a.limits.max_abandoned == b.limits.max_abandoned;
}

// Why a file may run in this process, for the log.
std::string voucher(const Trust &trust) {
  return trust.signer ? "signer " + trust.signer->text : "pin";
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

// A plugin's own key, or the one that the control plane was given.
Result<SessionKey> key_of(const PluginConfig &plugin, const std::filesystem::path &state_dir) {
  if (plugin.connections) return read_session_seed(plugin.connections->session_seed);
  return session_key_for(state_dir, plugin.name);
}

} // namespace

std::string_view phase_name(Phase phase) {
  switch (phase) {
  case Phase::inspecting: return "inspecting";
  case Phase::refused: return "refused";
  case Phase::pending: return "pending";
  case Phase::starting: return "starting";
  case Phase::running: return "running";
  case Phase::stopping: return "stopping";
  case Phase::failed: return "failed";
  case Phase::disabled: return "disabled";
  }
  return "unknown";
}

struct Host::Inspected {
  Result<Vetted> vetted;
  std::optional<SessionKey> key;
};

// One configured plugin. Touched by the control thread only; `thread` works on copies.
struct Host::Slot {
  PluginConfig config;
  Phase phase = Phase::inspecting;
  std::string detail;
  std::optional<Vetted> vetted; // the file as last inspected
  std::optional<SessionKey> key;
  std::shared_ptr<Generation> running;
  std::size_t loaded = 0; // copies of its code in this process
  // The copy of that file whose instance has ended: the next instance of the same file is made in it. Loading the same
  // sealed copy twice would give the same code anyway, globals and all.
  struct Idle {
    std::string sha256;
    LoadedCode code;
  };
  std::optional<Idle> idle;
  std::shared_ptr<const Artifact> loaded_from; // the last one that a copy was loaded from
  bool wanted = true;                          // false: to be removed when it has stopped
  std::jthread thread;
  bool busy = false;       // `thread` has work
  bool look_again = false; // something changed while it was busy
  // Since trellis.toml was read last: an instance that is removed at the control plane stays removed until then.
  bool enrolled = false;

  bool is_control_plane() const { return config.role == PluginRole::control_plane; }
  void keep_idle(const Generation &ended) {
    if (auto code = ended.idle_code(); code.entry) idle = Idle{ended.artifact().sha256_hex(), std::move(code)};
  }
  // Of what runs, else of the file; nullptr while neither is there.
  const Manifest *manifest() const {
    return running ? &running->manifest() : vetted ? &vetted->artifact->manifest() : nullptr;
  }
};

Result<std::unique_ptr<Host>> Host::open(Config config, const Log &log) {
  if (auto ready = make_private_folder(config.state_dir); !ready) return tl::make_unexpected(ready.error());
  auto policy = open_policy(config);
  if (!policy) return tl::make_unexpected(policy.error());
  auto loop = NatsLoop::start();
  if (!loop) return tl::make_unexpected(loop.error());
  std::unique_ptr<Host> host(new Host(std::move(config), log, std::move(*loop), std::move(*policy)));
  return host;
}

Host::Host(Config config, const Log &log, std::unique_ptr<NatsLoop> loop, std::unique_ptr<Policy> outside)
    : config_(std::move(config)), log_(log), loop_(std::move(loop)),
      control_plane_([] { return unix_ms_now() / 1000; }), outside_(std::move(outside)),
      policy_(outside_ ? *outside_ : control_plane_) {}

Host::~Host() = default;

HostParts Host::parts() {
  const auto on_denied = [this](const std::string &plugin) { post([this, plugin] { denied(plugin); }); };
  return {log_, *loop_, policy_, contracts_, config_, control_plane_, on_denied};
}

void Host::post(std::function<void()> message) {
  {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  arrived_.notify_one();
}

void Host::request_reload(ReloadDone done) {
  post([this, done = std::move(done)]() mutable { reload(std::move(done)); });
}

void Host::request_status(std::function<void(const HostStatus &)> done) {
  post([this, done = std::move(done)] { done(status()); });
}

void Host::request_stop() {
  post([this] { stop_all(); });
}

bool Host::run() {
  policy_.on_change([this] { post([this] { ask_all(); }); });
  post([this] { apply(config_.plugins); });
  while (!(stopping_ && slots_.empty())) {
    if (stopping_) stop_control_plane();
    std::unique_lock lock(mutex_);
    const auto some = [this] { return !messages_.empty(); };
    if (!stopping_) {
      arrived_.wait(lock, some);
    } else if (!arrived_.wait_until(lock, stop_deadline_, some)) {
      report_hung();
      return false;
    }
    const auto message = std::move(messages_.front());
    messages_.pop_front();
    lock.unlock();
    message();
  }
  policy_.on_change({});
  log_.info("host stopped", {{"left_behind", left_behind_.size()}});
  return left_behind_.empty();
}

// A plugin that never comes back from create, start or stop must not keep the process for ever.
void Host::report_hung() const {
  for (const auto &[name, slot] : slots_)
    log_.error("the plugin doesn't come back; ending without it",
               {{"plugin", name}, {"phase", phase_name(slot->phase)}, {"detail", slot->detail}});
}

// ---------------------------------------------------------------------------------------------------------- wanted

void Host::reload(ReloadDone done) {
  if (stopping_) {
    if (done) done(fail("stopping", config_.name, "the host is stopping"));
    return;
  }
  auto fresh = read_again();
  if (!fresh) {
    log_.error("reload refused; everything stays as it was", {{"detail", fresh.error().text()}});
    if (done) done(tl::make_unexpected(fresh.error()));
    return;
  }
  config_.trusted_signers = fresh->trusted_signers;
  config_.max_generations = fresh->max_generations;
  config_.drain = fresh->drain;
  rotate_all_ = true; // what is accepted decides what `uses` grant
  if (done) reloads_.push_back(std::move(done));
  log_.info("reloading", {{"plugins", fresh->plugins.size()}});
  apply(std::move(fresh->plugins));
}

// trellis.toml and the policy, when both are good.
Result<Config> Host::read_again() {
  auto fresh = load_config(config_.file);
  if (!fresh) return fresh;
  if (auto unmoved = check_unmoved(*fresh); !unmoved) return tl::make_unexpected(unmoved.error());
  if (auto read = policy_.reload(); !read) return tl::make_unexpected(read.error());
  if (fresh->state_dir != config_.state_dir || fresh->nats_servers != config_.nats_servers ||
      fresh->policy.mode != config_.policy.mode || fresh->policy.file != config_.policy.file ||
      fresh->policy.url != config_.policy.url || fresh->name != config_.name)
    log_.warn("changes of [host] name, state_dir, [nats] and [policy] need a restart", {});
  return fresh;
}

// A control plane that runs stays where it is for the life of the process: everybody's authority hangs on it.
Result<void> Host::check_unmoved(const Config &fresh) const {
  const auto *wanted = fresh.control_plane();
  for (const auto &[name, slot] : slots_) {
    if (!slot->running && !slot->busy) continue;
    const bool is_wanted = wanted && wanted->name == name && wanted->enabled;
    if (slot->is_control_plane() && !is_wanted)
      return fail("control_plane_moved", fresh.file.string(),
                  "plugins." + name + " is the running control plane and can't be removed, disabled or renamed",
                  "a restart");
    if (!slot->is_control_plane() && is_wanted)
      return fail("control_plane_moved", fresh.file.string(),
                  "plugins." + name + " runs as a service and can't become the control plane", "a restart");
  }
  return {};
}

void Host::apply(std::vector<PluginConfig> wanted) {
  if (stopping_) return;
  settled_ = false;
  std::set<std::string> names;
  for (auto &plugin : wanted) {
    names.insert(plugin.name);
    auto &slot = slots_[plugin.name];
    if (!slot) slot = std::make_unique<Slot>();
    slot->wanted = true;
    slot->enrolled = false;
    slot->config = std::move(plugin);
  }
  std::vector<std::string> gone;
  for (const auto &[name, slot] : slots_)
    if (!names.contains(name)) gone.push_back(name);
  for (const auto &name : gone)
    retire(name);
  inspect_all();
}

void Host::retire(const std::string &name) {
  auto &slot = *slots_.at(name);
  slot.wanted = false;
  if (slot.busy) {
    slot.thread.request_stop();
    return;
  }
  if (slot.running) return withdraw(slot, Phase::stopping, stopping_ ? "the host stops" : "removed");
  if (!stopping_) log_.info("plugin removed", {{"plugin", name}});
  slots_.erase(name);
}

// ------------------------------------------------------------------------------------------------------- inspection

void Host::inspect_all() {
  for (auto &[name, slot] : slots_)
    if (slot->wanted) inspect(*slot);
  publish_contracts();
}

void Host::inspect(Slot &slot) {
  if (slot.busy) {
    slot.look_again = true;
    return;
  }
  if (!slot.config.enabled) {
    slot.vetted.reset();
    if (slot.running) return withdraw(slot, Phase::disabled, "enabled = false");
    return enter(slot, Phase::disabled);
  }
  if (!slot.running) enter(slot, Phase::inspecting);
  ++inspections_;
  const auto result = std::make_shared<std::optional<Inspected>>();
  run_on(
      slot,
      [result, plugin = slot.config, signers = config_.trusted_signers, state_dir = config_.state_dir](const auto &) {
        result->emplace(Inspected{vet_plugin(plugin, signers), std::nullopt});
        if (!(*result)->vetted) return;
        auto key = key_of(plugin, state_dir);
        if (key)
          (*result)->key = std::move(*key);
        else
          (*result)->vetted = tl::make_unexpected(key.error());
      },
      [this, &slot, result] { inspected(slot, std::move(**result)); });
}

void Host::inspected(Slot &slot, Inspected result) {
  --inspections_;
  if (!slot.wanted) {
    retire(slot.config.name);
  } else if (result.vetted) {
    slot.vetted = std::move(*result.vetted);
    slot.key = std::move(result.key);
    if (slot.is_control_plane() && slot.running) report_restart_due(slot);
  } else {
    slot.vetted.reset();
    const auto &problem = result.vetted.error();
    // A file that became bad must not take down what runs: the approved copy stays.
    if (slot.running)
      log_.error("the plugin's new file is refused; the running copy stays",
                 {{"plugin", slot.config.name}, {"code", problem.code}, {"detail", problem.text()}});
    else
      enter(slot, Phase::refused, problem.code + ": " + problem.text());
  }
  publish_contracts();
}

// The control plane isn't replaced: a changed file waits for a restart.
void Host::report_restart_due(const Slot &slot) const {
  const bool same_file = slot.running->artifact().sha256_hex() == slot.vetted->artifact->sha256_hex();
  if (same_file && same_plugin(slot.running->config(), slot.config)) return;
  log_.warn("the control plane has changed; a restart is due",
            {{"plugin", slot.config.name}, {"changed", same_file ? "trellis.toml" : "the plugin file"}});
}

// Once every file has been read: what is known to all, then the questions.
void Host::publish_contracts() {
  if (inspections_ > 0) return;
  ContractDirectory::Contracts known;
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

// ----------------------------------------------------------------------------------------------------------- policy

void Host::ask_all() {
  if (stopping_ || inspections_ > 0) return;
  for (auto &[name, slot] : slots_)
    if (slot->wanted && slot->config.enabled) ask(*slot);
  report_when_settled();
}

void Host::ask(Slot &slot) {
  if (slot.busy) {
    slot.look_again = true;
    return;
  }
  const Manifest *manifest = slot.vetted ? &slot.vetted->artifact->manifest() : nullptr;
  if (!manifest && slot.running) manifest = &slot.running->manifest();
  if (!manifest || !slot.key) return;
  if (slot.is_control_plane()) return ask_control_plane(slot);
  if (slot.enrolled) return bootstrap(slot, *manifest);
  enroll_then_bootstrap(slot, *manifest);
}

// It is under no policy: an inspected file runs.
void Host::ask_control_plane(Slot &slot) {
  if (!slot.running && slot.phase == Phase::inspecting) activate(slot);
}

void Host::enroll_then_bootstrap(Slot &slot, const Manifest &manifest) {
  ++questions_;
  policy_.enroll(slot.config.deployment, slot.key->text(),
                 [this, name = slot.config.name, manifest](const PolicyAnswer &answer) {
                   post([this, name, manifest, answer] {
                     --questions_;
                     const auto found = slots_.find(name);
                     if (found == slots_.end() || !found->second->key) return;
                     auto &asked = *found->second;
                     if (answer.status != 200) return answered(asked, answer);
                     asked.enrolled = true;
                     bootstrap(asked, manifest);
                   });
                 });
}

void Host::bootstrap(Slot &slot, const Manifest &manifest) {
  ++questions_;
  policy_.bootstrap(bootstrap_request(*slot.key, manifest, true, policy_.now()),
                    [this, name = slot.config.name](const PolicyAnswer &answer) {
                      post([this, name, answer] {
                        --questions_;
                        const auto found = slots_.find(name);
                        if (found != slots_.end()) answered(*found->second, answer);
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
  const auto *manifest = slot.vetted ? &slot.vetted->artifact->manifest() : slot.manifest();
  if (manifest) bootstrap(slot, *manifest);
}

void Host::answered(Slot &slot, const PolicyAnswer &answer) {
  if (!slot.wanted || stopping_) return;
  if (slot.busy) {
    slot.look_again = true;
    // What waits for a connection that policy no longer grants would wait for ever.
    if (answer.decided() && answer.status != 200) slot.thread.request_stop();
    return;
  }
  if (!answer.decided()) return undecided(slot, member(answer, "reason") + ": " + member(answer, "message"));
  if (answer.status == 200) {
    const bool up_to_date =
        slot.running && (!slot.vetted || slot.running->artifact().sha256_hex() == slot.vetted->artifact->sha256_hex());
    if (!up_to_date || !same_plugin(slot.running->config(), slot.config)) return activate(slot);
    if (slot.phase != Phase::running) enter(slot, Phase::running);
    return report_when_settled();
  }
  const auto phase = answer.status == 202 ? Phase::pending : Phase::refused;
  const auto detail = member(answer, "reason") + ": " + member(answer, "message");
  const bool about_successor =
      slot.running && slot.vetted && slot.running->manifest().digest() != slot.vetted->artifact->manifest().digest();
  if (!slot.running) {
    enter(slot, phase, detail);
  } else if (about_successor) {
    log_.warn(
        "the plugin's new version isn't approved; the running one stays",
        {{"plugin", slot.config.name}, {"digest", slot.vetted->artifact->manifest().digest()}, {"detail", detail}});
    slot.vetted.reset(); // what runs is asked about from now on, until the next reload
    return ask(slot);
  } else {
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

// ------------------------------------------------------------------------------------------------------ transitions

void Host::activate(Slot &slot) {
  if (!slot.vetted || !slot.key) return;
  LoadedCode code;
  if (slot.idle && slot.idle->sha256 == slot.vetted->artifact->sha256_hex()) code = std::move(slot.idle->code);
  slot.idle.reset();
  if (!code.entry && slot.loaded_from == slot.vetted->artifact) return inspect(slot); // for a copy of its own
  if (!code.entry && slot.loaded >= config_.max_generations) {
    const auto detail = "this process has loaded " + std::to_string(slot.loaded) +
                        " copies of the plugin (max_generations); restart the host to run the new one";
    log_.error("reload needs a restart", {{"plugin", slot.config.name}, {"detail", detail}});
    if (!slot.running) enter(slot, Phase::failed, detail);
    return report_when_settled();
  }
  if (!code.entry) {
    ++slot.loaded;
    slot.loaded_from = slot.vetted->artifact;
  }
  if (!slot.running) enter(slot, Phase::starting);
  auto fresh = std::make_shared<Generation>(parts(), slot.config, slot.vetted->artifact, slot.key->clone(), code);
  const auto result = std::make_shared<Result<void>>();
  const auto left = std::make_shared<bool>(false);
  run_on(
      slot,
      [fresh, result, left, old = slot.running, drain = config_.drain](const std::stop_token &stop) {
        *result = fresh->start(stop);
        if (*result && old) *left = !old->stop(Clock::now() + drain);
      },
      [this, &slot, fresh, result, left] {
        if (*left) left_behind_.push_back(slot.running);
        activated(slot, fresh, *result);
      });
}

void Host::activated(Slot &slot, std::shared_ptr<Generation> fresh, const Result<void> &result) {
  if (!result && fresh->left_behind()) left_behind_.push_back(fresh);
  if (!result) slot.keep_idle(*fresh);
  if (!slot.wanted) {
    if (result) slot.running = std::move(fresh);
    return retire(slot.config.name);
  }
  if (result) {
    const bool replaced = slot.running != nullptr;
    slot.running = std::move(fresh);
    enter(slot, Phase::running, replaced ? "replaced its predecessor" : "");
  } else if (result.error().code == "cancelled") {
    if (!slot.running) enter(slot, Phase::pending, result.error().text()); // look_again asks why
  } else if (slot.running) {
    log_.error("the plugin's new copy failed; the running one stays",
               {{"plugin", slot.config.name}, {"code", result.error().code}, {"detail", result.error().text()}});
  } else {
    enter(slot, Phase::failed, result.error().code + ": " + result.error().text());
  }
  report_when_settled();
}

void Host::withdraw(Slot &slot, Phase phase, const std::string &detail) {
  enter(slot, Phase::stopping, detail);
  const auto clean = std::make_shared<bool>(true);
  run_on(
      slot,
      [clean, old = slot.running, drain = config_.drain](const auto &) { *clean = old->stop(Clock::now() + drain); },
      [this, &slot, clean, phase, detail] {
        if (!*clean) left_behind_.push_back(slot.running);
        slot.keep_idle(*slot.running);
        slot.running.reset();
        if (!slot.wanted) return retire(slot.config.name);
        enter(slot, phase, detail);
        report_when_settled();
      });
}

void Host::run_on(Slot &slot, std::function<void(std::stop_token)> work, std::function<void()> done) {
  slot.busy = true;
  slot.thread = std::jthread([this, &slot, work = std::move(work), done = std::move(done)](std::stop_token stop) {
    work(std::move(stop));
    post([this, &slot, done] {
      slot.busy = false;
      const auto name = slot.config.name;
      done(); // may remove the slot
      const auto still = slots_.find(name);
      if (still != slots_.end() && !still->second->busy && std::exchange(still->second->look_again, false))
        inspect(*still->second);
      report_when_settled();
    });
  });
}

// ------------------------------------------------------------------------------------------------- states and the end

void Host::enter(Slot &slot, Phase phase, const std::string &detail) {
  if (slot.phase == phase && slot.detail == detail && phase != Phase::running) return;
  slot.phase = phase;
  slot.detail = detail;
  const auto level = phase == Phase::refused || phase == Phase::failed ? LogLevel::error
                     : phase == Phase::inspecting                      ? LogLevel::debug
                                                                       : LogLevel::info;
  const Manifest *manifest = slot.vetted    ? &slot.vetted->artifact->manifest()
                             : slot.running ? &slot.running->manifest()
                                            : nullptr;
  const std::string message = "plugin " + std::string(phase_name(phase));
  if (manifest)
    log_.write(level, message,
               {{"plugin", slot.config.name},
                {"contract", manifest->id()},
                {"digest", manifest->digest()},
                {"vouched_by", slot.vetted ? voucher(slot.vetted->trust) : std::string()},
                {"session_key", slot.key ? std::string_view(slot.key->text()) : std::string_view{}},
                {"detail", detail}});
  else
    log_.write(level, message, {{"plugin", slot.config.name}, {"detail", detail}});
}

void Host::report_when_settled() {
  if (settled_ || stopping_ || inspections_ > 0 || questions_ > 0) return;
  std::size_t running = 0, waiting = 0;
  for (const auto &[name, slot] : slots_) {
    const bool under_way = slot->busy || slot->phase == Phase::inspecting || slot->phase == Phase::starting;
    if (under_way && slot->config.enabled) return;
    running += slot->phase == Phase::running ? 1U : 0U;
    waiting += slot->phase == Phase::pending ? 1U : 0U;
  }
  settled_ = true;
  log_.info("host ready", {{"plugins", slots_.size()}, {"running", running}, {"pending", waiting}});
  for (const auto &done : std::exchange(reloads_, {}))
    done({});
}

HostStatus Host::status() const {
  const auto is_busy = [](const auto &entry) { return entry.second->busy; };
  HostStatus out{config_.name, questions_ == 0 && std::ranges::none_of(slots_, is_busy), {}};
  for (const auto &[name, slot] : slots_) {
    PluginStatus plugin{name,         slot->config.role, slot->config.deployment, slot->phase, slot->detail, {}, {}, {},
                        slot->loaded, std::nullopt};
    if (const auto *manifest = slot->manifest()) {
      plugin.contract_id = manifest->id();
      plugin.contract_digest = manifest->digest();
    }
    if (slot->key) plugin.session_key = slot->key->text();
    if (slot->running) plugin.counts = slot->running->counts();
    out.plugins.push_back(std::move(plugin));
  }
  return out;
}

void Host::stop_all() {
  if (std::exchange(stopping_, true)) return;
  stop_deadline_ = Clock::now() + config_.drain + kStopGrace;
  log_.info("stopping", {{"plugins", slots_.size()}});
  std::vector<std::string> names;
  for (const auto &[name, slot] : slots_)
    if (!slot->is_control_plane()) names.push_back(name);
  for (const auto &name : names)
    retire(name);
  for (const auto &done : std::exchange(reloads_, {}))
    done(fail("stopping", config_.name, "the host is stopping"));
}

// When it is alone: requests that others drain still have to be validated.
void Host::stop_control_plane() {
  if (slots_.size() != 1) return;
  const auto &[name, slot] = *slots_.begin();
  if (!slot->is_control_plane() || !slot->wanted) return;
  stop_deadline_ = Clock::now() + config_.drain + kStopGrace;
  retire(std::string(name));
}

} // namespace trellis::host
