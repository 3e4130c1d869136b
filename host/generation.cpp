#include "generation.h"

#include "host_api.h"
#include "loader.h"
#include "runtime/rpc_client.h"
#include "wire/ulid.h"
#include <condition_variable>
#include <map>
#include <mutex>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <utility>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kConnectPoll{250}; // how often a wait for NATS looks at its stop token
constexpr std::chrono::milliseconds kCloseTime{2000};  // for the last replies to leave

std::string identity_json(const PluginConfig &config, const Manifest &manifest, const SessionKey &key) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> out(buffer);
  const auto member = [&out](std::string_view name, std::string_view text) {
    out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  };
  out.StartObject();
  member("plugin", config.name);
  member("contractId", manifest.id());
  member("contractDigest", manifest.digest());
  member("sessionKey", key.text());
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string joined(const std::vector<std::string> &texts) {
  std::string out;
  for (const auto &text : texts)
    out += (out.empty() ? "" : "; ") + text;
  return out;
}

std::string_view event_text(CallEvent::Kind kind) {
  switch (kind) {
  case CallEvent::Kind::overloaded: return "request refused: the plugin's queue is full";
  case CallEvent::Kind::deadline: return "request not answered in time";
  case CallEvent::Kind::bad_output: return "the handler's output breaks its schema";
  case CallEvent::Kind::bad_error: return "the handler's error is malformed";
  case CallEvent::Kind::send_failed: return "reply not sent";
  case CallEvent::Kind::released: return "the handler gave the request up";
  case CallEvent::Kind::stuck_worker: return "a handler didn't come back";
  }
  return "call event";
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

// Lines that a flood would repeat are written once in a while, with how many there were.
class Repeated {
public:
  // How many to report now; 0 = none.
  std::uint64_t count(CallEvent::Kind kind) {
    const std::lock_guard lock(mutex_);
    auto &[since, number] = seen_[kind];
    ++number;
    const auto now = Clock::now();
    if (since != Clock::time_point{} && now - since < std::chrono::seconds(10)) return 0;
    since = now;
    return std::exchange(number, 0);
  }

private:
  std::mutex mutex_; // guards seen_
  std::map<CallEvent::Kind, std::pair<Clock::time_point, std::uint64_t>> seen_;
};

} // namespace

// Lives on the threads that start and stop it; what other threads touch says so. Members are destroyed in reverse:
// nothing may call into the instance once `calls` is gone.
struct Generation::State {
  State(HostParts given, PluginConfig wanted, std::shared_ptr<const Artifact> file, SessionKey session)
      : host(given), config(std::move(wanted)), artifact(std::move(file)), key(std::move(session)),
        outgoing(artifact->manifest(), host.contracts),
        api(host.log, config.name, config.config_json, identity_json(config, artifact->manifest(), key)) {}

  const HostParts host;
  const PluginConfig config;
  const std::shared_ptr<const Artifact> artifact;
  const SessionKey key;

  Repeated repeated;
  Outgoing outgoing;
  HostApi api;
  LoadedCode code;
  const trellis_plugin *plugin = nullptr;
  std::unique_ptr<NatsTransport> transport;
  std::unique_ptr<RpcClient> client;
  std::unique_ptr<Calls> calls;
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  bool started = false; // the plugin's own start has succeeded

  const Manifest &manifest() const { return artifact->manifest(); }

  Result<void> create();
  Result<void> connect(const std::stop_token &stop);
  Result<void> run_start();
  Result<void> subscribe();
  void run_stop(Clock::time_point deadline);
  void destroy();

  void report(const CallEvent &event);
  void report(const Error &problem);
};

Result<void> Generation::State::create() {
  auto loaded = load_code(*artifact);
  if (!loaded) return tl::make_unexpected(loaded.error());
  code = std::move(*loaded);
  ErrorText words;
  const auto status = code.entry->create(api.table(), &plugin, words.sink());
  if (status != TRELLIS_OK || !plugin)
    return fail("create_failed", config.name, words.text("create failed with status " + std::to_string(status)));
  if (!TRELLIS_HAS(trellis_plugin, plugin, handlers))
    return fail("create_failed", config.name, "the plugin struct is smaller than its first version",
                "a trellis_plugin");
  const auto problems = table_disagreements(*plugin, manifest());
  if (!problems.empty()) return fail("handlers_disagree", config.name, joined(problems), "one handler for each rpc");
  return {};
}

Result<void> Generation::State::connect(const std::stop_token &stop) {
  NatsOptions options;
  options.servers = host.config.nats_servers;
  options.name = host.config.name + "/" + config.name;
  options.inbox_prefix = key.inbox_prefix();
  options.backoff_max = host.config.connect_retry_max;
  options.credentials = [this] {
    auto credentials = host.policy.credentials(key, manifest().digest(), "rpc");
    if (credentials)
      host.log.write(LogLevel::debug, "credentials issued",
                     {{"plugin", config.name}, {"expires", credentials->expires_at.value_or(0)}});
    return credentials;
  };
  options.on_state = [this](ConnectionState state, const std::string &detail) {
    if (state == ConnectionState::connected)
      host.log.info("connected", {{"plugin", config.name}, {"server", detail}});
    else if (state == ConnectionState::disconnected)
      host.log.warn("disconnected; connecting again", {{"plugin", config.name}, {"detail", detail}});
  };
  options.on_problem = [this](const Error &problem) { report(problem); };
  transport = NatsTransport::open(host.loop, std::move(options));
  client = std::make_unique<RpcClient>(*transport, key, [] { return unix_ms_now() / 1000; });
  calls =
      std::make_unique<Calls>(config.limits, ServiceIdentity{config.name, manifest().id(), manifest().digest()},
                              host.policy.validator(), plugin->self, [this](const CallEvent &event) { report(event); });
  api.connect({calls.get(), &outgoing, client.get(), transport.get()});
  while (!transport->wait_connected(kConnectPoll))
    if (stop.stop_requested()) return fail("cancelled", config.name, "stopped while waiting for NATS");
  return {};
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

Result<void> Generation::State::subscribe() {
  for (std::uint32_t i = 0; i < plugin->handler_count; ++i) {
    const trellis_handler &handler = *plugin->handlers[i];
    auto method = compile_rpc(manifest(), std::string_view(handler.name.data, handler.name.size));
    if (!method) return tl::make_unexpected(method.error());
    const std::string subject = method->subject;
    auto route = std::make_shared<const RpcRoute>(RpcRoute{std::move(*method), handler.rpc});
    auto subscription = transport->subscribe(
        subject, subject, [this, route](MessagePtr message) { calls->arrive(route, std::move(message)); });
    if (!subscription) return tl::make_unexpected(subscription.error());
    subscriptions.push_back(std::move(*subscription));
  }
  // The server has the subscriptions once this returns: a predecessor may go.
  static_cast<void>(transport->flush(kCloseTime));
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

void Generation::State::destroy() {
  if (plugin && TRELLIS_HAS(trellis_plugin, plugin, destroy) && plugin->destroy) plugin->destroy(plugin->self);
  plugin = nullptr;
}

void Generation::State::report(const CallEvent &event) {
  if (const auto times = repeated.count(event.kind); times > 0)
    host.log.warn(event_text(event.kind),
                  {{"plugin", config.name}, {"surface", event.surface}, {"detail", event.detail}, {"times", times}});
}

void Generation::State::report(const Error &problem) {
  host.log.warn(
      problem.code == transport_error::kDenied ? "refused by the NATS server: outside the contract"
                                               : "connection problem",
      {{"plugin", config.name}, {"code", problem.code}, {"subject", problem.where}, {"detail", problem.message}});
}

Generation::Generation(HostParts parts, PluginConfig config, std::shared_ptr<const Artifact> artifact, SessionKey key)
    : state_(std::make_unique<State>(parts, std::move(config), std::move(artifact), std::move(key))) {}

Generation::~Generation() = default;

Result<void> Generation::start(std::stop_token stop) {
  auto &state = *state_;
  auto done = state.create();
  if (done) done = state.connect(stop);
  if (done) done = state.run_start();
  if (done) done = state.subscribe();
  if (!done) this->stop(Clock::now());
  return done;
}

bool Generation::stop(Clock::time_point deadline) {
  auto &state = *state_;
  const auto draining = std::make_shared<Latch>(); // shared: a drain that takes too long still reports to it
  for (auto &subscription : state.subscriptions) {
    draining->add();
    subscription->drain([draining] { draining->done(); });
  }
  draining->wait_until(deadline);
  state.subscriptions.clear();
  if (state.calls) state.calls->wait_idle(deadline);
  if (state.plugin) state.run_stop(deadline);
  const bool clean = !state.calls || state.calls->stop(std::max(deadline, Clock::now() + kConnectPoll));
  if (state.transport) state.transport->close(kCloseTime);
  if (clean) state.destroy();
  return clean;
}

void Generation::rotate() {
  if (state_->transport) state_->transport->rotate();
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

} // namespace trellis::host
