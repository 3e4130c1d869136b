// The whole control plane, ended at its durable writes and on a disk without space: whatever was begun can be ended or
// repeated, and nothing is half there.
//
// A run walks through what an installation goes through, from first boot to a revoked session. Each step is cut off at
// the n-th durable write that it (or the start before it) makes, for several n, and then done. The short run takes a
// few n; with TRELLIS_TEST_LONG it takes all there are, and kills nats-server, too.
#include "contracts/json_write.h"
#include "control_plane_story.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <sys/resource.h>

using namespace trellis;
using namespace trellis::test;

namespace {

bool long_run() {
  return std::getenv("TRELLIS_TEST_LONG") != nullptr;
}

// Which arrivals to be cut off at.
std::vector<int> cuts(std::vector<int> few) {
  if (!long_run()) return few;
  std::vector<int> all;
  for (int n = 1; n <= 60; ++n)
    all.push_back(n);
  return all;
}

struct Cut {
  Story story;
  int crashes = 0;

  void through(Step step, const std::vector<int> &at) {
    INFO(step_name(step));
    bool done = false;
    for (const int n : at) {
      story.arm(n);
      done = story.advance(step);
      if (done) break;
      ++crashes;
      if (const auto wrong = story.half_written(); !wrong.empty()) FAIL("cut off at " << n << ": " << wrong);
      if (long_run() && crashes % 5 == 0) story.kill_nats();
    }
    story.disarm();
    if (!done) REQUIRE(story.advance(step));
  }
};

} // namespace

TEST_CASE("cut off at any durable write, every flow of the control plane can be ended or repeated") {
  Cut cut;
  cut.through(Step::first_boot, cuts({5}));
  cut.through(Step::set_password, cuts({1, 2}));
  cut.through(Step::log_in, cuts({1}));
  cut.through(Step::approve, cuts({2}));
  cut.through(Step::bind, cuts({1, 2}));
  cut.through(Step::propose, cuts({3}));
  cut.through(Step::accept, cuts({1, 4, 7}));
  CHECK(cut.story.echo_answers());
  cut.through(Step::revoke, cuts({1, 2}));
  CHECK(cut.crashes >= 10); // or steps have become fewer writes, and the numbers above cut nothing off
  CHECK(cut.story.plane().stop() == 0);
  CHECK(cut.story.half_written() == "");
  CHECK(cut.story.unfinished() == "");
  CHECK(cut.story.count("service_instances WHERE disabled") == 1);
}

namespace {

// A folder whose disk can be full: a small file system of its own where that may be mounted (root), else a limit on the
// size of the host's files. Programs that are started meanwhile get an error for a write that the limit forbids.
class ScarceDisk {
public:
  explicit ScarceDisk(const std::filesystem::path &at) : at_(at), handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    mounted_ = ::mount("none", at_.c_str(), "tmpfs", 0, "size=8m,mode=0700") == 0;
  }
  ~ScarceDisk() {
    std::signal(SIGXFSZ, handler_);
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  ScarceDisk(const ScarceDisk &) = delete;
  ScarceDisk &operator=(const ScarceDisk &) = delete;

  void fill(pid_t host) {
    if (!mounted_) return limit(host, 1);
    std::ofstream ballast(at_ / "ballast", std::ios::binary);
    const std::string block(4096, 'x');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void free(pid_t host) {
    if (!mounted_) return limit(host, RLIM_INFINITY);
    std::filesystem::remove(at_ / "ballast");
  }

private:
  static void limit(pid_t host, rlim_t bytes) {
    rlimit now{};
    REQUIRE(::prlimit(host, RLIMIT_FSIZE, nullptr, &now) == 0);
    now.rlim_cur = std::min(bytes, now.rlim_max);
    REQUIRE(::prlimit(host, RLIMIT_FSIZE, &now, nullptr) == 0);
  }

  std::filesystem::path at_;
  void (*handler_)(int);
  bool mounted_ = false;
};

// A deployment whose record takes a good part of a megabyte.
std::string large_deployment(int number) {
  std::vector<std::string> namespaces;
  for (int i = 0; i < 1000; ++i)
    namespaces.push_back("n" + std::to_string(i) + std::string(200, 'x'));
  return JsonObjectText()
      .text("kind", "service")
      .text("deploymentId", "large-" + std::to_string(number))
      .texts("namespaces", namespaces)
      .str();
}

} // namespace

TEST_CASE("on a full disk callers hear of it, nothing is half-written, and space is all it takes to go on") {
  Story story;
  ScarceDisk disk(story.plane().database().parent_path());
  for (const auto step : {Step::first_boot, Step::set_password, Step::log_in, Step::approve, Step::bind, Step::propose})
    REQUIRE(story.advance(step));
  const auto create = [&](int number) {
    const auto made = story.call("Auth.Deployments.Create", large_deployment(number));
    REQUIRE(made);
    return *made;
  };
  CHECK(create(0));
  disk.fill(story.plane().process().pid());
  int made = 1;
  auto refused = create(made);
  for (; refused && made < 200; refused = create(made)) // the log's file may have room of its own
    ++made;
  REQUIRE_FALSE(refused);
  INFO(error_text(refused));
  CHECK(error_text(refused).find("disk") != std::string::npos); // "database or disk is full"
  CHECK(error_text(refused).find("trellis.sqlite") != std::string::npos);
  // What only reads goes on.
  CHECK(story.call("Auth.Sessions.List", R"({"limit":10})").value());

  disk.free(story.plane().process().pid());
  CHECK(create(made)); // the same one, that was refused
  CHECK(story.advance(Step::accept));
  CHECK(story.echo_answers());
  CHECK(story.plane().stop() == 0);
  CHECK(story.half_written() == "");
  CHECK(story.unfinished() == "");
  CHECK(story.count("service_deployments WHERE deployment_id LIKE 'large-%'") == made + 1);
}
