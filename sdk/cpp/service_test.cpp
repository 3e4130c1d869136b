// sdk/cpp: the trace of a request, log fields that name it, and the tables that the host reads health and metrics from.
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <trellis/service.h>
#include <unistd.h>
#include <vector>

using namespace trellis;

namespace {

constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// A host that keeps what it is told.
struct FakeHost {
  struct Recorded {
    std::string name, unit;
    std::uint32_t kind;
    double value;
    std::vector<std::pair<std::string, std::string>> attributes;
  };
  trellis_host table{};
  std::vector<Recorded> recorded;
  std::vector<std::string> log_fields;
  std::vector<std::string> answers; // "complete {...}", "fail Type", "release"
  bool has_metrics = true;

  FakeHost() {
    table.size = sizeof table;
    table.self = this;
    table.get_extension = [](void *self, trellis_str id) -> const void * {
      static constexpr trellis_metrics_v1 kMetrics{sizeof(trellis_metrics_v1), 0, &FakeHost::record};
      static constexpr trellis_feeds_v1 kFeeds{
          sizeof(trellis_feeds_v1), 0, nullptr, nullptr, [](void *, trellis_stream) { return TRELLIS_OK; }, nullptr};
      if (view(id) == TRELLIS_EXT_FEEDS) return &kFeeds;
      return view(id) == TRELLIS_EXT_METRICS && static_cast<FakeHost *>(self)->has_metrics ? &kMetrics : nullptr;
    };
    table.log = [](void *self, std::int32_t, trellis_str, trellis_str fields) {
      static_cast<FakeHost *>(self)->log_fields.emplace_back(view(fields));
    };
  }
  // What is answered, of one request: the first answer counts.
  void answers_calls() {
    table.complete = [](void *self, trellis_call, trellis_str output) {
      return static_cast<FakeHost *>(self)->answer("complete " + std::string(view(output)));
    };
    table.fail = [](void *self, trellis_call, const trellis_error *error) {
      return static_cast<FakeHost *>(self)->answer("fail " + std::string(view(error->type)));
    };
    table.release = [](void *self, trellis_call) { return static_cast<FakeHost *>(self)->answer("release"); };
  }
  trellis_status answer(std::string text) {
    answers.push_back(std::move(text));
    return answers.size() == 1 ? TRELLIS_OK : TRELLIS_E_GONE;
  }
  static trellis_status record(void *self, const trellis_metric *metric, double value, const trellis_header *attributes,
                               std::size_t count) {
    Recorded one{std::string(view(metric->name)), std::string(view(metric->unit)), metric->kind, value, {}};
    for (std::size_t i = 0; i < count; ++i)
      one.attributes.emplace_back(view(attributes[i].name), view(attributes[i].value));
    static_cast<FakeHost *>(self)->recorded.push_back(std::move(one));
    return value < 0 ? TRELLIS_E_INVALID : TRELLIS_OK;
  }
};

// What a check's function writes and reports.
struct CheckAnswer {
  trellis_status status = TRELLIS_OK;
  std::string details, problem;
};
CheckAnswer run(Service &service, const trellis_health_check &check) {
  CheckAnswer answer;
  const auto write = [](void *text, trellis_str piece) { *static_cast<std::string *>(text) += view(piece); };
  const auto report = [](void *text, const trellis_error *error) {
    *static_cast<std::string *>(text) = view(error->message);
  };
  answer.status = check.check(&service, {&answer.details, write}, {&answer.problem, report});
  return answer;
}

// The answers to a request whose handler is `handler`, the first of which counts.
template <class Handler>
std::vector<std::string> answers_of(Handler handler) {
  FakeHost host;
  host.answers_calls();
  Service service(&host.table, "acme.echo@v1");
  service.rpc("Echo.Say", std::move(handler));
  const auto *table = service.table();
  trellis_request request{};
  request.size = sizeof request;
  request.surface = str("Echo.Say");
  request.input = str("{}");
  table->handlers[0]->rpc(table->self, &request);
  return host.answers;
}

const trellis_health_v1 *health_of(Service &service) {
  const auto *table = service.table();
  constexpr std::string_view id = TRELLIS_EXT_HEALTH;
  return static_cast<const trellis_health_v1 *>(table->get_extension(table->self, str(id)));
}

} // namespace

TEST_CASE("a trace is what a valid traceparent says, and nothing otherwise") {
  const Trace trace(kTraceparent, "vendor=1");
  CHECK(trace);
  CHECK(trace.trace_id() == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(trace.traceparent() == kTraceparent);
  CHECK(trace.tracestate() == "vendor=1");
  for (const std::string invalid : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                                    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                    "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                                    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                                    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                                    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
                                    "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    INFO(invalid);
    CHECK_FALSE(Trace(invalid, "vendor=1"));
    CHECK(Trace(invalid, "vendor=1").tracestate().empty());
  }
}

TEST_CASE("a step below a trace has an id of its own, and a new trace is one of its own") {
  const Trace trace(kTraceparent, "vendor=1");
  const auto child = trace.child();
  CHECK(child);
  CHECK(child.trace_id() == trace.trace_id());
  CHECK(child.tracestate() == "vendor=1");
  CHECK(child.traceparent() != trace.traceparent());
  CHECK_FALSE(Trace().child());
  CHECK(Trace::fresh());
  CHECK(Trace::fresh().trace_id() != Trace::fresh().trace_id());
}

TEST_CASE("log fields get the ids before them and stay JSON") {
  CHECK(correlated_fields("", "r1", "t1") == R"({"requestId":"r1","traceId":"t1"})");
  CHECK(correlated_fields("", "r1", "") == R"({"requestId":"r1"})");
  CHECK(correlated_fields(R"({"a":{"b":1}})", "r1", "t1") == R"({"requestId":"r1","traceId":"t1","a":{"b":1}})");
  CHECK(correlated_fields(" { } ", "r\"1", "") == R"({"requestId":"r\"1"})");
  CHECK(correlated_fields("no object", "r1", "") == R"({"requestId":"r1","fields":"no object"})");
  CHECK(correlated_fields("", "\xFF", "t1") == R"({"traceId":"t1"})");
}

TEST_CASE("a call's log line names its request and its trace") {
  FakeHost host;
  Service service(&host.table, "acme.echo@v1");
  trellis_request request{};
  request.size = sizeof request;
  request.request_id = str("r1");
  request.traceparent = str(kTraceparent);
  const Call call(service, &host.table, request);
  call.log(TRELLIS_LOG_INFO, "here", R"({"a":1})");
  CHECK(host.log_fields.at(0) == R"({"requestId":"r1","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","a":1})");
}

TEST_CASE("a handler that answers later may throw instead, and its caller gets what was thrown") {
  const Fault fault("OutOfStock", "There are none.");
  const auto untouched = [&](const Nothing &, Pending) { throw fault; };
  CHECK(answers_of(untouched).at(0) == "fail OutOfStock");
  const auto taken_over = [&](const Nothing &, Pending pending) {
    const Pending taken = std::move(pending);
    throw fault;
  };
  CHECK(answers_of(taken_over).at(0) == "fail OutOfStock");
  const auto no_fault = [](const Nothing &, Pending) { throw 42; };
  CHECK(answers_of(no_fault).at(0) == "fail ");
  const auto deferred_first = [&](const Nothing &, Call &call) -> Nothing {
    const Pending taken = call.defer();
    throw fault;
  };
  CHECK(answers_of(deferred_first).at(0) == "fail OutOfStock");
}

TEST_CASE("a request that nobody keeps is released at once, whatever was thrown meanwhile") {
  const std::vector<std::string> released = {"release"};
  const auto dropped = [](const Nothing &, Pending) {};
  CHECK(answers_of(dropped) == released);
  const auto caught = [](const Nothing &, Pending pending) {
    try {
      const Pending taken = std::move(pending);
      throw std::runtime_error("handled here, so nothing answers the request");
    } catch (const std::exception &) {
      return;
    }
  };
  CHECK(answers_of(caught) == released);
  const auto elsewhere = [](const Nothing &, Pending pending) {
    std::thread([taken = std::make_unique<Pending>(std::move(pending))]() mutable {
      try {
        const auto held = std::move(taken);
        throw std::runtime_error("on a thread of the plugin's");
      } catch (const std::exception &) {
        return;
      }
    }).join();
  };
  CHECK(answers_of(elsewhere) == released);
  const auto answered = [](const Nothing &, Pending pending) { pending.complete(Nothing{}); };
  CHECK(answers_of(answered).size() == 1);
  CHECK(answers_of(answered).at(0) == "complete {}");
}

TEST_CASE("checks say that they are fine unless they throw") {
  FakeHost host;
  Service service(&host.table, "acme.echo@v1");
  service.check("quiet", [] {});
  service.check("talks", [] { return CheckNote{.summary = "3 \"GB\"", .info = R"({"freeGb":3})"}; });
  service.check("throws", [] { throw std::runtime_error("no answer"); });
  service.check("odd", []() -> CheckNote { throw 42; });
  service.health_info([] { return std::string(R"({"shelves":3})"); });
  const auto *health = health_of(service);
  REQUIRE(health);
  REQUIRE(health->check_count == 4);
  CHECK(view(health->checks[1]->name) == "talks");
  CHECK(run(service, *health->checks[0]).status == TRELLIS_OK);
  CHECK(run(service, *health->checks[0]).details.empty());
  CHECK(run(service, *health->checks[1]).details == R"({"summary":"3 \"GB\"","info":{"freeGb":3}})");
  CHECK(run(service, *health->checks[2]).status != TRELLIS_OK);
  CHECK(run(service, *health->checks[2]).problem == "no answer");
  CHECK(run(service, *health->checks[3]).status != TRELLIS_OK);
  std::string info;
  const auto write = [](void *text, trellis_str piece) { *static_cast<std::string *>(text) += view(piece); };
  CHECK(health->info(&service, {&info, write}) == TRELLIS_OK);
  CHECK(info == R"({"shelves":3})");
}

TEST_CASE("a closed stream lets go of its on_cancel, also when that holds the stream") {
  FakeHost host;
  const trellis_feed_request request{sizeof request, 0, 1, {}, {}, {}, {}, {}, {}, {}};
  std::weak_ptr<StreamState> left;
  {
    const auto state = std::make_shared<StreamState>(&host.table, request);
    left = state;
    const Stream<int> stream(state);
    stream.on_cancel([stream] { stream.close(); });
    stream.close();
    stream.on_cancel([stream] { stream.close(); }); // too late
  }
  CHECK(left.expired());
}

TEST_CASE("threads of blocking feeds are given back while another one's subscriber stays") {
  const auto mapped = [] { // bytes; a thread that nobody joined keeps its stack
    std::size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  };
  FeedThreads threads;
  std::promise<void> leave;
  REQUIRE(threads.run([left = leave.get_future().share()] { left.wait(); }));
  const auto come_and_go = [&threads](int subscribers) {
    for (int i = 0; i < subscribers; ++i) {
      std::promise<void> done;
      while (!threads.run([&done] { done.set_value(); }))
        std::this_thread::yield();
      done.get_future().wait();
    }
  };
  come_and_go(20);
  const auto before = mapped();
  come_and_go(100);
  CHECK(mapped() < before + (std::size_t{200} << 20)); // stacks of a hundred threads: 800 MB
  leave.set_value();
}

TEST_CASE("a service without checks offers no health, and one with too many says so") {
  FakeHost host;
  Service none(&host.table, "acme.echo@v1");
  CHECK_FALSE(health_of(none));
  Service many(&host.table, "acme.echo@v1");
  for (std::size_t i = 0; i < HealthTable::kMost; ++i)
    many.check("check", [] {});
  CHECK_THROWS(many.check("one more", [] {}));
}

TEST_CASE("metrics reach the host with their kind and attributes, and say when they were refused") {
  FakeHost host;
  const Service service(&host.table, "acme.echo@v1");
  const auto counter = service.metric<metric::Counter>("a.things", "{thing}", "Things.");
  CHECK(counter.add());
  CHECK(counter.add(2.5, {{"kind", "big"}}));
  CHECK_FALSE(counter.add(-1));
  CHECK(service.metric<metric::Gauge>("a.level").set(7));
  CHECK(service.metric<metric::Histogram>("a.time", "s").record(0.1));
  REQUIRE(host.recorded.size() == 5);
  CHECK(host.recorded[1].name == "a.things");
  CHECK(host.recorded[1].unit == "{thing}");
  CHECK(host.recorded[1].value == 2.5);
  CHECK(host.recorded[1].attributes.at(0) == std::pair<std::string, std::string>("kind", "big"));
  CHECK(host.recorded[3].kind == TRELLIS_METRIC_GAUGE);
  CHECK(host.recorded[4].kind == TRELLIS_METRIC_HISTOGRAM);
  host.has_metrics = false; // an older host
  CHECK_FALSE(service.metric<metric::Counter>("a.things").add());
}
