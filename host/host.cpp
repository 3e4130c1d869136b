// The life of a host: start, messages, trellis.toml read again, status, stop.
#include "host.h"

#include "host_slot.h"
#include "open_policy.h"
#include "plugin_gauges.h"
#include "policy/session_keys.h"
#include "wire/ulid.h"
#include <algorithm>
#include <malloc.h>
#include <set>
#include <utility>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kGiveBackEvery{60};
constexpr std::chrono::seconds kStopGrace{5}; // beyond `drain`, for a plugin's own stop and the last replies

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
  case Phase::quarantined: return "quarantined";
  }
  return "unknown";
}

Result<std::unique_ptr<Host>> Host::open(Config config, const Log &log) {
  if (auto ready = make_private_folder(config.state_dir); !ready) return tl::make_unexpected(ready.error());
  auto lock = StateLock::take(config.state_dir);
  if (!lock) return tl::make_unexpected(lock.error());
  auto policy = open_policy(config);
  if (!policy) return tl::make_unexpected(policy.error());
  auto loop = NatsLoop::start();
  if (!loop) return tl::make_unexpected(loop.error());
  std::unique_ptr<Host> host(new Host(std::move(config), log, std::move(*lock), std::move(*loop), std::move(*policy)));
  return host;
}

Host::Host(Config config, const Log &log, StateLock lock, std::unique_ptr<NatsLoop> loop,
           std::unique_ptr<Policy> outside)
    : config_(std::move(config)), log_(log), lock_(std::move(lock)), loop_(std::move(loop)),
      control_plane_([] { return unix_ms_now() / 1000; }), outside_(std::move(outside)),
      policy_(outside_ ? *outside_ : control_plane_), metrics_(config_.name) {}

Host::~Host() = default;

HostParts Host::parts() {
  const auto on_denied = [this](const std::string &plugin) { post([this, plugin] { denied(plugin); }); };
  const auto on_quarantined = [this](const std::string &plugin, const std::string &why) {
    post([this, plugin, why] { quarantine(plugin, why); });
  };
  return {log_, *loop_, policy_, contracts_, config_, control_plane_, metrics_, on_denied, on_quarantined};
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

void Host::request_metrics(std::function<void(const std::vector<MetricFamily> &)> done) {
  post([this, done = std::move(done)] { done(sample_metrics()); });
}

void Host::request_stop() {
  post([this] { stop_all(); });
}

bool Host::run() {
  policy_.on_change([this] { post([this] { policy_changed(); }); });
  post([this] { apply(config_.plugins); });
  while (!(stopping_ && slots_.empty())) {
    if (stopping_) stop_control_plane();
    give_memory_back();
    std::unique_lock lock(mutex_);
    const auto some = [this] { return !messages_.empty(); };
    if (!arrived_.wait_until(lock, next_wake(), some)) {
      if (stopping_ && Clock::now() >= stop_deadline_) {
        report_hung();
        return false;
      }
      lock.unlock();
      retry_tasks();
      if (!stopping_) retry_starts();
      continue;
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

// When there is something to do without a message.
Clock::time_point Host::next_wake() const {
  auto first = stopping_ ? stop_deadline_ : give_back_at_;
  for (const auto &[name, slot] : slots_) {
    if (slot->retry_at && !stopping_) first = std::min(first, *slot->retry_at);
    if (slot->put_off) first = std::min(first, slot->put_off->until);
  }
  return first;
}

// Generations and connections that ended leave free pages in the allocator, which it keeps: a host with short JWTs and
// many reloads would grow for hours before it settles. It takes 0.5 ms for 10 MiB full of holes, 4 ms for 50.
void Host::give_memory_back() {
  if (Clock::now() < give_back_at_) return;
  ::malloc_trim(0);
  give_back_at_ = Clock::now() + kGiveBackEvery;
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
  progress_(Progress::reloading, {});
  auto fresh = read_again();
  if (!fresh) {
    log_.error("reload refused; everything stays as it was", {{"detail", fresh.error().text()}});
    if (settled_) progress_(Progress::ready, "reload refused: " + fresh.error().text());
    if (done) done(tl::make_unexpected(fresh.error()));
    return;
  }
  config_.trust = fresh->trust;
  config_.max_generations = fresh->max_generations;
  config_.drain = fresh->drain;
  config_.start_retry_max = fresh->start_retry_max;
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
  std::string ignored;
  for (const auto &key : needs_restart(config_, *fresh))
    ignored += (ignored.empty() ? "" : ", ") + key;
  if (!ignored.empty()) log_.warn("keys have changed that are read at start only", {{"keys", ignored}});
  return fresh;
}

std::vector<std::string> needs_restart(const Config &running, const Config &wanted) {
  std::vector<std::string> keys;
  const auto compare = [&](const char *key, auto member) {
    if (running.*member != wanted.*member) keys.emplace_back(key);
  };
  const auto compare_policy = [&](const char *key, auto member) {
    if (running.policy.*member != wanted.policy.*member) keys.emplace_back(key);
  };
  compare("host.name", &Config::name);
  compare("host.state_dir", &Config::state_dir);
  compare("host.log", &Config::log_format);
  compare("host.log_level", &Config::log_level);
  compare("host.connect_retry_max_ms", &Config::connect_retry_max);
  compare("host.health_interval_ms", &Config::health_interval);
  compare("host.isolation_uid_base", &Config::isolation_uid_base);
  compare("host.control_connections_max", &Config::control_connections_max);
  compare("host.control_timeout_ms", &Config::control_timeout);
  compare("nats.servers", &Config::nats_servers);
  compare_policy("policy.mode", &PolicyConfig::mode);
  compare_policy("policy.file", &PolicyConfig::file);
  compare_policy("policy.url", &PolicyConfig::url);
  compare_policy("policy.jwt_life_s", &PolicyConfig::remote_jwt_life);
  return keys;
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
    if (!slot)
      slot =
          removed_.contains(plugin.name) ? std::move(removed_.extract(plugin.name).mapped()) : std::make_unique<Slot>();
    slot->wanted = true;
    slot->enrolled = false;
    slot->quarantined.clear();
    slot->config = std::move(plugin);
  }
  std::vector<std::string> gone;
  for (const auto &[name, slot] : slots_)
    if (!names.contains(name)) gone.push_back(name);
  for (const auto &name : gone)
    retire(name);
  inspect_all();
}

// --------------------------------------------------------------------------------------------- being told, and the end

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
  progress_(Progress::ready, std::to_string(running) + " of " + std::to_string(slots_.size()) + " plugins run, " +
                                 std::to_string(waiting) + " wait");
  for (const auto &done : std::exchange(reloads_, {}))
    done({});
}

HostStatus Host::status() const {
  const auto is_busy = [](const auto &entry) { return entry.second->busy; };
  HostStatus out{config_.name, questions_ == 0 && std::ranges::none_of(slots_, is_busy), {}};
  for (const auto &[name, slot] : slots_) {
    PluginStatus plugin;
    plugin.name = name;
    plugin.role = slot->config.role;
    plugin.deployment = slot->config.deployment;
    plugin.phase = slot->phase;
    plugin.detail = slot->detail;
    plugin.generations = slot->loaded;
    plugin.max_generations = config_.max_generations;
    if (const auto *manifest = slot->manifest()) {
      plugin.contract_id = manifest->id();
      plugin.contract_digest = manifest->digest();
    }
    if (slot->key) plugin.session_key = slot->key->text();
    plugin.isolation = slot->config.isolation;
    plugin.last_crash = slot->last_crash;
    if (slot->running) {
      plugin.counts = slot->running->counts();
      plugin.durations = slot->running->durations();
      plugin.connection = slot->running->connection();
      plugin.last_problem = slot->running->last_problem();
      plugin.process = slot->running->isolation();
    }
    if (plugin.process && !plugin.process->last_crash.empty()) plugin.last_crash = plugin.process->last_crash;
    if (plugin.detail.empty() && !plugin.last_crash.empty()) plugin.detail = "last crash: " + plugin.last_crash;
    out.plugins.push_back(std::move(plugin));
  }
  return out;
}

std::vector<MetricFamily> Host::sample_metrics() {
  sample_process(metrics_.process());
  for (const auto &[name, slot] : slots_) {
    if (slot->running) slot->running->sample_metrics();
    sample_plugin(*metrics_.plugin(name), slot->running != nullptr, slot->loaded);
  }
  return metrics_.families();
}

void Host::stop_all() {
  if (std::exchange(stopping_, true)) return;
  stop_deadline_ = Clock::now() + config_.drain + kStopGrace;
  log_.info("stopping", {{"plugins", slots_.size()}});
  progress_(Progress::stopping, {});
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
