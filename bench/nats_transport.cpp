// NatsTransport against the floor: echo requests with 1, 16 and 64 in flight.
//
// Prints one JSON object per line. Five alternating runs of ours and of each raw mode; medians; the floor is the raw
// mode with the best median (throughput with a window, p50 alone).
#include "nats/nats_transport.h"
#include "raw_nats.h"
#include "support/nats_server.h"
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string_view>

using namespace trellis;
using namespace trellis::bench;

namespace {

using Clock = std::chrono::steady_clock;

std::unique_ptr<NatsTransport> connected(NatsLoop &loop, const std::string &url) {
  NatsOptions options;
  options.servers = {url};
  options.name = "bench";
  options.inbox_prefix = "_INBOX.bench";
  auto transport = NatsTransport::open(loop, std::move(options));
  if (!transport->wait_connected(std::chrono::seconds(10))) throw std::runtime_error("no server at " + url);
  return transport;
}

// As the raw requester: a new request from inside each answer's callback.
class Requester {
public:
  Requester(Transport &transport, const EchoSetup &setup)
      : transport_(transport), setup_(setup), payload_(setup.payload, 'x'), warm_up_(setup.requests / 10) {
    for (const auto &[name, value] : setup.headers)
      headers_.push_back({name, value});
    times_us_.reserve(setup.requests);
  }

  EchoFigures run() {
    for (std::size_t i = 0; i < setup_.window; ++i)
      send();
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return in_flight_ == 0; });
    if (failed_) throw std::runtime_error("a request failed");
    return figures_of(times_us_, std::chrono::duration<double>(ended_ - started_).count(), cpu_ended_ - cpu_started_);
  }

private:
  void send() {
    {
      const std::lock_guard lock(mutex_);
      ++in_flight_;
    }
    transport_.request(
        {.subject = "bench.ours", .payload = payload_, .headers = headers_.empty() ? nullptr : &headers_},
        std::chrono::seconds(10), [this, sent = Clock::now()](Result<MessagePtr> reply) {
          if (note(sent, reply.has_value())) send();
          const std::lock_guard lock(mutex_);
          if (--in_flight_ == 0) idle_.notify_all();
        });
  }

  bool note(Clock::time_point sent, bool answered) {
    const auto now = Clock::now();
    const std::lock_guard lock(mutex_);
    failed_ = failed_ || !answered;
    if (++replies_ == warm_up_) {
      started_ = now;
      cpu_started_ = cpu_seconds();
    }
    if (replies_ > warm_up_ && times_us_.size() < setup_.requests)
      times_us_.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
    if (times_us_.size() == setup_.requests && ended_ == Clock::time_point{}) {
      ended_ = now;
      cpu_ended_ = cpu_seconds();
    }
    return answered && times_us_.size() < setup_.requests;
  }

  Transport &transport_;
  const EchoSetup &setup_;
  const std::string payload_;
  const std::size_t warm_up_;
  Headers headers_;

  std::mutex mutex_; // guards everything below
  std::condition_variable idle_;
  std::vector<double> times_us_;
  Clock::time_point started_{}, ended_{};
  double cpu_started_ = 0, cpu_ended_ = 0;
  std::size_t replies_ = 0;
  std::size_t in_flight_ = 0;
  bool failed_ = false;
};

EchoFigures measure_ours(const EchoSetup &setup) {
  auto loop = NatsLoop::start();
  if (!loop) throw std::runtime_error(loop.error().text());
  const auto responder = connected(**loop, setup.url);
  const auto client = connected(**loop, setup.url);
  const auto subscription = responder->subscribe(
      "bench.ours", "workers", [](MessagePtr message) { (void)message->respond(message->payload()); });
  if (!subscription || !responder->flush(std::chrono::seconds(5))) throw std::runtime_error("subscribe failed");
  return Requester(*client, setup).run();
}

void print(const std::string &name, const char *unit, double ours, double floor, const std::string &mode) {
  std::printf(
      R"({"bench":"nats_transport","case":"%s","unit":"%s","ours":%.1f,"floor":%.1f,"ratio":%.3f,"floor_mode":"%s"})"
      "\n",
      name.c_str(), unit, ours, floor, floor > 0 ? ours / floor : 0, mode.c_str());
  std::fflush(stdout);
}

void compare(const std::string &name, const EchoSetup &setup, int runs) {
  std::vector<EchoFigures> ours;
  std::map<std::string, std::vector<EchoFigures>> raw;
  for (int run = 0; run < runs; ++run) {
    ours.push_back(measure_ours(setup));
    for (const auto &mode : raw_modes())
      raw[mode.name()].push_back(measure_raw_echo(setup, mode));
  }
  const auto best = [&](auto better) {
    return std::min_element(raw.begin(), raw.end(), [&](const auto &a, const auto &b) {
      return better(median_of(a.second), median_of(b.second));
    });
  };
  const auto fastest = best([](const auto &a, const auto &b) { return a.per_second > b.per_second; });
  const auto quickest = best([](const auto &a, const auto &b) { return a.p50_us < b.p50_us; });
  const auto mine = median_of(ours);
  print(name, "req/s", mine.per_second, median_of(fastest->second).per_second, fastest->first);
  print(name, "p50 us", mine.p50_us, median_of(quickest->second).p50_us, quickest->first);
  print(name, "cpu us/req", mine.cpu_us, median_of(fastest->second).cpu_us, fastest->first);
  print(name, "p99 us", mine.p99_us, median_of(quickest->second).p99_us, quickest->first);
}

} // namespace

int main(int count, char **arguments) {
  const bool quick = count > 1 && std::string_view(arguments[1]) == "--quick";
  const int runs = quick ? 1 : 5;
  const std::size_t scale = quick ? 1 : 4;
  const test::NatsServer server({.jetstream = false});
  const std::vector<std::pair<std::string, std::string>> proof = {{"session-key", std::string(43, 'k')},
                                                                  {"proof", std::string(86, 'p')},
                                                                  {"iat", "1767225600"},
                                                                  {"request-id", std::string(26, 'r')}};
  compare("echo, 1 in flight", {.url = server.url(), .window = 1, .requests = 2'000 * scale}, runs);
  compare("echo, 16 in flight", {.url = server.url(), .window = 16, .requests = 20'000 * scale}, runs);
  compare("echo, 64 in flight", {.url = server.url(), .window = 64, .requests = 40'000 * scale}, runs);
  compare("echo, 4 headers, 64 in flight",
          {.url = server.url(), .window = 64, .requests = 40'000 * scale, .headers = proof}, runs);
}
