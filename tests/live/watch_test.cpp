// trellis host status --watch on a host that works, ends and comes back.
#include "contracts/json.h"
#include "live_host.h"
#include "log_lines.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <rapidjson/document.h>
#include <sstream>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

struct Watch {
  explicit Watch(const LiveHost &host, std::vector<std::string> more)
      : process(command(host, std::move(more)), folder / "out") {}

  static std::vector<std::string> command(const LiveHost &host, std::vector<std::string> more) {
    std::vector<std::string> argv{built("trellis").string()};
    argv.insert(argv.end(), more.begin(), more.end());
    for (const auto *word : {"host", "status", "--watch", "--interval", "1", "--config"})
      argv.emplace_back(word);
    argv.push_back(host.config_file().string());
    return argv;
  }
  std::string said() const { return read_file(folder / "out"); }
  bool says(const std::vector<std::string> &texts) const {
    return wait_until([&] { return count_lines(said(), texts) > 0; });
  }

  TempDir folder;
  Process process;
};

struct EchoHost : LiveHost {
  EchoHost() {
    set_plugin("echo", {built("echo-c.so")});
    accept(built("echo-c.so"));
    set_caller("clerk", {{}, {{"acme.echo@v1", {"*"}}}});
  }
};

} // namespace

TEST_CASE("--watch follows a host through its work, its end and its return, and ends with Ctrl-C") {
  EchoHost host;
  host.write_files();
  Watch watch(host, {"--json"});
  CHECK(watch.says({"\"reachable\":false"}));
  host.start();
  CHECK(watch.says({"\"reachable\":true", "\"phase\":\"running\"", "\"state\":\"connected\"", "\"maxGenerations\":8"}));
  const auto clerk = host.connect("clerk");
  for (int i = 0; i < 50; ++i)
    CHECK(clerk->call("acme.echo@v1", "Echo.Say", R"({"message":"x"})"));
  CHECK(watch.says({"\"answered\":50", "\"requestsPerSecond\":"}));
  const auto ends = count_lines(watch.said(), {"\"reachable\":false"});
  CHECK(host.stop() == 0);
  CHECK(wait_until([&] { return count_lines(watch.said(), {"\"reachable\":false"}) > ends; }));
  host.start();
  CHECK(watch.says({"\"answered\":0", "\"requestsPerSecond\":null", "\"reachable\":true"}));
  watch.process.signal(SIGINT);
  CHECK(watch.process.wait(10s) == 0);
  std::istringstream lines(watch.said());
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK(parse_json(line));
  }
}

TEST_CASE("without a terminal and without --json, --watch prints a table when something changed") {
  EchoHost host;
  host.start();
  Watch watch(host, {});
  CHECK(watch.says({"echo", "running", "1/8", "connected"}));
  watch.process.signal(SIGTERM);
  CHECK(watch.process.wait(10s) == 0);
  CHECK(watch.said().find('\x1b') == std::string::npos);
}

TEST_CASE("status tells the last thing that went wrong, and a connection's rotations") {
  LiveHost host;
  host.set_jwt_life(5s);
  host.set_plugin("odd", {.file = built("odd.so"), .lines = "deadline_ms = 200\n"});
  host.accept(built("odd.so"));
  host.set_caller("clerk", {{}, {{"test.odd@v1", {"*"}}}});
  host.start();
  CHECK_FALSE(host.connect("clerk")->call("test.odd@v1", "Odd.Do", R"({"mode":"never"})"));
  const auto status = [&] {
    return run_program({built("trellis").string(), "--json", "host", "status", "--config", host.config_file().string()})
        .out;
  };
  CHECK(wait_until([&] { return status().find("request not answered in time: Odd.Do") != std::string::npos; }));
  CHECK(wait_until([&] {
    const auto answer = parse_json(status());
    const JsonValue *plugins = answer ? find_member(*answer, "plugins") : nullptr;
    if (!plugins || !plugins->IsArray() || plugins->Empty()) return false;
    const JsonValue *connection = find_member((*plugins)[0], "connection");
    const JsonValue *rotations = connection ? find_member(*connection, "rotations") : nullptr;
    return rotations && rotations->IsInt() && rotations->GetInt() >= 1;
  }));
}
