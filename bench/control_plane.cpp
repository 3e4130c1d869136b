// Connects through the auth callout, against connects with static JWTs on the same server: one after the other and
// eight at a time, with few and with many sessions in the database; and callouts while fifty people sign in. One JSON
// object per line; five alternating runs, medians.
#include "control_plane_site.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace trellis;
using namespace trellis::bench;

namespace {

using Times = std::vector<double>; // milliseconds
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 5;
constexpr int kPeople = 50;
constexpr double kLimitMs = 100; // of a callout's answer while they sign in

// Runs `work(i)` for i from 0 to count - 1 on so many threads, and throws what the first of them threw.
void run_parallel(int count, int threads, const std::function<void(int)> &work) {
  std::atomic<int> next = 0;
  std::atomic<bool> failed = false;
  std::string problem;
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i)
    running.emplace_back([&] {
      try {
        for (int at = next++; at < count && !failed; at = next++)
          work(at);
      } catch (const std::exception &thrown) {
        if (!failed.exchange(true)) problem = thrown.what();
      }
    });
  for (auto &thread : running)
    thread.join();
  if (failed) throw std::runtime_error(problem);
}

double seconds_of(const std::function<void()> &work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Connects per second.
double rate(int count, int at_a_time, const std::function<void()> &connect) {
  return count / seconds_of([&] { run_parallel(count, at_a_time, [&](int) { connect(); }); });
}

double median(Times values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
double spread(Times values) {
  std::sort(values.begin(), values.end());
  return (values.back() - values.front()) / values[values.size() / 2];
}
void append(Times &to, const Times &more) {
  to.insert(to.end(), more.begin(), more.end());
}

// Of sorted values that aren't none.
double at_share(const Times &sorted, double share) {
  if (sorted.empty()) throw std::runtime_error("nothing was seen to be measured");
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(share * static_cast<double>(sorted.size())))];
}

// Three lines: median, p99 and the slowest of `ours`, against the same of `floor`.
void print_times(const std::string &name, Times ours, Times floor, const std::string &floor_is,
                 const std::string &more = "") {
  std::sort(ours.begin(), ours.end());
  std::sort(floor.begin(), floor.end());
  static constexpr std::pair<const char *, double> kShares[] = {{"median", 0.5}, {"p99", 0.99}, {"slowest", 1}};
  for (const auto &[word, share] : kShares) {
    const double a = at_share(ours, share), b = at_share(floor, share);
    std::printf("{\"bench\":\"control-plane\",\"case\":\"%s, %s\",\"unit\":\"ms\",\"ours\":%.2f,\"floor\":%.2f,"
                "\"ratio\":%.3f,\"floor_is\":\"%s\",\"count\":%zu%s,\"sync_interval\":\"always\"}\n",
                name.c_str(), word, a, b, a / b, floor_is.c_str(), ours.size(), more.c_str());
  }
  std::fflush(stdout);
}

// The callouts' own answer times.
Times measure_connects(ControlPlaneSite &site, int sessions, int at_a_time) {
  const int count = at_a_time * 100;
  Times ours, floor, callouts;
  double host_cpu = 0;
  for (int run = 0; run < kRuns; ++run) {
    site.settle();
    site.callout_ms();
    host_cpu -= site.host_cpu_seconds();
    ours.push_back(rate(count, at_a_time, [&] { site.connect_through_callout(); }));
    site.settle();
    host_cpu += site.host_cpu_seconds();
    append(callouts, site.callout_ms());
    floor.push_back(rate(count, at_a_time, [&] { site.connect_with_static_jwt(); }));
  }
  std::printf("{\"bench\":\"control-plane\",\"case\":\"%d at a time, %d sessions\",\"unit\":\"connects/s\","
              "\"ours\":%.1f,\"floor\":%.1f,\"ratio\":%.3f,\"floor_is\":\"static JWT\",\"spread_ours\":%.2f,"
              "\"spread_floor\":%.2f,\"host_cpu_us\":%.0f,\"sync_interval\":\"always\"}\n",
              at_a_time, sessions, median(ours), median(floor), median(ours) / median(floor), spread(ours),
              spread(floor), host_cpu * 1e6 / (kRuns * count));
  std::fflush(stdout);
  return callouts;
}

// Connects on so many threads until finish().
class Connecting {
public:
  Connecting(ControlPlaneSite &site, int at_a_time)
      : thread_([this, &site, at_a_time] {
          try {
            run_parallel(at_a_time, at_a_time, [&](int) {
              while (!over_)
                connect(site);
            });
          } catch (const std::exception &thrown) {
            problem_ = thrown.what();
          }
        }) {}
  ~Connecting() {
    if (thread_.joinable()) end();
  }
  Connecting(const Connecting &) = delete;
  Connecting &operator=(const Connecting &) = delete;

  // Milliseconds of each connect.
  Times finish() {
    end();
    if (!problem_.empty()) throw std::runtime_error(problem_);
    return std::move(ms_);
  }

private:
  void connect(ControlPlaneSite &site) {
    const double ms = 1000 * seconds_of([&] { site.connect_through_callout(); });
    const std::lock_guard lock(mutex_);
    ms_.push_back(ms);
  }
  void end() {
    over_ = true;
    thread_.join();
  }

  std::atomic<bool> over_ = false;
  std::mutex mutex_; // guards ms_
  Times ms_;
  std::string problem_; // of thread_, until it ended
  std::thread thread_;
};

struct LoginFigures {
  Times connects, callouts;
  double seconds = 0; // of the logins
};

// Connects for as long as `work` runs, kRuns times; `prepare` runs before each.
LoginFigures connects_during(ControlPlaneSite &site, int at_a_time, const std::function<void()> &prepare,
                             const std::function<void()> &work) {
  LoginFigures figures;
  for (int run = 0; run < kRuns; ++run) {
    prepare();
    site.settle();
    site.callout_ms();
    Connecting connecting(site, at_a_time);
    figures.seconds += seconds_of(work);
    append(figures.connects, connecting.finish());
    append(figures.callouts, site.callout_ms());
  }
  return figures;
}

void measure_during_logins(ControlPlaneSite &site, int at_a_time) {
  std::vector<ControlPlaneSite::Person> people;
  const auto busy = connects_during(
      site, at_a_time, [&] { people = site.people(kPeople); },
      [&] {
        run_parallel(kPeople, kPeople, [&](int person) { site.log_in(people[static_cast<std::size_t>(person)]); });
      });
  const auto quiet = connects_during(
      site, at_a_time, [] {}, [] { std::this_thread::sleep_for(std::chrono::seconds(1)); });
  char more[128];
  std::snprintf(more, sizeof more, ",\"limit\":%.0f,\"over_limit\":%td,\"logins_per_s\":%.1f", kLimitMs,
                std::count_if(busy.callouts.begin(), busy.callouts.end(), [](double ms) { return ms > kLimitMs; }),
                kRuns * kPeople / busy.seconds);
  const auto name = std::to_string(at_a_time) + " at a time, during " + std::to_string(kPeople) + " logins";
  print_times("callout answered, " + name, busy.callouts, quiet.callouts, "the same without logins", more);
  print_times("connected, " + name, busy.connects, quiet.connects, "the same without logins");
}

void run_bench() {
  ControlPlaneSite site;
  for (const int at_a_time : {1, 8})
    measure_during_logins(site, at_a_time);
  Times few[2];
  for (const int sessions : {100, 100'000}) {
    site.seed_sessions(sessions);
    for (const int at_a_time : {1, 8}) {
      auto callouts = measure_connects(site, sessions, at_a_time);
      auto &before = few[at_a_time == 1 ? 0 : 1];
      if (before.empty())
        before = std::move(callouts);
      else
        print_times("callout answered, " + std::to_string(at_a_time) + " at a time, " + std::to_string(sessions) +
                        " sessions",
                    std::move(callouts), before, "the same with 100 sessions");
    }
  }
}

} // namespace

int main() {
  try {
    run_bench();
    return 0;
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "bench control-plane: %s\n", problem.what());
    return 1;
  }
}
