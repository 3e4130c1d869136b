// The control plane's connections on the generated bundle: accounts are keys there, and permissions are real. What the
// parts do is tested beside them (plugins/auth); here that they do it with the credentials they will have.
#include "bundle_server.h"
#include "connections.h"
#include "connections_fixture.h"
#include "contracts/encoding.h"
#include "platform_streams.h"
#include "support/wait_until.h"
#include "wire/credentials.h"
#include "wire/ulid.h"
#include <catch2/catch_test_macros.hpp>
#include <future>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

struct Installation {
  BundleServer server;
  std::unique_ptr<NatsLoop> loop = start_loop();

  std::string creds(const std::string &name) const { return read_file(server.bundle() / "nats/creds" / name); }
  std::unique_ptr<NatsTransport> connect(const std::string &creds_name) {
    auto options = trellis::test::Log::plain_options(server.url());
    options.backoff_min = options.backoff_max = 10min; // once ended it stays so
    options.credentials = [text = creds(creds_name)]() -> Result<ConnectionCredentials> {
      auto user = parse_credentials(text);
      if (!user) return tl::make_unexpected(user.error());
      return ConnectionCredentials{.user = std::move(*user), .auth_token = {}, .expires_at = {}};
    };
    return open_connected(*loop, std::move(options));
  }
  // The account's public key, from the JWT of a user that it signed.
  std::string account_of(const std::string &creds_name) const {
    const std::string jwt = parse_credentials(creds(creds_name)).value().jwt;
    const auto begin = jwt.find('.') + 1;
    const auto claims = base64url_decode(jwt.substr(begin, jwt.find('.', begin) - begin)).value();
    return std::string(string_member(parse_json(as_text(claims)).value(), "iss"));
  }
};

// The next message on a subject of the system account.
std::future<std::string> next_on(Transport &system, const std::string &subject,
                                 std::vector<std::unique_ptr<Subscription>> &subscriptions) {
  auto promise = std::make_shared<std::promise<std::string>>();
  auto arrival = promise->get_future();
  const auto once = std::make_shared<std::atomic_flag>();
  auto made = system.subscribe(subject, "", [promise, once](MessagePtr message) {
    if (!once->test_and_set()) promise->set_value(std::string(message->payload()));
  });
  REQUIRE(made);
  REQUIRE(system.flush(20s));
  subscriptions.push_back(std::move(*made));
  return arrival;
}

std::string text_in(std::future<std::string> &arrival) {
  REQUIRE(arrival.wait_for(20s) == std::future_status::ready);
  return arrival.get();
}

} // namespace

TEST_CASE("on a fresh bundle the control plane makes its streams, knows its account in advisories, and kicks") {
  Installation installation;
  const auto auth = installation.connect("auth-auth.creds");
  const auto system = installation.connect("system.creds");
  const auto trellis = installation.connect("trellis-auth.creds");
  TempDir dir;
  ControlPlaneConfig config;
  config.target_nkey = installation.account_of("trellis-auth.creds");
  const auto db = auth::test::open_database(dir);
  auth::test::Lines lines;
  alignas(Catalog) std::byte no_catalog[sizeof(Catalog)] = {}; // nothing here looks at contracts
  Core core{config, *db, reinterpret_cast<Catalog &>(no_catalog), unix_ms_now, lines.writer()};

  const auto replicas = choose_replicas(core, *system);
  CHECK(replicas.count == 1);
  REQUIRE(ensure_platform_streams(core, *auth, *trellis, replicas));
  Connections connections(core, *auth, *system, *trellis);

  std::vector<std::unique_ptr<Subscription>> subscriptions;
  auto connected = next_on(*system, "$SYS.ACCOUNT.*.CONNECT", subscriptions);
  const auto victim = installation.connect("trellis-auth.creds");
  const auto advisory = parse_json(text_in(connected)).value();
  CHECK(string_member(advisory["client"], "acc") == config.target_nkey);
  const ConnectionRecord record{.key = {std::string(43, 'S'), "usr_1", "UA"},
                                .server_id = std::string(string_member(advisory["server"], "id")),
                                .client_id = advisory["client"]["id"].GetInt64(),
                                .connected_at = iso_time(unix_ms_now())};
  REQUIRE(connections.record(record));

  auto ended = next_on(*system, "$SYS.ACCOUNT.*.DISCONNECT", subscriptions);
  connections.kick_session(record.key.session_key);
  CHECK(wait_until([&] { return victim->state() != ConnectionState::connected; }));
  CHECK(connections.all()->empty());

  // The same advisory for a record that nobody kicked: it is ours to delete.
  const std::string disconnect = text_in(ended);
  connections.disconnected(disconnect);
  REQUIRE(connections.record(record));
  connections.disconnected(disconnect);
  CHECK(connections.all()->empty());
  CHECK(lines.all().empty());
}
