// What a host with many plugins costs: memory and time for each plugin, and whether requests notice how many there are.
// One JSON object per line.
//
// The plugins are one program under a hundred contracts (host_plugin.c), each with its own code, key, JWT and
// connection, as a hundred services would be. `bench-host plugins` and `bench-host streams` measure one half. The floor
// of a plugin's memory and start is a bare connection with a JWT of the same shape and one subscription; that of a
// request to one of many plugins is the same request with one.
#include "host_site.h"
#include "host_streams.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <string_view>

using namespace trellis;
using namespace trellis::bench;

namespace {

constexpr int kMany = 100;
constexpr int kRuns = 5;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double spread(std::vector<double> values) {
  std::ranges::sort(values);
  return (values.back() - values.front()) / values[values.size() / 2];
}

void print(const std::string &name, const std::string &unit, const std::vector<double> &ours,
           const std::vector<double> &floor, const std::string &floor_is, const std::string &more = "") {
  std::printf("{\"bench\":\"host\",\"case\":\"%s\",\"unit\":\"%s\",\"ours\":%.2f,\"floor\":%.2f,\"ratio\":%.3f,"
              "\"floor_is\":\"%s\",\"spread_ours\":%.2f,\"spread_floor\":%.2f,\"sync_interval\":\"always\"%s}\n",
              name.c_str(), unit.c_str(), median(ours), median(floor), median(ours) / median(floor), floor_is.c_str(),
              spread(ours), spread(floor), more.c_str());
  std::fflush(stdout);
}

void print_flatness(const std::string &name, const std::vector<EchoFigures> &many, const std::vector<EchoFigures> &one,
                    const std::string &floor_is = "one plugin loaded") {
  const auto of = [](const std::vector<EchoFigures> &figures, double EchoFigures::*member) {
    std::vector<double> out;
    for (const auto &figure : figures)
      out.push_back(figure.*member);
    return out;
  };
  print(name, "requests/s", of(many, &EchoFigures::per_second), of(one, &EchoFigures::per_second), floor_is);
  print(name, "p50 us", of(many, &EchoFigures::p50_us), of(one, &EchoFigures::p50_us), floor_is);
}

// The same requests with one plugin, ten and a hundred loaded: to one of them, and to all in turn. A request of its own
// for each connection shares no wake-up and no write with others; bare connections say what that costs.
void measure_flatness(HostSite &one, HostSite &ten, HostSite &many) {
  const bool longer = std::getenv("TRELLIS_TEST_LONG") != nullptr;
  std::vector<int> everybody(kMany);
  std::iota(everybody.begin(), everybody.end(), 0);
  for (const std::size_t window : {1U, 64U}) {
    const std::size_t count = (window == 1 ? 2000U : 10000U) * (longer ? 3U : 1U);
    std::vector<EchoFigures> with_one, with_ten, with_many, to_all, to_bare, to_all_bare;
    many.measure(everybody, window, count / 2); // each plugin's first thread
    const auto bare = one.open_bare_connections(kMany);
    for (int run = 0; run < kRuns; ++run) {
      with_one.push_back(one.measure({0}, window, count));
      with_ten.push_back(ten.measure({7}, window, count));
      with_many.push_back(many.measure({57}, window, count));
      to_all.push_back(many.measure(everybody, window, count));
      to_bare.push_back(one.measure_bare({57}, window, count));
      to_all_bare.push_back(one.measure_bare(everybody, window, count));
    }
    const std::string suffix = ", window " + std::to_string(window);
    print_flatness("to one of 10 plugins" + suffix, with_ten, with_one);
    print_flatness("to one of 100 plugins" + suffix, with_many, with_one);
    print_flatness("to all of 100 plugins in turn" + suffix, to_all, with_one);
    print_flatness("to all of 100 bare connections in turn" + suffix, to_all_bare, to_bare, "one of them");
  }
}

void measure_plugins() {
  std::vector<double> ready, connected, memory, bare_memory;
  HostSite one(1);
  const auto one_kb = static_cast<double>(one.rss_kb());
  for (int run = 0; run < 3; ++run) {
    HostSite site(kMany);
    ready.push_back(site.time_to_ready().count() * 1000);
    memory.push_back((static_cast<double>(site.rss_kb()) - one_kb) / (kMany - 1));
    const auto bare = site.open_bare_connections(kMany);
    connected.push_back(bare->seconds() * 1000);
    bare_memory.push_back(bare->rss_kb() / kMany);
  }
  char more[64];
  std::snprintf(more, sizeof more, ",\"host_with_one_kb\":%.0f", one_kb);
  print("memory of one more plugin, of 100", "KiB", memory, bare_memory, "a bare connection with its subscription",
        more);
  print("from start to ready with 100 plugins", "ms", ready, connected, "100 bare connections, one after the other");

  HostSite ten(10), many(kMany);
  measure_flatness(one, ten, many);
}

void measure_streams() {
  const int events = std::getenv("TRELLIS_TEST_LONG") ? 20'000 : 1'000;
  StreamSite site;
  std::vector<double> ours, floor;
  site.events_per_second(events / 10);
  for (int run = 0; run < kRuns; ++run) {
    ours.push_back(site.events_per_second(events));
    floor.push_back(site.raw_events_per_second(events));
  }
  print("events published by a plugin, 256 in flight", "events/s", ours, floor, "raw JetStream publishes");

  constexpr int kSubscribers = 1000;
  site.subscribe(kSubscribers);
  ours.clear();
  floor.clear();
  for (int run = 0; run < kRuns; ++run) {
    ours.push_back(site.deliveries_per_second(events / 200));
    floor.push_back(site.raw_deliveries_per_second(events / 200));
  }
  print("feed to 1000 subscribers", "frames/s", ours, floor, "raw publishes to as many inboxes");
}

} // namespace

int main(int argc, char **argv) {
  const std::string_view only = argc > 1 ? argv[1] : "";
  try {
    if (only != "streams") measure_plugins();
    if (only != "plugins") measure_streams();
    return 0;
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "bench host: %s\n", problem.what());
    return 1;
  }
}
