// What a process of its own costs a plugin: latency and throughput of calls, time to be ready, memory.
//
// The same plugin, table and load in both modes, on hosts that run one after the other in turns, so that the machine's
// own changes hit both.
#include "live/live_host.h"
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <vector>

using namespace trellis;
using namespace trellis::test;

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRounds = 5, kAlone = 2000, kMany = 30'000, kWindow = 64;

long resident_kb(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::string word;
  for (long kb = 0; in >> word;)
    if (word == "Pss:") return in >> kb ? kb : 0;
  return 0;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> out;
  const auto task = "/proc/" + std::to_string(pid) + "/task";
  std::error_code none;
  for (const auto &entry : std::filesystem::directory_iterator(task, none)) {
    std::ifstream in(entry.path() / "children");
    for (pid_t child = 0; in >> child;)
      out.push_back(child);
  }
  return out;
}

struct Measured {
  double alone_us = 0, per_second = 0, ready_ms = 0, memory_kb = 0;
};

Measured measure(const std::string &mode) {
  LiveHost host;
  std::filesystem::permissions(host.bundle().parent_path(), std::filesystem::perms(0711));
  std::filesystem::permissions(host.bundle(), std::filesystem::perms(0711));
  host.set_plugin("echo", {.file = built("echo-c.so"), .lines = "isolation = \"" + mode + "\"\nqueue = 1024\n"});
  host.accept(built("echo-c.so"));
  host.set_caller("clerk", {{}, {{"acme.echo@v1", {"*"}}}});
  const auto began = Clock::now();
  host.start();
  Measured out;
  out.ready_ms = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
  const auto clerk = host.connect("clerk");
  const auto method = clerk->method("acme.echo@v1", "Echo.Say");
  const std::string input = R"({"message":"0123456789012345678901234567890123456789"})";

  std::vector<double> times;
  for (int i = 0; i < kAlone; ++i) {
    const auto from = Clock::now();
    if (!clerk->client().call_and_wait(method, input, {})) std::abort();
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - from).count());
  }
  std::ranges::nth_element(times, times.begin() + kAlone / 2);
  out.alone_us = times[kAlone / 2];

  std::mutex mutex;
  std::condition_variable changed;
  int open = 0, done = 0;
  const auto from = Clock::now();
  for (int i = 0; i < kMany; ++i) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return open < kWindow; });
      ++open;
    }
    clerk->client().call(method, input, {.timeout = std::chrono::seconds(20)}, [&](const CallResult &result) {
      if (!result) std::abort();
      const std::lock_guard lock(mutex);
      --open;
      ++done;
      changed.notify_one();
    });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done == kMany; });
  out.per_second = kMany / std::chrono::duration<double>(Clock::now() - from).count();
  lock.unlock();

  out.memory_kb = static_cast<double>(resident_kb(host.process().pid()));
  for (const auto child : children_of(host.process().pid()))
    out.memory_kb += static_cast<double>(resident_kb(child));
  host.stop();
  return out;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double spread(std::vector<double> values) {
  std::ranges::sort(values);
  return (values.back() - values.front()) / values[values.size() / 2];
}

std::vector<double> each(const std::vector<Measured> &all, double Measured::*member) {
  std::vector<double> values;
  for (const auto &one : all)
    values.push_back(one.*member);
  return values;
}

} // namespace

int main() {
  std::vector<Measured> here, apart;
  for (int i = 0; i < kRounds; ++i) {
    here.push_back(measure("none"));
    apart.push_back(measure("process"));
  }
  const auto print = [&](const char *name, const char *unit, double Measured::*member) {
    const auto ours = each(apart, member), floor = each(here, member);
    std::printf(R"({"bench":"isolation","case":"%s","unit":"%s","ours":%.1f,"floor":%.1f,"ratio":%.3f,)"
                R"("floor_is":"the same plugin in the host's process","spread_ours":%.2f,"spread_floor":%.2f})"
                "\n",
                name, unit, median(ours), median(floor), median(ours) / median(floor), spread(ours), spread(floor));
  };
  print("latency alone", "us", &Measured::alone_us);
  print("throughput, window 64", "calls/s", &Measured::per_second);
  print("start of the host until ready", "ms", &Measured::ready_ms);
  print("memory, host and process", "KiB", &Measured::memory_kb);
  return 0;
}
