// What happens to one plugin: its file is inspected, a generation of it starts, replaces another, or is withdrawn.
#include "host_slot.h"

#include "policy/privileged_connections.h"
#include "policy/session_keys.h"
#include <algorithm>
#include <iterator>
#include <system_error>
#include <utility>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kStartRetryMin{1000}; // doubles up to start_retry_max
constexpr std::chrono::milliseconds kThreadRetry{250};    // of what the system has no thread for

bool same_files(const std::optional<ConnectionFiles> &a, const std::optional<ConnectionFiles> &b) {
  if (!a || !b) return !a && !b;
  return a->auth == b->auth && a->system == b->system && a->trellis == b->trellis && a->session_seed == b->session_seed;
}

// Why a file may run in this process, for the log.
std::string voucher(const Trust &trust) {
  return trust.signer ? "signer " + trust.signer_name + " " + trust.signer->text : trust.pinned ? "pin" : "nobody";
}

std::string signer_of(const Trust &trust) {
  return trust.signer ? trust.signer->text : std::string();
}

// What no second attempt with the same file can change.
bool is_for_ever(const Error &problem) {
  constexpr std::string_view codes[] = {"handlers_disagree", "extension_missing"};
  return std::ranges::find(codes, problem.code) != std::end(codes);
}

// A plugin's own key, or the one that the control plane was given.
Result<SessionKey> key_of(const PluginConfig &plugin, const std::filesystem::path &state_dir) {
  if (plugin.connections) return read_session_seed(plugin.connections->session_seed);
  return session_key_for(state_dir, plugin.name);
}

} // namespace

bool same_plugin(const PluginConfig &a, const PluginConfig &b) {
  const auto &feeds = a.feed_limits, &other_feeds = b.feed_limits;
  return same_files(a.connections, b.connections) && a.config_json() == b.config_json() &&
         a.limits.queue == b.limits.queue && a.limits.max_concurrency == b.limits.max_concurrency &&
         a.limits.deadline == b.limits.deadline && a.limits.max_abandoned == b.limits.max_abandoned &&
         feeds.max_streams == other_feeds.max_streams &&
         feeds.max_streams_per_caller == other_feeds.max_streams_per_caller &&
         feeds.check_interval == other_feeds.check_interval && a.isolation == b.isolation &&
         a.isolation_settings == b.isolation_settings;
}

// ------------------------------------------------------------------------------------------------------- inspection

void Host::inspect_all() {
  for (auto &[name, slot] : slots_)
    if (slot->wanted) inspect(*slot);
  publish_contracts();
}

void Host::inspect(Slot &slot) {
  if (slot.busy) {
    slot.inspect_again = true;
    return;
  }
  if (!slot.config.enabled) {
    slot.vetted.reset();
    if (slot.running) return withdraw(slot, Phase::disabled, "enabled = false");
    return enter(slot, Phase::disabled);
  }
  if (!slot.running) enter(slot, Phase::inspecting);
  slot.retry_at.reset();
  slot.retry_pause = {};
  ++inspections_;
  const auto result = std::make_shared<std::optional<Inspected>>();
  run_on(
      slot,
      [result, plugin = slot.config, rules = config_.trust, state_dir = config_.state_dir](const auto &) {
        result->emplace(Inspected{vet_plugin(plugin, rules), std::nullopt});
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
  slot.successor.reset();
  slot.successor_detail.clear();
  if (!slot.wanted) {
    retire(slot.config.name);
  } else if (result.vetted) {
    slot.vetted = std::move(*result.vetted);
    slot.config.isolation = slot.vetted->isolated ? Isolation::process : Isolation::none;
    slot.config.settings = slot.vetted->settings;
    slot.config.signer = signer_of(slot.vetted->trust);
    slot.key = std::move(result.key);
    if (slot.is_control_plane() && slot.running) report_restart_due(slot);
  } else {
    slot.vetted.reset();
    if (slot.running) slot.config.isolation = slot.running->config().isolation;
    const auto &problem = result.vetted.error();
    // A file that became bad must not take down what runs: the approved copy stays.
    if (slot.running)
      log_.error("the plugin's file is refused; the running copy stays",
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

// ------------------------------------------------------------------------------------------------------ transitions

void Host::activate(Slot &slot) {
  if (!slot.vetted || !slot.key) return;
  if (slot.is_isolated()) return start_generation(slot, {}); // its code leaves with its process
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
  start_generation(slot, std::move(code));
}

void Host::start_generation(Slot &slot, LoadedCode code) {
  const bool retried = slot.retry_pause.count() > 0; // an attempt like the last one is no news
  if (!slot.running && !retried) enter(slot, Phase::starting);
  auto fresh = std::make_shared<Generation>(parts(), slot.config, slot.vetted->artifact, slot.key->clone(),
                                            slot.bindings, std::move(code));
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
    if (replaced) slot.keep_idle(*slot.running); // two copies in turn serve any number of changes of the table
    slot.running = std::move(fresh);
    slot.retry_pause = {};
    enter(slot, Phase::running, replaced ? "replaced its predecessor" : "");
  } else if (result.error().code == "cancelled") {
    if (!slot.running) enter(slot, Phase::pending, result.error().text()); // ask_again finds out why
  } else if (slot.running) {
    log_.error("the plugin's new copy failed; the running one stays",
               {{"plugin", slot.config.name}, {"code", result.error().code}, {"detail", result.error().text()}});
  } else {
    start_failed(slot, result.error());
  }
  lift_quarantine_of_others(slot);
  report_when_settled();
}

// A copy that ran beside this one may have crashed too often: its end is none of the copy that runs.
void Host::lift_quarantine_of_others(Slot &slot) {
  if (!slot.running) return;
  const auto process = slot.running->isolation();
  if (!process || !process->ended) slot.quarantined.clear();
}

void Host::start_failed(Slot &slot, const Error &problem) {
  std::string detail = problem.code + ": " + problem.text();
  const bool passes = problem.code == "threads" || (slot.is_control_plane() && !is_for_ever(problem));
  const bool costs_a_copy = !slot.idle && slot.config.isolation != Isolation::process;
  if (passes && !costs_a_copy) {
    slot.retry_pause =
        std::min(slot.retry_pause.count() > 0 ? 2 * slot.retry_pause : kStartRetryMin, config_.start_retry_max);
    slot.retry_at = Clock::now() + slot.retry_pause;
    detail += "; it is tried again";
  }
  enter(slot, Phase::failed, detail);
}

void Host::retry_starts() {
  for (auto &[name, slot] : slots_) {
    if (!slot->retry_at || *slot->retry_at > Clock::now()) continue;
    slot->retry_at.reset();
    if (slot->busy || slot->running || !slot->wanted) continue;
    log_.write(LogLevel::debug, "starting a plugin again", {{"plugin", name}, {"after_ms", slot->retry_pause.count()}});
    activate(*slot);
  }
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
        if (const auto process = slot.running->isolation()) slot.last_crash = process->last_crash;
        slot.running.reset();
        if (!slot.wanted) return retire(slot.config.name);
        if (phase != Phase::quarantined)
          slot.quarantined.clear(); // it crashed while it was withdrawn for another reason
        enter(slot, phase, detail);
        report_when_settled();
      });
}

// Until the next reload: what crashes again and again helps nobody by being started once more.
void Host::quarantine(const std::string &name, const std::string &why) {
  const auto found = slots_.find(name);
  if (found == slots_.end() || stopping_) return;
  auto &slot = *found->second;
  slot.quarantined = why + "; `trellis host reload` starts it again";
  if (!slot.busy && slot.running) withdraw(slot, Phase::quarantined, slot.quarantined);
}

void Host::retire(const std::string &name) {
  auto &slot = *slots_.at(name);
  slot.wanted = false;
  if (slot.busy) {
    slot.request_stop();
    return;
  }
  if (slot.running) return withdraw(slot, Phase::stopping, stopping_ ? "the host stops" : "removed");
  if (!stopping_) log_.info("plugin removed", {{"plugin", name}});
  metrics_.forget(name);
  if (slot.loaded > 0) removed_[name] = slot.copies_only();
  slots_.erase(name);
}

void Host::run_on(Slot &slot, std::function<void(std::stop_token)> work, std::function<void()> done) {
  slot.busy = true;
  auto task = [this, &slot, work = std::move(work), done = std::move(done)](std::stop_token stop) {
    work(std::move(stop));
    post([this, &slot, done] {
      slot.busy = false;
      const auto name = slot.config.name;
      done(); // may remove the slot
      if (const auto still = slots_.find(name); still != slots_.end() && !still->second->busy) catch_up(*still->second);
      report_when_settled();
    });
  };
  if (begin_task(slot, task)) return;
  slot.put_off = {std::move(task), Clock::now() + kThreadRetry, slot.phase, slot.detail, false};
  if (!slot.running) return enter(slot, Phase::pending, "the system has no thread for it; it is tried again");
  log_.warn("the system has no thread for the plugin; it is tried again",
            {{"plugin", slot.config.name}, {"phase", phase_name(slot.phase)}});
}

// False when the system has no thread to give. It may have one in a moment, and the host is worth more than the plugin.
bool Host::begin_task(Slot &slot, const std::function<void(std::stop_token)> &task) {
  try {
    slot.thread = std::jthread(task);
    return true;
  } catch (const std::system_error &) {
    return false;
  }
}

void Host::retry_tasks() {
  for (auto &[name, slot] : slots_) {
    if (!slot->put_off || slot->put_off->until > Clock::now()) continue;
    slot->put_off->until = Clock::now() + kThreadRetry;
    if (!begin_task(*slot, slot->put_off->task)) continue;
    const auto begun = *std::exchange(slot->put_off, std::nullopt);
    if (begun.stop) slot->thread.request_stop();
    if (!slot->running) enter(*slot, begun.phase, begun.detail);
  }
}

// What was put off while it was busy.
void Host::catch_up(Slot &slot) {
  const bool ask_again = std::exchange(slot.ask_again, false);
  if (std::exchange(slot.inspect_again, false)) return inspect(slot);
  const auto process = slot.running ? slot.running->isolation() : std::nullopt;
  if (process && process->ended && !slot.quarantined.empty() && slot.wanted && !stopping_)
    return withdraw(slot, Phase::quarantined, slot.quarantined);
  // During an inspection of any plugin there is no need: all are asked when it is over.
  if (!ask_again || !slot.wanted || !slot.config.enabled || stopping_ || inspections_ > 0) return;
  slot.reconsider_successor();
  ask(slot);
}

void Host::enter(Slot &slot, Phase phase, const std::string &detail) {
  if (slot.phase == phase && slot.detail == detail && phase != Phase::running) return;
  slot.phase = phase;
  slot.detail = detail;
  const bool bad = phase == Phase::refused || phase == Phase::failed || phase == Phase::quarantined;
  const auto level = bad ? LogLevel::error : phase == Phase::inspecting ? LogLevel::debug : LogLevel::info;
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

} // namespace trellis::host
