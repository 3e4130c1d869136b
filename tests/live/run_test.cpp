// trellis plugin run: the author's loop, as an author uses it.
#include "live_host.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>

using namespace trellis;
using namespace trellis::test;

namespace {

struct Run {
  Run(const std::filesystem::path &plugin, std::vector<std::string> more = {}) : log(folder / "run.log") {
    std::vector<std::string> argv = {built("trellis").string(), "plugin", "run", plugin.string()};
    argv.insert(argv.end(), more.begin(), more.end());
    process = std::make_unique<Process>(argv, log);
  }

  bool says(const std::string &text) const {
    return wait_until([&] { return read_file(log).find(text) != std::string::npos; });
  }
  // The trellis.toml that it names.
  std::string config() const {
    const auto text = read_file(log);
    const auto at = text.find("--config ") + 9;
    return text.substr(at, text.find('\n', at) - at);
  }
  Outcome call(const std::string &rpc, const std::string &input) const {
    return run_program({built("trellis").string(), "call", rpc, input, "--config", config()});
  }

  TempDir folder;
  std::filesystem::path log;
  std::unique_ptr<Process> process;
};

void replace(const std::filesystem::path &file, const std::filesystem::path &with) {
  const auto fresh = file.string() + ".new";
  std::filesystem::copy_file(with, fresh, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::rename(fresh, file);
}

} // namespace

TEST_CASE(
    "plugin run serves a file, reloads it when it changes, keeps the running copy when it breaks, and cleans up") {
  const TempDir folder;
  const auto file = folder / "mine.so";
  std::filesystem::copy_file(built("echo-cpp.so"), file);
  Run run(file);
  REQUIRE(run.says("host ready"));
  CHECK(run.call("Shout.Say", R"({"message":"a"})").out == "{\"message\":\"A\"}\n");

  replace(file, built("echo-c.so"));
  REQUIRE(run.says("replaced its predecessor"));
  CHECK(run.call("Echo.Say", R"({"message":"a"})").out == "{\"message\":\"a\"}\n");

  write_file(file, "no ELF file");
  REQUIRE(run.says("not reloaded, the running copy stays"));
  CHECK(read_file(run.log).find("plugin stopping") == std::string::npos);
  replace(file, built("echo-c.so"));
  CHECK(wait_until([&] { return run.call("Echo.Say", R"({"message":"b"})").status == 0; }));

  const std::filesystem::path home = std::filesystem::path(run.config()).parent_path().parent_path();
  CHECK(std::filesystem::exists(home));
  run.process->signal(SIGINT);
  CHECK(run.process->wait() == 0);
  CHECK(!std::filesystem::exists(home));
}

TEST_CASE("plugin run takes what a plugin uses and its configuration, and every capability is there to try") {
  Run run(built("inventory.so"), {"--with", built("echo-c.so").string(), "--set", "shelves.bolt=3"});
  REQUIRE(run.says("host ready"));
  CHECK(run.call("Inventory.Take", R"({"sku":"bolt","quantity":1})").out == "{\"sku\":\"bolt\",\"available\":2}\n");
}

TEST_CASE("plugin run has the event stream") {
  const TempDir folder;
  const auto journal = (folder / "journal").string();
  Run run(built("live-events.so"), {"--set", "journal=\"" + journal + "\""});
  REQUIRE(run.says("host ready"));
  const auto outcome = run.call("Events.Publish", R"({"key":"k1","message":"a"})");
  INFO(outcome.err);
  CHECK(outcome.out.find(R"("stream":"trellis")") != std::string::npos);
  CHECK(wait_until(
      [&] { return std::filesystem::exists(journal) && read_file(journal).find("live a") != std::string::npos; }));
}

TEST_CASE("plugin run sends heartbeats, without anybody's leave") {
  Run run(built("nurse.so"));
  REQUIRE(run.says("host ready"));
  CHECK(wait_until([&] {
    return run.call("Nurse.Heard", R"({"name":"nurse"})").out.find(R"("status":"healthy")") != std::string::npos;
  }));
}

TEST_CASE(
    "plugin run gives a plugin in a process of its own a data folder that it can reach, and keeps it from the rest") {
  if (!std::filesystem::exists(built("echo-go.so"))) SKIP("built without Go");
  Run run(built("echo-go.so"));
  REQUIRE(run.says("host ready"));
  const auto outcome = run.call("Echo.Say", R"({"message":"a"})");
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(read_file(run.log).find("can't reach its data folder") == std::string::npos);
  const auto bundle = std::filesystem::path(run.config()).parent_path();
  for (const auto &folder : {bundle, bundle.parent_path() / "jetstream", bundle.parent_path() / "state"}) {
    INFO(folder);
    CHECK((std::filesystem::status(folder).permissions() & std::filesystem::perms(077)) == std::filesystem::perms{});
  }
}

TEST_CASE("plugin run says what is wrong with a file that it can't run") {
  const TempDir folder;
  write_file(folder / "bad.so", "no ELF file");
  const auto outcome = run_program({built("trellis").string(), "plugin", "run", (folder / "bad.so").string()});
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("bad.so") != std::string::npos);
}
