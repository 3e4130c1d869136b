#include "control_plane.h"

#include "contracts/json_write.h"
#include "http_urls.h"
#include "platform_streams.h"
#include "retention.h"
#include "store/sessions.h"
#include "wire/session_key.h"
#include "wire/ulid.h"
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

namespace trellis::auth {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kStreamsPause = 500ms; // between two attempts
// Between two rounds of what runs in the background:
constexpr auto kBacklogPause = 5s;  // storing connection records that JetStream didn't take
constexpr auto kCleanupPause = 60s; // deleting expired sessions
constexpr auto kHistoryPause = 1h;  // deleting old audit lines and reconciliation events

Result<NkeySeed> seed_of(const SecretText &text, NkeyType type, const char *key) {
  auto seed = NkeySeed::parse(text.reveal(), type);
  if (!seed) return fail("invalid_config", key, "is no seed of the right kind (" + seed.error().code + ")");
  return seed;
}

Result<CalloutKeys> callout_keys(const ControlPlaneConfig &config) {
  auto issuer = seed_of(config.issuer_signing, NkeyType::account, "nats.authCallout.issuer.signing");
  if (!issuer) return tl::make_unexpected(issuer.error());
  auto target = seed_of(config.target_signing, NkeyType::account, "nats.authCallout.target.signing");
  if (!target) return tl::make_unexpected(target.error());
  auto xkey = seed_of(config.xkey_seed, NkeyType::curve, "nats.authCallout.sxSeed");
  if (!xkey) return tl::make_unexpected(xkey.error());
  return CalloutKeys{std::move(*issuer), std::move(*target), std::move(*xkey), config.issuer_nkey, config.target_nkey};
}

// The sentinel is public: its file may be readable by all.
Result<std::string> read_sentinel(const std::filesystem::path &file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail("invalid_config", file.string(), "the sentinel's credentials can't be read");
  auto credentials = parse_credentials(text);
  if (!credentials) return fail("invalid_config", file.string(), credentials.error().message);
  return sentinel_json(*credentials);
}

// The inbox that the host gives the trellis connection is that of its session_seed; requests are signed with ours.
Result<void> check_session_key(const ControlPlaneConfig &config, const HostIdentity &identity) {
  const auto key = SessionKey::from_seed(config.session_seed.reveal());
  if (!key) return fail("invalid_config", "sessionKeySeed", "holds no session seed");
  if (key->text() != identity.session_key)
    return fail("session_seed", "sessionKeySeed", "is not the seed that [plugins.NAME.connections] session_seed names",
                "the same seed in both");
  return {};
}

// The host's log goes to stderr; this one line is for stdout (04 §14).
void print_line(const std::string &line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

bool is_passing(const Error &error) {
  return error.code == transport_error::kNoResponders || error.code == transport_error::kTimeout ||
         error.code == transport_error::kClosed || error.code == "jetstream_10008"; // temporarily unavailable
}

// JetStream may need a moment after its server accepts connections, and NATS may go down meanwhile. It asks again and
// again, because there is nothing to wait for: nats-server publishes no event when JetStream becomes usable (a leader's
// election is announced in clusters only, and maybe before this subscribes), and the table of connections that a plugin
// gets tells no states. The pause bounds only how often a server without JetStream is asked; one that is slow is waited
// for inside the request. The host doesn't end a plugin whose start hasn't returned, so nobody could wake it early.
Result<void> wait_for_streams(Core &core, Transport &auth, Transport &system, Transport &trellis) {
  const auto until = Clock::now() + std::chrono::milliseconds(core.config.limits.jetstream_wait_ms);
  for (bool told = false;; told = true) {
    auto made = ensure_platform_streams(core, auth, trellis, choose_replicas(core, system));
    if (made || !is_passing(made.error())) return made;
    if (Clock::now() >= until) return fail("jetstream_unavailable", made.error().where, made.error().text());
    if (!told)
      core.log(Level::warn, "JetStream can't be used yet; trying again",
               JsonObjectText().text("detail", made.error().text()).str());
    std::this_thread::sleep_for(kStreamsPause);
  }
}

} // namespace

Result<ControlPlane::Parts> ControlPlane::prepare(const trellis_host &host) {
  const auto identity = host_identity(host);
  if (!identity) return tl::make_unexpected(identity.error());
  auto config = host_config(host, identity->config_dir);
  if (!config) return tl::make_unexpected(config.error());
  if (auto same = check_session_key(*config, *identity); !same) return tl::make_unexpected(same.error());
  auto keys = callout_keys(*config);
  if (!keys) return tl::make_unexpected(keys.error());
  auto sentinel = read_sentinel(config->sentinel_creds);
  if (!sentinel) return tl::make_unexpected(sentinel.error());
  auto auth = host_connection(host, "auth"), system = host_connection(host, "system"),
       trellis = host_connection(host, "trellis");
  for (const auto *connection : {&auth, &system, &trellis})
    if (!*connection) return tl::make_unexpected(connection->error());
  auto db = Database::open(config->db_path);
  if (!db) return tl::make_unexpected(db.error());
  auto replay = ReplayCache::open(config->db_path.parent_path() / "replay.cache");
  if (!replay) return tl::make_unexpected(replay.error());
  return Parts{std::move(*config),
               std::move(*db),
               std::move(*replay),
               std::move(*keys),
               std::move(*sentinel),
               *auth,
               *system,
               *trellis};
}

ControlPlane::ControlPlane(const trellis_host &host, Parts parts, std::vector<Manifest> builtin)
    : config_(std::move(parts.config)), core_digest_(builtin.front().digest()), auth_(parts.auth),
      system_(parts.system), trellis_(parts.trellis), db_(std::move(parts.db)), replay_(std::move(parts.replay)),
      catalog_(std::move(builtin)), core_{config_, *db_, catalog_, [] { return unix_ms_now(); },
                                          host_log(host, level_of(config_.log_level))},
      connections_(core_, auth_, system_, trellis_),
      authority_(core_, connections_, trellis_, system_, parts.sentinel_json, transports_json(config_)),
      validation_(core_, *replay_),
      http_(core_, authority_, connections_, auth_, parts.sentinel_json, transports_json(config_)),
      callout_(core_, connections_, std::move(parts.keys)), rpcs_{core_, connections_, authority_, validation_,
                                                                  trellis_} {
  // The database outlives the core, and writes until its end.
  db_->on_background_error([log = core_.log](const Error &error) {
    log(Level::error, "a background write failed", JsonObjectText().text("detail", error.text()).str());
  });
}

ControlPlane::~ControlPlane() = default;

Result<std::unique_ptr<ControlPlane>> ControlPlane::start(const trellis_host &host, std::vector<Manifest> builtin) {
  auto parts = prepare(host);
  if (!parts) return tl::make_unexpected(parts.error());
  std::unique_ptr<ControlPlane> made(new ControlPlane(host, std::move(*parts), std::move(builtin)));
  if (auto done = wait_for_streams(made->core_, made->auth_, made->system_, made->trellis_); !done)
    return tl::make_unexpected(done.error());
  if (auto done = made->follow_disconnects(); !done) return tl::make_unexpected(done.error());
  if (auto done = made->answer_callouts(); !done) return tl::make_unexpected(done.error());
  made->policy_ =
      std::make_unique<PolicyDesk>(made->authority_, static_cast<std::size_t>(made->config_.limits.policy_queue));
  return made;
}

Result<void> ControlPlane::answer_callouts() {
  callouts_ = std::make_unique<CalloutLane>(core_, callout_, auth_);
  return callouts_->start();
}

// 03 §9.2: one at a time, each by one of several control planes.
Result<void> ControlPlane::follow_disconnects() {
  disconnect_lane_ = std::make_unique<Lane>(1, static_cast<std::size_t>(config_.limits.disconnect_queue));
  auto subscription = system_.subscribe("$SYS.ACCOUNT.*.DISCONNECT", "trellis", [this](MessagePtr message) {
    const bool accepted = disconnect_lane_->run([this, advisory = std::string(message->payload()),
                                                 heard = Clock::now()] { connections_.disconnected(advisory, heard); });
    if (!accepted) core_.log(Level::warn, "a disconnect is forgotten: too many wait", {});
  });
  if (!subscription) return tl::make_unexpected(subscription.error());
  disconnects_ = std::move(*subscription);
  return {};
}

Result<void> ControlPlane::open_doors() {
  if (auto done = http_.first_boot(print_line); !done) return done;
  auto server = HttpServer::open(config_, [this](const HttpRequest &request) { return http_.handle(request); });
  if (!server) return tl::make_unexpected(server.error());
  server_ = std::move(*server);
  core_.log(Level::info, "HTTP is served", JsonObjectText().number("port", server_->port()).str());
  background_ = std::jthread([this](const std::stop_token &stop) { run_background(stop); });
  return {};
}

void ControlPlane::run_background(const std::stop_token &stop) {
  authority_.reconcile_all();
  auto cleanup = Clock::now(), history = cleanup;
  const auto is_due = [](Clock::time_point &time, Clock::duration pause) {
    if (Clock::now() < time) return false;
    time = Clock::now() + pause;
    return true;
  };
  std::mutex mutex; // of this thread alone: only the stop token wakes it early
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    connections_.store_backlog();
    if (is_due(cleanup, kCleanupPause)) forget_expired_sessions();
    if (is_due(history, kHistoryPause)) forget_old_history(core_, stop);
    stopped.wait_for(lock, stop, kBacklogPause, [] { return false; });
  }
}

// They count for nothing already (03 §8.1); this frees the space.
void ControlPlane::forget_expired_sessions() {
  const auto before = core_.sessions_expired_before();
  if (before <= 0) return;
  db_->write_behind([before](Writer &db) -> Result<void> {
    delete_expired_sessions(db, before);
    return {};
  });
}

} // namespace trellis::auth
