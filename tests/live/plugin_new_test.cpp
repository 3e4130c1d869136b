// trellis plugin new, and then the three commands that its README names, in a folder outside of this project.
#include "live_host.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

std::string line_of(const std::string &text, const std::string &name) {
  const auto at = text.find("\n" + name + "=");
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in:\n" + text);
  const auto start = at + name.size() + 2;
  return text.substr(start, text.find('\n', start) - start);
}

// A shell in the project's folder. Nothing of this build's own settings, and no network.
Outcome in_project(const std::filesystem::path &project, const std::string &command) {
  const auto caches = std::filesystem::path(std::getenv("TRELLIS_BUILD_DIR")) / "languages";
  const std::string settings = "unset CARGO_TARGET_DIR MAKEFLAGS MAKELEVEL; export CARGO_NET_OFFLINE=true GOPROXY=off "
                               "GOTOOLCHAIN=local GOENV=off GOFLAGS=-buildvcs=false GOCACHE='" +
                               (caches / "go").string() + "' GOPATH='" + (caches / "go-path").string() +
                               "' CARGO_HOME='" + (caches / "cargo-home").string() + "'; cd '" + project.string() +
                               "' && ";
  return run_program({"/bin/sh", "-c", settings + command}, 600s);
}

// Builds, tests, runs and calls the project of one language.
void check_language(const std::string &language) {
  const TempDir folder;
  const auto project = folder / "stock-keeper";
  const auto made = run_program(
      {built("trellis").string(), "plugin", "new", "stock-keeper", "--lang", language, "--dir", project.string()});
  INFO(made.err);
  REQUIRE(made.status == 0);
  for (const auto *step : {"build", "test"}) {
    const auto outcome = in_project(project, line_of(made.out, step));
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.status == 0);
  }
  const auto run = line_of(made.out, "run");
  const auto plugin = project / run.substr(run.rfind(' ') + 1);
  const auto log = folder / "run.log";
  Process process({built("trellis").string(), "plugin", "run", plugin.string()}, log);
  REQUIRE(wait_until(
      [&] {
        return read_file(log).find("--config ") != std::string::npos &&
               read_file(log).find("host ready") != std::string::npos;
      },
      60s));
  const auto text = read_file(log);
  const auto at = text.find("--config ") + 9;
  const auto call = [&](const std::string &name) {
    return run_program({built("trellis").string(), "call", "StockKeeper.Greet", R"({"name":")" + name + R"("})",
                        "--config", text.substr(at, text.find('\n', at) - at)});
  };
  CHECK(call("Ada").out == "{\"text\":\"Hello, Ada!\"}\n");
  const auto refused = call("nobody");
  CHECK(refused.status != 0);
  CHECK((refused.out + refused.err).find("NotAtHome") != std::string::npos);
  process.signal(SIGINT);
  CHECK(process.wait() == 0);
}

} // namespace

TEST_CASE("a new project in C builds, tests and runs with three commands") {
  check_language("c");
}

TEST_CASE("a new project in C++ builds, tests and runs with three commands") {
  check_language("cpp");
}

TEST_CASE("a new project in Rust builds, tests and runs with three commands") {
  check_language("rust");
}

TEST_CASE("a new project in Go builds, tests and runs with three commands") {
  check_language("go");
}
