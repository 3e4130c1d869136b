// A host with a plugin in a process of its own that tries to break out, for each kind of user that the host may have.
#pragma once

#include "artifact/artifact.h"
#include "live_host.h"
#include "support/wait_until.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace trellis::test {

namespace fs = std::filesystem;

inline constexpr char kUnruly[] = "test.unruly@v1", kEcho[] = "acme.echo@v1";

// A host with the unruly plugin in a process of its own, and echo beside it in the host's.
struct Bench : LiveHost {
  explicit Bench(const std::string &lines = {}, const std::string &host_lines = {})
      : LiveHost({.host_lines = host_lines}) {
    fs::permissions(bundle().parent_path(), fs::perms(0711)); // so that the plugin's own user reaches its folder
    fs::permissions(bundle(), fs::perms(0711));
    set_plugin("unruly", {.file = built("unruly.so"), .lines = "isolation = \"process\"\n" + lines});
    set_plugin("echo", {built("echo-c.so")});
    accept(built("unruly.so"));
    accept(built("echo-c.so"));
    set_caller("clerk", {{}, {{kEcho, {"*"}}, {kUnruly, {"*"}}}});
  }
  void begin() {
    start();
    clerk = connect("clerk");
  }

  CallResult ask(const std::string &mode, const std::string &path = {},
                 std::chrono::milliseconds timeout = std::chrono::seconds(20)) {
    CallOptions options;
    options.timeout = timeout;
    return clerk->call(kUnruly, "Unruly.Do", R"({"mode":")" + mode + R"(","path":")" + path + "\"}", options);
  }
  // What came of an attempt: "ok ..." or "errno N".
  std::string attempt(const std::string &mode, const std::string &path = {}) {
    const auto answer = ask(mode, path);
    if (!answer) return error_text(answer);
    const auto from = answer->find(":\"") + 2;
    return answer->substr(from, answer->rfind('"') - from);
  }
  bool echo_answers() { return clerk->call(kEcho, "Echo.Say", R"({"message":"fine"})").has_value(); }
  bool unruly_answers() {
    return wait_until([&] { return ask("nothing").has_value(); }, std::chrono::seconds(20));
  }
  int unruly_pid() { return std::stoi(attempt("pid")); }
  fs::path state() const { return bundle() / "state"; }
  std::vector<fs::path> reports() const {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto &entry : fs::directory_iterator(state() / "crashes", none))
      found.push_back(entry.path());
    std::ranges::sort(found);
    return found;
  }
  // JSON, with spaces and line ends left out.
  std::string status() {
    auto said =
        run_program({built("trellis").string(), "host", "status", "--json", "--config", config_file().string()});
    REQUIRE(said.err == "");
    std::erase_if(said.out, [](char c) { return c == ' ' || c == '\n'; });
    return said.out;
  }

  std::unique_ptr<Caller> clerk;
};

inline bool refused(const std::string &outcome) {
  return outcome.starts_with("errno ");
}

// By memmem: find is slow where this is sanitized as well.
inline bool host_has_symbol(const std::string &name) {
  const auto program = read_file(built("trellis-host"));
  return ::memmem(program.data(), program.size(), name.data(), name.size()) != nullptr;
}
inline bool host_is_thread_sanitized() {
  return host_has_symbol("__tsan_init");
}
// Its memory can't be limited then, and grows by quarantines.
inline bool host_is_sanitized() {
  return host_has_symbol("__asan_init") || host_is_thread_sanitized();
}

inline void check_it_cant_read(Bench &bench) {
  const auto bundle = bench.bundle();
  std::size_t tried = 0;
  for (const auto &entry : fs::recursive_directory_iterator(bundle)) {
    if (!entry.is_regular_file()) continue;
    INFO(entry.path());
    CHECK(refused(bench.attempt("read", entry.path().string())));
    CHECK(refused(bench.attempt("write", entry.path().string())));
    ++tried;
  }
  CHECK(tried > 10); // keys, credentials, policy, replay cache, seeds
  CHECK(refused(bench.attempt("list", bundle.string())));
  CHECK(refused(bench.attempt("list", bench.state().string())));
  CHECK(refused(bench.attempt("read", "/etc/shadow")));
  CHECK(refused(bench.attempt("read", "/etc/passwd")));
  CHECK(refused(bench.attempt("list", "/root")));
  CHECK(refused(bench.attempt("list", "/tmp")));
  CHECK(refused(bench.attempt("write", "/tmp/trellis-unruly-was-here")));
  CHECK(refused(bench.attempt("host-memory")));
  CHECK(refused(bench.attempt("memory-of", std::to_string(::getpid()))));
  CHECK(refused(bench.attempt("memory-of", "1")));
  CHECK(refused(bench.attempt("host-environment")));
  CHECK(refused(bench.attempt("ptrace")));
  CHECK(refused(bench.attempt("connect", (bench.state() / "control.sock").string())));
  CHECK(bench.attempt("descriptors") == "0");
  CHECK(bench.echo_answers());
  // Ways round: names of the root and of the working folder that the kernel resolves by itself.
  for (const std::string root : {"/proc/self/root", "/proc/self/cwd", "/proc/thread-self/root", "/usr/.."}) {
    INFO(root);
    CHECK(refused(bench.attempt("read", root + (bundle / "trellis.toml").string())));
  }
}

inline void check_it_cant_reach_out(Bench &bench) {
  for (const std::string mode :
       {"exec", "fork-bomb", "signal-host", "signal-all", "mount", "unshare", "become-root", "ptrace"}) {
    INFO(mode);
    CHECK(refused(bench.attempt(mode)));
  }
  CHECK(bench.attempt("ip-socket").starts_with("ok"));
  CHECK(bench.echo_answers());
}

} // namespace trellis::test
