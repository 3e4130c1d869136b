#include "artifact/elf_testing.h"
#include "control_socket.h"
#include "tests/support/wait_until.h"
#include "tests/support/without_threads.h"

#include <catch2/catch_test_macros.hpp>
#include <poll.h>
#include <rapidjson/document.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

using namespace trellis;
using namespace trellis::host;
using namespace trellis::testing;
using trellis::test::outcome_without_threads;
using namespace std::chrono_literals;

namespace {

ControlActions actions_of_a_small_host() {
  HostStatus status{"edge", true, {}};
  Calls::Counts counts;
  counts.answered = 12;
  PluginStatus auth;
  auth.name = auth.deployment = "auth";
  auth.role = PluginRole::control_plane;
  auth.phase = Phase::running;
  auth.contract_id = "trellis.core@v1";
  auth.contract_digest = "d0";
  auth.session_key = "key0";
  auth.generations = 1;
  auth.max_generations = 8;
  auth.counts = Calls::Counts{};
  PluginStatus shop = auth;
  shop.name = "shop";
  shop.role = PluginRole::service;
  shop.deployment = "shop.eu";
  shop.contract_id = "acme.shop@v1";
  shop.contract_digest = "d1";
  shop.session_key = "key1";
  shop.generations = 2;
  shop.counts = counts;
  shop.durations = {{0.0005, 1}, {3, 8, 1}};
  shop.connection = Generation::Connection{ConnectionState::connected, {4, 3, 0, 1769860800000, 1769860820000}};
  shop.last_problem = Problem{1769860801000, "slow_consumer: it is slow"};
  PluginStatus fresh;
  fresh.name = fresh.deployment = "new";
  fresh.phase = Phase::refused;
  fresh.detail = "untrusted";
  fresh.max_generations = 8;
  status.plugins = {auth, shop, fresh};
  ControlActions actions;
  actions.status = [status](const auto &done) { done(status); };
  actions.reload = [](const auto &done) { done({}); };
  return actions;
}

int connected_to(const std::filesystem::path &socket) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = socket.string();
  REQUIRE(path.size() < sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
  return fd;
}

std::string ask(const ControlActions &actions, std::string_view line) {
  return answer_control_request(line, actions, [] { return false; });
}

} // namespace

TEST_CASE("the status names each plugin with its phase and counts") {
  const auto line = ask(actions_of_a_small_host(), R"({"op":"status"})");
  CHECK(
      line ==
      R"({"ok":true,"host":"edge","settled":true,"plugins":[{"name":"auth","role":"control-plane",)"
      R"("deployment":"auth","phase":"running","detail":"","contractId":"trellis.core@v1","contractDigest":"d0",)"
      R"("sessionKey":"key0","generations":1,"maxGenerations":8,"calls":{"waiting":0,"running":0,"unanswered":0,"abandoned":0,)"
      R"("answered":0,"overloaded":0,"expired":0}},{"name":"shop","role":"service","deployment":"shop.eu",)"
      R"("phase":"running","detail":"","contractId":"acme.shop@v1","contractDigest":"d1","sessionKey":"key1",)"
      R"("generations":2,"maxGenerations":8,"calls":{"waiting":0,"running":0,"unanswered":0,"abandoned":0,)"
      R"("answered":12,"overloaded":0,"expired":0},"durations":{"bounds":[0.0005,1],"counts":[3,8,1]},)"
      R"("connection":{"state":"connected",)"
      R"("since":"2026-01-31T12:00:00.000Z","credentialsExpire":"2026-01-31T12:00:20.000Z","connects":4,)"
      R"("rotations":3},"lastError":{"time":"2026-01-31T12:00:01.000Z","text":"slow_consumer: it is slow"}},{"name":"new","role":"service","deployment":"new","phase":"refused",)"
      R"("detail":"untrusted","contractId":"","contractDigest":"","sessionKey":"","generations":0,"maxGenerations":8}]})");
}

TEST_CASE("keys are those of services that have one") {
  CHECK(ask(actions_of_a_small_host(), R"({"op":"keys"})") ==
        R"({"ok":true,"keys":[{"plugin":"shop","deployment":"shop.eu","sessionKey":"key1"}]})");
}

TEST_CASE("metrics are answered as JSON, or as the text that Prometheus scrapes") {
  auto actions = actions_of_a_small_host();
  actions.metrics = [](const auto &done) {
    done({{MetricKind::counter, "x.requests", "{request}", "What came.", {{{{"plugin", "shop"}}, 3, {}, {}, 0}}}});
  };
  CHECK(ask(actions, R"({"op":"metrics"})") ==
        R"({"ok":true,"metrics":[{"name":"x.requests","kind":"counter","unit":"{request}","description":"What came.",)"
        R"("series":[{"attributes":{"plugin":"shop"},"value":3}]}]})");
  CHECK(ask(actions, R"({"op":"metrics","format":"prometheus"})") ==
        R"({"ok":true,"text":"# HELP x_requests_total What came.\n# TYPE x_requests_total counter\n)"
        R"(x_requests_total{plugin=\"shop\"} 3\n"})");
}

TEST_CASE("a reload is answered with its outcome") {
  auto actions = actions_of_a_small_host();
  CHECK(ask(actions, R"({"op":"reload"})") == R"({"ok":true,"settled":true})");
  actions.reload = [](const auto &done) { done(fail("config_syntax", "t.toml:3", "what is this")); };
  CHECK(ask(actions, R"({"op":"reload"})") ==
        R"({"ok":false,"code":"config_syntax","reason":"t.toml:3: what is this"})");
  actions.reload = [](const auto &) {};
  actions.reload_limit = 1ms;
  CHECK(ask(actions, R"({"op":"reload"})") == R"({"ok":true,"settled":false})");
}

TEST_CASE("what is no request is refused") {
  for (const char *line : {"", "reload", "[]", "{}", R"({"op":"stop"})", R"({"op":5})"}) {
    INFO(line);
    CHECK(ask(actions_of_a_small_host(), line).starts_with(R"({"ok":false,"code":"invalid_request")"));
  }
}

TEST_CASE("the socket answers its own user, over a path of any length") {
  const TemporaryFolder folder;
  auto state_dir = folder.path();
  for (int i = 0; i < 4; ++i)
    state_dir /= std::string(40, 'd');
  std::filesystem::create_directories(state_dir);
  const auto socket = state_dir / kControlSocketName;
  {
    const auto serving = ControlSocket::open(state_dir, actions_of_a_small_host());
    INFO((serving ? "" : serving.error().text()));
    REQUIRE(serving);
    struct stat status {};
    REQUIRE(::lstat(socket.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    CHECK(ask_control_socket(socket, R"({"op":"reload"})", 5s) == R"({"ok":true,"settled":true})");
    CHECK(ask_control_socket(socket, R"({"op":"keys"})", 5s).has_value());
    const auto second = ControlSocket::open(state_dir, actions_of_a_small_host());
    REQUIRE_FALSE(second);
    CHECK(second.error().message == "another host serves this state_dir");
  }
  CHECK_FALSE(std::filesystem::exists(socket));
  CHECK_FALSE(ask_control_socket(socket, R"({"op":"keys"})", 5s));
}

TEST_CASE("a request line that is too long gets no answer") {
  const TemporaryFolder folder;
  const auto serving = ControlSocket::open(folder.path(), actions_of_a_small_host());
  REQUIRE(serving);
  const auto answer =
      ask_control_socket(folder.path() / kControlSocketName, std::string(kMaxControlRequest + 8192, ' '), 5s);
  CHECK_FALSE(answer);
}

TEST_CASE("the socket answers again after the process had no descriptors left") {
  const TemporaryFolder folder;
  const auto serving = ControlSocket::open(folder.path(), actions_of_a_small_host());
  REQUIRE(serving);
  const auto socket = folder.path() / kControlSocketName;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit few{64, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  std::vector<int> taken;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0))
    taken.push_back(fd);
  REQUIRE(!taken.empty());
  ::close(taken.back()); // for the one who asks; the kernel keeps one for who is answered next, and none after that
  taken.pop_back();
  static_cast<void>(ask_control_socket(socket, R"({"op":"keys"})", 300ms));
  for (const int fd : taken)
    ::close(fd);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(ask_control_socket(socket, R"({"op":"keys"})", 5s).has_value());
}

TEST_CASE("a peer that sends its line a byte at a time is closed when its time is up") {
  const TemporaryFolder folder;
  auto actions = actions_of_a_small_host();
  actions.io_limit = 300ms;
  const auto serving = ControlSocket::open(folder.path(), std::move(actions));
  REQUIRE(serving);
  const int fd = connected_to(folder.path() / kControlSocketName);
  const auto until = std::chrono::steady_clock::now() + 10s;
  bool closed = false;
  while (!closed && std::chrono::steady_clock::now() < until) {
    closed = ::send(fd, " ", 1, MSG_NOSIGNAL) != 1;
    pollfd wait{fd, POLLIN, 0};
    closed = closed || ::poll(&wait, 1, 50) > 0; // the end is all that there is to read
  }
  CHECK(closed);
  ::close(fd);
}

TEST_CASE("so many connections are open at once, and further ones are closed") {
  const TemporaryFolder folder;
  auto actions = actions_of_a_small_host();
  actions.connections_max = 2;
  const auto serving = ControlSocket::open(folder.path(), std::move(actions));
  REQUIRE(serving);
  const auto socket = folder.path() / kControlSocketName;
  const int first = connected_to(socket), second = connected_to(socket);
  CHECK_FALSE(ask_control_socket(socket, R"({"op":"keys"})", 5s));
  ::close(first);
  ::close(second);
  CHECK(test::wait_until([&] { return ask_control_socket(socket, R"({"op":"keys"})", 5s).has_value(); }));
}

TEST_CASE("a peer that takes its answer slowly doesn't get all of it when its time is up") {
  const TemporaryFolder folder;
  auto actions = actions_of_a_small_host();
  actions.io_limit = 300ms;
  actions.status = [](const auto &done) {
    HostStatus status{"edge", true, {}};
    status.plugins.emplace_back().detail = std::string(std::size_t{3} << 19, 'x');
    done(status);
  };
  const auto serving = ControlSocket::open(folder.path(), std::move(actions));
  REQUIRE(serving);
  const int fd = connected_to(folder.path() / kControlSocketName);
  REQUIRE(::send(fd, "{\"op\":\"status\"}\n", 16, MSG_NOSIGNAL) == 16);
  std::vector<char> block(std::size_t{64} << 10);
  char last = 0;
  std::size_t size = 0;
  for (ssize_t got = 0; (got = ::recv(fd, block.data(), block.size(), 0)) > 0; ::poll(nullptr, 0, 100)) {
    last = block[static_cast<std::size_t>(got) - 1];
    size += static_cast<std::size_t>(got);
  }
  CHECK(size > 0);
  CHECK(last != '\n');
  ::close(fd);
}

TEST_CASE("a connection that the system has no thread for is closed, and later ones are answered") {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
  CHECK(outcome_without_threads([&](const auto &no_threads, const auto &threads_again) {
          const auto serving = ControlSocket::open(folder.path(), actions_of_a_small_host());
          if (!serving) return 3;
          const auto socket = folder.path() / kControlSocketName;
          no_threads();
          if (ask_control_socket(socket, R"({"op":"keys"})", 5s)) return 4;
          threads_again();
          return ask_control_socket(socket, R"({"op":"keys"})", 5s) ? 0 : 5;
        }) == 0);
}

TEST_CASE("a socket that the system has no thread for isn't made, and says so") {
  const TemporaryFolder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0777));
  CHECK(outcome_without_threads([&](const auto &no_threads, const auto &) {
          no_threads();
          const auto serving = ControlSocket::open(folder.path(), actions_of_a_small_host());
          if (serving) return 3;
          const bool said = serving.error().message.find("thread") != std::string::npos;
          return said && !std::filesystem::exists(folder.path() / kControlSocketName) ? 0 : 4;
        }) == 0);
}

TEST_CASE("a socket that a killed host left behind is replaced") {
  const TemporaryFolder folder;
  { const auto killed = ControlSocket::open(folder.path(), actions_of_a_small_host()); }
  folder.write(kControlSocketName, Bytes{});
  const auto serving = ControlSocket::open(folder.path(), actions_of_a_small_host());
  REQUIRE(serving);
  CHECK(ask_control_socket(folder.path() / kControlSocketName, R"({"op":"keys"})", 5s).has_value());
}
