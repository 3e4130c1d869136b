// Health, numbers and traces of a plugin, as somebody outside sees them: heartbeats in the stream, <Plugin>.Health,
// what `trellis host metrics` prints, and the trace of a request over two hops.
#include "contracts/json.h"
#include "live_control_plane.h"
#include "live_host.h"
#include "runtime/metrics_testing.h"
#include "support/wait_until.h"
#include "transport/jetstream.h"
#include "wire/credentials.h"
#include "wire/health_report.h"
#include "wire/ulid.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <mutex>
#include <rapidjson/document.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kWard[] = "test.ward@v1", kNurse[] = "test.nurse@v1";
constexpr char kTraceId[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

// Sees every message of the account.
template <class Live>
std::unique_ptr<NatsTransport> watcher(Live &live) {
  NatsOptions options;
  options.servers = {live.nats().url()};
  options.name = "watcher";
  options.inbox_prefix = "_INBOX.watcher";
  const auto file = live.bundle() / "nats/creds/trellis-auth.creds";
  options.credentials = [file]() -> Result<ConnectionCredentials> {
    auto user = parse_credentials(read_file(file));
    if (!user) return tl::make_unexpected(user.error());
    return ConnectionCredentials{std::move(*user), {}, {}};
  };
  auto transport = NatsTransport::open(live.loop(), std::move(options));
  if (!transport->wait_connected(10s)) throw std::runtime_error("the watcher can't connect");
  return transport;
}

// A control plane with the ward and echo, both accepted, and somebody who calls the ward.
struct Site {
  LiveControlPlane live{{.host_lines = "health_interval_ms = 300\n"}};
  std::unique_ptr<NatsTransport> watch;
  std::unique_ptr<Caller> caller;

  Site() {
    live.set_plugin("echo", built("echo-c.so"), "deployment = \"test.echo\"\n");
    live.set_plugin("ward", built("ward.so"), "deployment = \"test.ward\"\n");
    live.start();
    live.set_admin_password();
    const auto plane = live.sign_in_operator();
    REQUIRE(live.logged({"plugin pending", "\"echo\""}));
    live.accept_plan(*plane, "test.echo");
    REQUIRE(live.logged({"plugin running", "\"echo\""}));
    REQUIRE(live.logged({"plugin pending", "\"ward\""}));
    live.accept_plan(*plane, "test.ward");
    REQUIRE(live.logged({"plugin running", "\"ward\""}));
    watch = watcher(live);
    caller = live.connect(live.sign_in(caller_contract("test.ward-caller@v1", kWard, {"Ward.Do", "Ward.Health"})));
  }

  CallResult ask(const std::string &what, const CallOptions &options = {}) {
    auto answer = caller->call(kWard, "Ward.Do", R"({"what":")" + what + "\"}", options);
    if (!answer) UNSCOPED_INFO(what + ": " + error_text(answer));
    return answer;
  }
  // The last heartbeat of `name` in the stream that `fits`; fails the test when none comes.
  HealthHeartbeat heartbeat(const std::string &name, const std::function<bool(const HealthHeartbeat &)> &fits) {
    std::optional<HealthHeartbeat> found;
    JetStream stream(*watch);
    CHECK(wait_until(
        [&] {
          const auto message = stream.last_on_leader("trellis", kHeartbeatSubject);
          if (!message || !*message) return false;
          auto beat = parse_health_heartbeat((*message)->payload);
          REQUIRE(beat);
          CHECK(header_of(**message, "Nats-Msg-Id") == beat->event_id);
          if (beat->service.name != name || !fits(*beat)) return false;
          found = std::move(*beat);
          return true;
        },
        30s));
    REQUIRE(found);
    return *found;
  }
  PrometheusText metrics() {
    const auto printed = run_program(
        {built("trellis").string(), "host", "metrics", "--state-dir", live.control_socket().parent_path().string()});
    INFO(printed.err);
    REQUIRE(printed.status == 0);
    return PrometheusText(printed.out);
  }
};

const HealthCheck &check_of(const std::vector<HealthCheck> &checks, const std::string &name) {
  for (const auto &check : checks)
    if (check.name == name) return check;
  throw std::runtime_error("no check " + name);
}

// The headers of the next request on a subject.
class Tap {
public:
  Tap(NatsTransport &watch, const std::string &subject) {
    subscription_ = watch
                        .subscribe(subject, "",
                                   [this](MessagePtr message) {
                                     const std::lock_guard lock(mutex_);
                                     headers_.push_back(message->headers());
                                   })
                        .value();
    REQUIRE(watch.flush(5s));
  }
  std::string header(const std::string &name) {
    std::string value;
    CHECK(wait_until([&] {
      const std::lock_guard lock(mutex_);
      return !headers_.empty();
    }));
    const std::lock_guard lock(mutex_);
    for (const auto &header : headers_.empty() ? Headers{} : headers_.back())
      if (header.name == name) value = header.value;
    return value;
  }

private:
  std::mutex mutex_; // guards headers_
  std::vector<Headers> headers_;
  std::unique_ptr<Subscription> subscription_;
};

} // namespace

TEST_CASE("heartbeats come at their interval, and say what the plugin's checks say") {
  Site site;
  const auto well = site.heartbeat("ward", [](const auto &) { return true; });
  CHECK(well.status == HealthStatus::healthy);
  CHECK_FALSE(well.summary);
  CHECK_FALSE(well.service.is_device);
  CHECK(well.service.contract_id == kWard);
  CHECK(well.service.contract_digest.size() == 43);
  CHECK(well.service.instance_id.size() == 26);
  CHECK(well.service.publish_interval_ms == 300);
  CHECK(well.service.runtime == ParticipantRuntime::unknown);
  CHECK(well.service.version == "2.1.0");
  CHECK(well.service.info == R"({"beds":12})");
  REQUIRE(well.checks.size() == 3);
  CHECK(well.checks[1].name == "pulse");
  CHECK(well.checks[1].summary == "60 a minute");
  CHECK(well.checks[1].info == R"({"rate":60})");
  CHECK(well.checks[2].name == "nats");
  const auto next = site.heartbeat("ward", [&](const auto &beat) { return beat.event_id != well.event_id; });
  CHECK(next.service.instance_id == well.service.instance_id);
  CHECK(next.service.started_at == well.service.started_at);

  REQUIRE(site.ask("fail"));
  const auto moody = site.heartbeat("ward", [](const auto &beat) { return beat.status == HealthStatus::degraded; });
  CHECK(moody.summary == "1 check failing");
  const auto &mood = check_of(moody.checks, "mood");
  CHECK(mood.error == "in a bad mood");
  CHECK(mood.info->find(R"("errorType":"UnexpectedError")") != std::string::npos);
  CHECK(mood.info->find(R"("service":"ward")") != std::string::npos);

  REQUIRE(site.ask("hang"));
  const auto hanging = site.heartbeat("ward", [](const auto &beat) { return beat.summary == "2 checks failing"; });
  CHECK(check_of(hanging.checks, "pulse").error->find("no answer after") != std::string::npos);
  CHECK(site.ask("still answers")); // one thread hangs, not one for each heartbeat
  const auto later = site.heartbeat("ward", [&](const auto &beat) { return beat.event_id > hanging.event_id; });
  CHECK_FALSE(check_of(later.checks, "pulse").ok);

  REQUIRE(site.ask("recover"));
  site.heartbeat("ward", [](const auto &beat) { return beat.status == HealthStatus::healthy; });

  const auto plane = site.heartbeat("trellis", [](const auto &) { return true; });
  CHECK(plane.service.contract_id == "unknown");
  CHECK(plane.service.info == R"({"role":"control-plane"})");
}

TEST_CASE("without a control plane heartbeats go out too, to those that listen and to no caller") {
  LiveHost host({.host_lines = "health_interval_ms = 300\n"});
  for (const auto *name : {"echo-c", "ward", "nurse"}) {
    const auto file = built(name + std::string(".so"));
    host.set_plugin(name, {file});
    host.accept(file);
  }
  host.set_caller("shop", {{}, {{kWard, {"*"}}, {kNurse, {"*"}}, {"trellis.health@v1", {"*"}}}});
  host.write_files();
  for (int i = 0; i < 2; ++i) { // the second time it is there already
    const auto made =
        run_program({built("trellis").string(), "local", "event-stream", "--bundle", host.bundle().string()});
    INFO(made.err);
    REQUIRE(made.status == 0);
  }
  auto watch = watcher(host);
  host.start();
  const auto caller = host.connect("shop");
  std::atomic<int> overheard = 0;
  const auto attempt = caller->transport().subscribe(kHeartbeatSubject, "", [&](MessagePtr) { ++overheard; });
  REQUIRE(caller->transport().flush(5s));

  REQUIRE(caller->call(kWard, "Ward.Do", R"({"what":"fail"})"));
  HealthHeartbeat beat;
  const auto heard = [&](std::string_view name, HealthStatus status) {
    return wait_until([&] {
      const auto answer = caller->call(kNurse, "Nurse.Heard", R"({"name":")" + std::string(name) + "\"}");
      INFO(error_text(answer));
      REQUIRE(answer);
      const auto text = parse_json(*answer).value();
      const auto parsed = parse_health_heartbeat(to_json(*find_member(text, "last")));
      if (parsed) beat = *parsed;
      return parsed && beat.status == status;
    });
  };
  REQUIRE(heard("ward", HealthStatus::degraded));
  CHECK(check_of(beat.checks, "mood").error == "in a bad mood");
  CHECK(beat.service.contract_id == kWard);
  CHECK(heard("nurse", HealthStatus::healthy));
  CHECK(JetStream(*watch).last_on_leader("trellis", kHeartbeatSubject).value()); // acknowledged by the stream
  CHECK(host.count_logged({"heartbeat not published"}) == 0);
  CHECK(overheard == 0);
}

TEST_CASE("the host answers <Plugin>.Health with the plugin's checks, as any other rpc") {
  Site site;
  const auto ask = [&] { return site.caller->call(kWard, "Ward.Health", "{}"); };
  const auto well = parse_health_report(ask().value()).value();
  CHECK(well.service == "ward");
  CHECK(well.status == HealthStatus::healthy);
  CHECK(well.checks.size() == 3);
  REQUIRE(site.ask("fail"));
  const auto moody = parse_health_report(ask().value()).value();
  CHECK(moody.status == HealthStatus::degraded);
  CHECK(check_of(moody.checks, "mood").error == "in a bad mood");

  const auto stranger = site.live.connect(site.live.sign_in(caller_contract("test.stranger@v1", kWard, {"Ward.Do"})));
  CHECK_FALSE(stranger->call(kWard, "Ward.Health", "{}"));
}

TEST_CASE("trellis host metrics prints what was counted, in Prometheus' format") {
  Site site;
  REQUIRE(site.ask("visit"));
  REQUIRE(site.ask("visit"));
  CHECK_FALSE(site.ask("throw"));
  REQUIRE(site.ask("echo"));
  CHECK_FALSE(site.ask("echo-nothing"));
  CHECK_FALSE(site.caller->client().call_and_wait(
      [&] {
        auto method = site.caller->method(kWard, "Ward.Do");
        method.input = Schema::compile(JsonValue(true)).value();
        return method;
      }(),
      "{}"));
  site.heartbeat("ward", [](const auto &) { return true; });

  const auto read = site.metrics();
  const std::set<std::string> ward = {R"(plugin="ward")"}, ward_do = {R"(plugin="ward")", R"(rpc_method="Ward.Do")"};
  const auto with = [](std::set<std::string> labels, const std::string &label) {
    labels.insert(label);
    return labels;
  };
  CHECK(read.sum("trellis_rpc_server_requests_total", with(ward_do, R"(trellis_outcome="ok")")) == 3);
  CHECK(read.sum("trellis_rpc_server_requests_total", with(ward_do, R"(trellis_outcome="error")")) == 2);
  CHECK(read.sum("trellis_rpc_server_requests_total", with(ward_do, R"(trellis_outcome="refused")")) == 1);
  CHECK(read.sum("trellis_rpc_server_duration_seconds_count", ward_do) == 6);
  CHECK(read.sum("trellis_rpc_server_requests_total", {R"(plugin="echo")", R"(trellis_outcome="ok")"}) == 1);
  CHECK(read.sum("trellis_rpc_client_requests_total", with(ward, R"(trellis_outcome="ok")")) == 1);
  CHECK(read.sum("trellis_errors_total", with(ward, R"(trellis_phase="handler_throw")")) == 2);
  CHECK(read.sum("trellis_errors_total", with(ward, R"(trellis_phase="input_validation")")) == 1);
  CHECK(read.sum("trellis_errors_total", with(ward, R"(trellis_phase="request_encoding")")) == 1);
  CHECK(read.value(R"(ward_visits_total{host="trellis-host",plugin="ward",kind="friend"})") == 2);
  CHECK(read.sum("ward_beds", ward) == 12);
  CHECK(read.sum("ward_stay_seconds_count", ward) == 2);
  CHECK(read.sum("trellis_nats_connected", ward) == 1);
  CHECK(read.sum("trellis_nats_connects_total", ward) == 1);
  CHECK(read.sum("trellis_nats_connected", {R"(plugin="auth")"}) == 3);
  CHECK(read.sum("trellis_plugin_up", ward) == 1);
  CHECK(read.sum("trellis_plugin_generations", ward) == 1);
  CHECK(read.sum("trellis_health_check", with(ward, R"(trellis_check="mood")")) == 1);
  CHECK(read.sum("trellis_health_heartbeats_total", with(ward, R"(trellis_outcome="ok")")) >= 1);
  CHECK(read.sum("trellis_host_memory_resident_bytes") > 1e6);

  const auto as_json = run_program({built("trellis").string(), "host", "metrics", "--json", "--state-dir",
                                    site.live.control_socket().parent_path().string()});
  REQUIRE(as_json.status == 0);
  CHECK(find_member(parse_json(as_json.out).value(), "metrics")->Size() > 10);
}

TEST_CASE("a request's trace goes on over two hops, into log lines and into errors") {
  Site site;
  CallOptions traced;
  traced.traceparent = kTraceparent;
  traced.tracestate = "vendor=1";
  {
    Tap tap(*site.watch, "rpc.v1.Echo.Say");
    CHECK(site.ask("echo", traced).value() == R"({"what":"over there"})");
    CHECK(tap.header("traceparent") == kTraceparent);
    CHECK(tap.header("tracestate") == "vendor=1");
  }
  {
    Tap tap(*site.watch, "rpc.v1.Echo.Say");
    CHECK(site.ask("later", traced));
    CHECK(tap.header("traceparent") == kTraceparent);
  }
  {
    Tap tap(*site.watch, "rpc.v1.Echo.Say");
    CHECK(site.ask("echo"));
    CHECK(tap.header("traceparent").empty());
  }
  traced.request_id = new_ulid();
  REQUIRE(site.ask("log", traced));
  CHECK(site.live.logged({"a line of the ward's", kTraceId, traced.request_id, R"("bed":7)"}));
  traced.request_id.clear();
  const auto thrown = site.ask("throw", traced);
  REQUIRE_FALSE(thrown);
  CHECK(error_text(thrown).find(kTraceId) != std::string::npos);
}
