#include "generation.h"

#include "abi/host_only.h"
#include "contracts/json_write.h"
#include "event_surfaces.h"
#include "feed_surfaces.h"
#include "health_surfaces.h"
#include "hosting/call_reports.h"
#include "hosting/handler_table.h"
#include "hosting/host_api.h"
#include "hosting/loader.h"
#include "hosting/workers.h"
#include "plugin_connection.h"
#include "plugin_gauges.h"
#include "policy/privileged_connections.h"
#include "rpc_surfaces.h"
#include "runtime/rpc_client.h"
#include "wire/ulid.h"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <utility>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kConnectPoll{250}; // how often a wait for NATS looks at its stop token
constexpr std::chrono::milliseconds kCloseTime{2000};  // for the last replies to leave

constexpr auto kControlPlaneName = "trellis"; // in error contexts (05 §2.1)

std::string identity_json(const HostParts &host, const PluginConfig &config, const Manifest &manifest,
                          const SessionKey &key) {
  return JsonObjectText()
      .text("plugin", config.name)
      .text("contractId", manifest.id())
      .text("contractDigest", manifest.digest())
      .text("sessionKey", key.text())
      .text("configDir", std::filesystem::absolute(host.config.file).parent_path().lexically_normal().string())
      .str();
}

std::string joined(const std::vector<std::string> &texts) {
  std::string out;
  for (const auto &text : texts)
    out += (out.empty() ? "" : "; ") + text;
  return out;
}

// Counts subscriptions that are still draining.
class Latch {
public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void done() {
    const std::lock_guard lock(mutex_);
    --count_;
    changed_.notify_all();
  }
  bool wait_until(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, deadline, [this] { return count_ == 0; });
  }

private:
  std::mutex mutex_; // guards count_
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

} // namespace

// Lives on the threads that start and stop it; what other threads touch says so. Members are destroyed in reverse:
// nothing may call into the instance once `calls` is gone.
struct Generation::State {
  State(HostParts given, PluginConfig wanted, std::shared_ptr<const Artifact> file, SessionKey session,
        std::string bound, LoadedCode idle)
      : host(std::move(given)), config(std::move(wanted)), artifact(std::move(file)), key(std::move(session)),
        bindings(std::move(bound)), outgoing(artifact->manifest(), host.contracts),
        privileged(is_control_plane() ? std::make_unique<PrivilegedConnections>() : nullptr),
        gauges(host.metrics.plugin(config.name)), calls_made(gauges.metrics().runtime(), gauges.metrics().errors()),
        api(host.log, config.name, config.settings, identity_json(host, config, artifact->manifest(), key),
            gauges.metrics(), privileged.get()),
        code(std::move(idle)) {}

  const HostParts host;
  const PluginConfig config;
  const std::shared_ptr<const Artifact> artifact;
  const SessionKey key;
  const std::string bindings;

  CallReports call_reports{host.log, config.name};
  LastProblem last_problem;
  Outgoing outgoing;
  const std::unique_ptr<PrivilegedConnections> privileged; // of the control plane
  PluginGauges gauges;
  RpcClientMetrics calls_made;
  HostApi api;
  LoadedCode code;
  std::unique_ptr<isolation::IsolatedPlugin> isolated; // in place of `code`
  const trellis_plugin *plugin = nullptr;
  PluginPolicy::Tables decides;                 // of the control plane
  std::unique_ptr<NatsTransport> own_transport; // of everybody else
  NatsTransport *transport = nullptr;           // what the surfaces are wired on
  std::unique_ptr<RpcClient> client;
  std::unique_ptr<EventPublishing> publishing;
  std::unique_ptr<Workers> workers;
  std::vector<std::unique_ptr<SurfaceKind>> surfaces; // the rpcs first
  Calls *calls = nullptr;                             // of the rpcs
  std::atomic<EventSurfaces *> events = nullptr;      // one of the surfaces
  FeedStreams *feeds = nullptr;                       // when it has feeds
  bool started = false;                               // the plugin's own start has succeeded
  bool clean = true;                                  // nothing of it was left behind

  const Manifest &manifest() const { return artifact->manifest(); }
  const std::string &program() const { return isolated ? isolated->program() : code.program; }
  const std::string &version() const { return isolated ? isolated->version() : code.version; }
  bool is_control_plane() const { return config.role == PluginRole::control_plane; }

  Result<void> begin(const std::stop_token &stop);
  Result<void> create();
  Result<void> create_here();
  Result<void> create_isolated();
  Result<void> check_extensions();
  Result<void> connect(const std::stop_token &stop);
  Result<void> open_connections();
  void open_own_connection();
  ServiceIdentity service_identity() const;
  bool wait_connected(const std::stop_token &stop);
  Result<void> run_start();
  void make_surfaces();
  Result<void> open_surfaces();
  void drain_surfaces(Clock::time_point deadline);
  void end_surfaces(Clock::time_point until);
  bool end_workers(Clock::time_point until);
  Result<void> begin_deciding();
  void run_stop(Clock::time_point deadline);
  void close_connections();
  void destroy();

  void report(const CallEvent &event);
  void keep(const Error &problem) { last_problem.set({unix_ms_now(), problem.code + ": " + problem.text()}); }
};

// Throws std::system_error, as when the system has no thread to give.
Result<void> Generation::State::begin(const std::stop_token &stop) {
  auto done = create();
  if (done) done = connect(stop);
  if (done) done = run_start();
  if (done) done = open_surfaces();
  if (done && is_control_plane()) done = begin_deciding();
  return done;
}

Result<void> Generation::State::create() {
  auto made = config.isolation == Isolation::process ? create_isolated() : create_here();
  if (!made) return made;
  const auto problems =
      table_disagreements(*plugin, artifact->manifests(), config.role, host_answered_rpcs(config.name, program()));
  if (!problems.empty()) return fail("handlers_disagree", config.name, joined(problems), "one handler for each rpc");
  return check_extensions();
}

// The same struct, whose functions reach a process of its own.
Result<void> Generation::State::create_isolated() {
  isolation::IsolatedPlugin::Options options{
      config.name,
      artifact,
      config.isolation_settings,
      config.limits.max_concurrency,
      config.limits.deadline,
      host.config.state_dir,
      std::filesystem::absolute(host.config.file).parent_path(),
      host.config.isolation_uid_base,
      [notify = host.on_quarantined, name = config.name](const std::string &why) { notify(name, why); }};
  auto made = isolation::IsolatedPlugin::create(std::move(options), api.table());
  if (!made) return tl::make_unexpected(made.error());
  isolated = std::move(*made);
  plugin = isolated->table();
  return {};
}

Result<void> Generation::State::create_here() {
  if (!code.entry) {
    auto loaded = load_code(*artifact);
    if (!loaded) return tl::make_unexpected(loaded.error());
    code = std::move(*loaded);
  }
  ErrorText words;
  const trellis_plugin *made = nullptr; // a create that fails has made nothing, whatever it left here
  const auto status = code.entry->create(api.table(), &made, words.sink());
  if (status != TRELLIS_OK || !made)
    return fail("create_failed", config.name, words.text("create failed with status " + std::to_string(status)));
  plugin = made;
  if (!TRELLIS_HAS(trellis_plugin, plugin, handlers))
    return fail("create_failed", config.name, "the plugin struct is smaller than its first version",
                "a trellis_plugin");
  return {};
}

Result<void> Generation::State::check_extensions() {
  if (is_control_plane()) {
    auto tables = PluginPolicy::tables_of(*plugin);
    if (!tables) return tl::make_unexpected(tables.error());
    decides = *tables;
    return {};
  }
  if (const auto offered = host_only_offered(*plugin); !offered.empty())
    return fail("host_only_extension", config.name, "the plugin offers " + std::string(offered),
                "role = \"control-plane\" in trellis.toml, or none of it");
  return {};
}

Result<void> Generation::State::connect(const std::stop_token &stop) {
  if (auto opened = open_connections(); !opened) return opened;
  client = std::make_unique<RpcClient>(
      *transport, key, [this] { return host.policy.now(); },
      [this](const auto &method, const auto &result, auto took) { calls_made.count(method, result, took); });
  make_surfaces();
  publishing = std::make_unique<EventPublishing>(artifact->manifests(), find_in(host.contracts), *transport,
                                                 &gauges.metrics().errors(), &gauges.metrics().runtime());
  api.connect({calls, &outgoing, client.get(), transport, publishing.get(), feeds});
  if (!wait_connected(stop)) return fail("cancelled", config.name, "stopped while waiting for NATS");
  return {};
}

Result<void> Generation::State::open_connections() {
  if (!is_control_plane()) {
    open_own_connection();
    return {};
  }
  PrivilegedConnections::Options options;
  options.files = config.connections.value_or(ConnectionFiles{});
  options.servers = host.config.nats_servers;
  options.client_name = host.config.name + "/" + config.name;
  options.inbox_prefix = key.inbox_prefix();
  options.backoff_max = host.config.connect_retry_max;
  options.on_state = [this](std::string_view name, ConnectionState state, const std::string &detail) {
    gauges.connection(name, state == ConnectionState::connected);
    log_connection_state(host, config, name, state, detail);
  };
  options.on_problem = [this](std::string_view, const Error &problem) {
    keep(problem);
    log_connection_problem(host, config, problem);
  };
  if (auto opened = privileged->open(host.loop, std::move(options)); !opened) return opened;
  transport = &privileged->trellis();
  return {};
}

void Generation::State::open_own_connection() {
  auto options = plugin_connection(host, config, manifest(), key, "rpc");
  options.on_state = [this, log = std::move(options.on_state)](ConnectionState state, const std::string &detail) {
    if (auto *listeners = events.load(); listeners && state == ConnectionState::connected) listeners->connected();
    log(state, detail);
  };
  options.on_problem = [this, log = std::move(options.on_problem)](const Error &problem) {
    keep(problem);
    log(problem);
  };
  own_transport = NatsTransport::open(host.loop, std::move(options));
  transport = own_transport.get();
}

// The control plane names itself without a contract, and by the digest of its first one, the core contract (05 §2.1).
ServiceIdentity Generation::State::service_identity() const {
  if (is_control_plane()) return {kControlPlaneName, {}, manifest().digest()};
  return {config.name, manifest().id(), manifest().digest()};
}

bool Generation::State::wait_connected(const std::stop_token &stop) {
  if (privileged) return privileged->wait_connected(stop);
  while (!transport->wait_connected(kConnectPoll))
    if (stop.stop_requested()) return false;
  return true;
}

Result<void> Generation::State::run_start() {
  if (TRELLIS_HAS(trellis_plugin, plugin, start) && plugin->start) {
    ErrorText words;
    const auto status = plugin->start(plugin->self, words.sink());
    if (status != TRELLIS_OK)
      return fail("start_failed", config.name, words.text("start failed with status " + std::to_string(status)));
  }
  started = true;
  return {};
}

void Generation::State::make_surfaces() {
  workers = std::make_unique<Workers>(config.limits.max_concurrency, config.limits.queue);
  const SurfaceContext context{host,
                               config,
                               artifact->manifests(),
                               *plugin,
                               key,
                               *transport,
                               *workers,
                               is_control_plane() ? host.control_plane.validator()
                                                  : host.policy.validator_for(*transport, key),
                               service_identity(),
                               gauges.metrics(),
                               [this](const CallEvent &event) { report(event); }};
  auto rpcs = std::make_unique<RpcSurfaces>(context);
  calls = &rpcs->calls();
  auto health = std::make_unique<HealthSurfaces>(context, *rpcs, program(), version());
  surfaces.push_back(std::move(rpcs));
  auto listeners = std::make_unique<EventSurfaces>(context, bindings);
  events = listeners.get();
  surfaces.push_back(std::move(listeners));
  surfaces.push_back(std::move(health));
  if (is_control_plane() || !has_feeds(manifest())) return;
  auto served = std::make_unique<FeedSurfaces>(context);
  feeds = &served->streams();
  surfaces.push_back(std::move(served));
}

Result<void> Generation::State::open_surfaces() {
  if (is_control_plane()) host.control_plane.plugin_validator()->attach(decides.validator, decides.self);
  for (const auto &surface : surfaces)
    if (auto done = surface->open(); !done) return done;
  // The server has the subscriptions once this returns: a predecessor may go.
  static_cast<void>(transport->flush(kCloseTime));
  if (const auto unserved = unserved_handlers(*plugin); !unserved.empty())
    host.log.info("not served by this version",
                  {{"plugin", config.name}, {"count", unserved.size()}, {"surfaces", joined(unserved)}});
  return {};
}

void Generation::State::drain_surfaces(Clock::time_point deadline) {
  const auto draining = std::make_shared<Latch>(); // shared: a drain that takes too long still reports to it
  for (const auto &surface : surfaces) {
    draining->add();
    surface->drain([draining] { draining->done(); });
  }
  draining->wait_until(deadline);
  for (const auto &surface : surfaces)
    surface->wait_idle(deadline);
}

void Generation::State::end_surfaces(Clock::time_point until) {
  for (const auto &surface : surfaces)
    surface->stop(until);
}

// False when something never came back.
bool Generation::State::end_workers(Clock::time_point until) {
  if (!workers) return true;
  // A handler in another process that doesn't come back ends with that process; nothing is left behind.
  const bool ended = isolated && !workers->finish(until);
  if (ended) {
    host.log.warn("a handler didn't come back; its process is ended", {{"plugin", config.name}});
    isolated->end();
  }
  const auto stuck = workers->stop(ended ? Clock::now() + kCloseTime : until);
  for (const auto &surface : stuck)
    host.log.warn("a handler didn't come back", {{"plugin", config.name}, {"surface", surface}});
  return stuck.empty();
}

// The control plane's surfaces are served: it may open its doors, and everybody else may ask it.
Result<void> Generation::State::begin_deciding() {
  ErrorText words;
  const auto status = decides.policy->surfaces_ready(decides.self, words.sink());
  if (status != TRELLIS_OK)
    return fail("start_failed", config.name, words.text("surfaces_ready failed with status " + std::to_string(status)));
  host.control_plane.attach(decides);
  return {};
}

void Generation::State::run_stop(Clock::time_point deadline) {
  if (!std::exchange(started, false) || !TRELLIS_HAS(trellis_plugin, plugin, stop) || !plugin->stop) return;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  ErrorText words;
  const auto status = plugin->stop(plugin->self, unix_ms_now() + std::max<std::int64_t>(0, left.count()), words.sink());
  if (status != TRELLIS_OK)
    host.log.warn("the plugin's stop failed",
                  {{"plugin", config.name}, {"detail", words.text("status " + std::to_string(status))}});
}

// Afterwards nothing of the plugin waits for an answer, and none comes: its handlers return, and it may be destroyed.
void Generation::State::close_connections() {
  if (privileged) privileged->close(kCloseTime);
  if (own_transport) own_transport->close(kCloseTime);
  if (client) client->close(); // calls between two attempts, which no transport knows of
}

void Generation::State::destroy() {
  if (plugin && TRELLIS_HAS(trellis_plugin, plugin, destroy) && plugin->destroy) plugin->destroy(plugin->self);
  plugin = nullptr;
}

void Generation::State::report(const CallEvent &event) {
  last_problem.set({unix_ms_now(), std::string(text_of(event.kind)) + ": " + event.surface});
  call_reports.log(event);
}

Generation::Generation(HostParts parts, PluginConfig config, std::shared_ptr<const Artifact> artifact, SessionKey key,
                       std::string bindings, LoadedCode code)
    : state_(std::make_unique<State>(std::move(parts), std::move(config), std::move(artifact), std::move(key),
                                     std::move(bindings), std::move(code))) {}

Generation::~Generation() = default;

Result<void> Generation::start(std::stop_token stop) {
  Result<void> done;
  try {
    done = state_->begin(stop);
  } catch (const std::system_error &problem) {
    if (problem.code() == std::errc::resource_unavailable_try_again)
      done = fail("threads", state_->config.name, problem.what(), "more threads for the host's user");
    else
      done = fail("start_failed", state_->config.name, problem.what());
  }
  if (!done) this->stop(Clock::now());
  return done;
}

bool Generation::stop(Clock::time_point deadline) {
  auto &state = *state_;
  if (state.is_control_plane()) state.host.control_plane.detach();
  state.drain_surfaces(deadline);
  if (state.is_control_plane()) state.host.control_plane.plugin_validator()->detach();
  if (state.plugin) state.run_stop(deadline);
  state.end_surfaces(std::max(deadline, Clock::now() + kConnectPoll));
  state.close_connections();
  state.clean = state.end_workers(std::max(deadline, Clock::now() + kConnectPoll));
  state.gauges.clear(state.transport, state.feeds);
  if (state.own_transport) state.gauges.connection("own", false);
  if (state.clean) state.destroy();
  return state.clean;
}

bool Generation::left_behind() const {
  return !state_->clean;
}

LoadedCode Generation::idle_code() const {
  return state_->clean && !state_->plugin ? state_->code : LoadedCode{};
}

void Generation::sample_metrics() {
  auto &state = *state_;
  if (!state.calls) return;
  state.gauges.sample(state.calls->counts(), *state.transport);
  if (state.feeds) state.gauges.sample(state.feeds->counts());
  // Not told by its changes: those of a predecessor that closes come after the successor's.
  if (state.own_transport) state.gauges.connection("own", state.own_transport->state() == ConnectionState::connected);
}

void Generation::rotate() {
  if (auto *listeners = state_->events.load()) listeners->contracts_changed();
  if (state_->own_transport) state_->own_transport->rotate();
  for (const auto &surface : state_->surfaces)
    surface->rotate();
}

const Manifest &Generation::manifest() const {
  return state_->manifest();
}
const Artifact &Generation::artifact() const {
  return *state_->artifact;
}
const PluginConfig &Generation::config() const {
  return state_->config;
}
const std::string &Generation::bindings() const {
  return state_->bindings;
}
const SessionKey &Generation::key() const {
  return state_->key;
}
RpcDurations Generation::durations() const {
  return served_durations(state_->gauges.metrics().runtime());
}

Calls::Counts Generation::counts() const {
  return state_->calls ? state_->calls->counts() : Calls::Counts{};
}
std::optional<Generation::Connection> Generation::connection() const {
  if (!state_->transport) return std::nullopt;
  return Connection{state_->transport->state(), state_->transport->counts()};
}
std::optional<Problem> Generation::last_problem() const {
  return state_->last_problem.last();
}

std::optional<isolation::IsolatedPlugin::Status> Generation::isolation() const {
  if (!state_->isolated) return std::nullopt;
  return state_->isolated->status();
}

} // namespace trellis::host
