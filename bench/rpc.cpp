// Signed requests through a C++ echo plugin in trellis-host, against two floors on the same server: a raw nats.c echo
// responder, and one that checks each request's proof. Three ways to know the caller (rpc_site.h): a static policy, a
// control plane in the same host, and one in another host. One JSON object per line; five alternating runs, medians.
//
// All responders are processes of their own, answer the same client, and connect with JWTs of the same shape. A floor
// is the best of nats.c's ways to run (own threads or event loop, one or two threads), found anew for each window.
#include "raw_connection.h"
#include "rpc_floor.h"
#include "rpc_load.h"
#include "rpc_responder.h"
#include "rpc_site.h"
#include "support/temp_dir.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>

using namespace trellis;
using namespace trellis::bench;

namespace {

constexpr char kOurs[] = "rpc.v1.Shout.Say";
constexpr int kRuns = 5;

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// The client, and what is measured on one site.
class Bench {
public:
  explicit Bench(RpcSite &site) : site_(site) {
    client_credentials_ = credentials("client", {kOurs, kFloor}, {key().inbox_prefix() + ".>"});
    floor_credentials_ = credentials("floor", {}, {kFloor, "_INBOX.floor.>"});
    client_ = std::make_unique<RawConnection>(site.nats_url(), &loop_, false, [this](natsOptions *options) {
      return natsOptions_SetUserCredentialsFromFiles(options, client_credentials_.c_str(), nullptr);
    });
    if (!test::wait_until([this] { return answers(); })) throw std::runtime_error("the host doesn't answer");
  }

  EchoFigures ours(std::size_t window, std::size_t count) { return measure(kOurs, window, count); }
  EchoFigures floor(bool verify, const RawMode &mode, std::size_t window, std::size_t count) {
    const FloorProcess responder(verify, mode, site_.nats_url(), floor_credentials_);
    return measure(kFloor, window, count);
  }

private:
  const SessionKey &key() const { return site_.caller(); }

  std::string credentials(const std::string &name, std::vector<std::string> publish,
                          std::vector<std::string> subscribe) {
    return write_credentials(site_.bundle(), folder_ / name, std::move(publish), std::move(subscribe));
  }

  EchoFigures measure(const std::string &subject, std::size_t window, std::size_t count) {
    const auto requests = sign_requests(key(), {subject}, payload_, count);
    return measure_requests(client_->get(), requests, key().inbox_prefix(), window);
  }

  bool answers() {
    try {
      measure(kOurs, 1, 10);
      return true;
    } catch (const std::runtime_error &) {
      return false;
    }
  }

  const std::string payload_ = R"({"message":")" + std::string(114, 'X') + R"("})"; // 128 bytes; SHOUT echoes it
  RpcSite &site_;
  test::TempDir folder_;
  std::string client_credentials_, floor_credentials_;
  RawLoop loop_;
  std::unique_ptr<RawConnection> client_;
};

RawMode best_mode(Bench &bench, bool verify, std::size_t window, std::size_t count) {
  RawMode best;
  double highest = 0;
  for (const auto &mode : raw_modes()) {
    const auto figures = bench.floor(verify, mode, window, count);
    const double score = window == 1 ? 1e6 / figures.p50_us : figures.per_second;
    if (score <= highest) continue;
    highest = score;
    best = mode;
  }
  return best;
}

struct Line {
  std::string name, unit, floor_name;
  std::function<double(const EchoFigures &)> value;
};

double spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values.back() - values.front()) / values[values.size() / 2];
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double rate(const EchoFigures &figures) {
  return figures.per_second;
}
double p50(const EchoFigures &figures) {
  return figures.p50_us;
}

void print(const Line &line, const std::vector<EchoFigures> &ours, const std::vector<EchoFigures> &floor) {
  std::vector<double> a, b;
  for (const auto &figures : ours)
    a.push_back(line.value(figures));
  for (const auto &figures : floor)
    b.push_back(line.value(figures));
  std::printf("{\"bench\":\"rpc\",\"case\":\"%s\",\"unit\":\"%s\",\"ours\":%.1f,\"floor\":%.1f,\"ratio\":%.3f,"
              "\"floor_is\":\"%s\",\"spread_ours\":%.2f,\"spread_floor\":%.2f,\"sync_interval\":\"always\"}\n",
              line.name.c_str(), line.unit.c_str(), median(a), median(b), median(a) / median(b),
              line.floor_name.c_str(), spread(a), spread(b));
  std::fflush(stdout);
}

// Ours at window W, by site: what the ways to know a caller cost against each other.
using WindowFigures = std::map<std::size_t, std::vector<EchoFigures>>;

std::vector<EchoFigures> measure_window(Bench &bench, std::size_t window, const std::string &where, bool longer) {
  const std::size_t count = (window == 1 ? 3000U : 15000U) * (longer ? 2U : 1U);
  const auto raw_mode = best_mode(bench, false, window, count / 2);
  const auto verify_mode = best_mode(bench, true, window, count / 2);
  std::vector<EchoFigures> ours, raw, verify;
  for (int run = 0; run < kRuns; ++run) {
    ours.push_back(bench.ours(window, count));
    raw.push_back(bench.floor(false, raw_mode, window, count));
    verify.push_back(bench.floor(true, verify_mode, window, count));
  }
  const std::string name = "window " + std::to_string(window) + where;
  print({name, "requests/s", "raw echo, " + raw_mode.name(), rate}, ours, raw);
  print({name, "requests/s", "raw echo + proof check, " + verify_mode.name(), rate}, ours, verify);
  print({name, "p50 us", "raw echo, " + raw_mode.name(), p50}, ours, raw);
  print({name, "p50 us", "raw echo + proof check, " + verify_mode.name(), p50}, ours, verify);
  return ours;
}

WindowFigures measure_site(const std::string &name, std::unique_ptr<RpcSite> site, bool longer) {
  Bench bench(*site);
  WindowFigures ours;
  for (const std::size_t window : {1U, 16U, 64U})
    ours[window] = measure_window(bench, window, ", " + name, longer);
  if (!longer) return ours;
  const auto until = unix_ms_now() + 150'000;
  while (unix_ms_now() < until)
    bench.ours(64, 30000);
  for (const std::size_t window : {1U, 16U, 64U})
    measure_window(bench, window, ", " + name + " after 150 s of load", longer);
  return ours;
}

void run_bench() {
  const bool longer = std::getenv("TRELLIS_TEST_LONG") != nullptr;
  const auto fixed = measure_site("static policy", static_policy_site(), longer);
  const auto in_process = measure_site("validation in process", in_process_site(), longer);
  const auto by_request = measure_site("validation by request", by_request_site(), longer);
  for (const auto &[window, figures] : in_process) {
    const std::string name = "window " + std::to_string(window) + ", validation ";
    print({name + "in process", "requests/s", "ours with static policy", rate}, figures, fixed.at(window));
    print({name + "by request", "requests/s", "ours in process", rate}, by_request.at(window), figures);
    print({name + "by request", "p50 us", "ours in process", p50}, by_request.at(window), figures);
  }
}

} // namespace

int main(int argc, char **argv) {
  try {
    if (argc == 8 && std::string_view(argv[1]) == "--responder")
      return run_responder({std::string_view(argv[2]) == "verify",
                            {std::string_view(argv[3]) == "1", std::atoi(argv[4])},
                            argv[5],
                            argv[6],
                            argv[7]});
    run_bench();
    return 0;
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "bench rpc: %s\n", problem.what());
    return 1;
  }
}
