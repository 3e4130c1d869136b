// A plugin whose health is what a test says, with numbers of its own and a call to another service. Its contract has
// the rpc Ward.Health, and its table doesn't.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <trellis/service.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.ward@v1", "displayName": "Ward", "kind": "service",
  "description": "Feels as it is told.",
  "uses": {"required": {
    "health": {"contract": "trellis.health@v1", "events": {"publish": ["Health.Heartbeat"]}},
    "echo": {"contract": "acme.echo@v1", "rpc": {"call": ["Echo.Say"]}}
  }},
  "schemas": {
    "Nothing": {"type": "object"},
    "What": {"type": "object", "required": ["what"], "properties": {"what": {"type": "string"}}},
    "Report": {"type": "object", "required": ["status", "service", "timestamp", "checks"], "properties": {
      "status": {"type": "string"}, "service": {"type": "string"},
      "timestamp": {"type": "string", "format": "date-time"}, "checks": {"type": "array"}}}
  },
  "rpc": {
    "Ward.Do": {"version": "v1", "subject": "rpc.v1.Ward.Do", "input": {"schema": "What"}, "output": {"schema": "What"}},
    "Ward.Health": {"version": "v1", "subject": "rpc.v1.Ward.Health", "input": {"schema": "Nothing"},
                    "output": {"schema": "Report"}}
  }
});

namespace {

struct What {
  std::string what;
  static constexpr auto fields = std::tuple(trellis::field("what", &What::what));
};

struct Message {
  std::string message;
  static constexpr auto fields = std::tuple(trellis::field("message", &Message::message));
};

// Set by Ward.Do, read by the checks.
struct Feelings {
  std::atomic<bool> fails = false, hangs = false;
};

void check_moods(const Feelings &feelings) {
  if (feelings.fails) throw std::runtime_error("in a bad mood");
}

void check_pulse(const Feelings &feelings) {
  while (feelings.hangs) // what a hanging check is made of
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

void setup(trellis::Service &service) {
  const auto feelings = std::make_shared<Feelings>();
  service.check("mood", [feelings] { check_moods(*feelings); });
  service.check("pulse", [feelings] {
    check_pulse(*feelings);
    return trellis::CheckNote{.summary = "60 a minute", .info = R"({"rate":60})"};
  });
  service.health_info([] { return std::string(R"({"beds":12})"); });

  const auto visits = service.metric<trellis::metric::Counter>("ward.visits", "{visit}", "Who came.");
  const auto beds = service.metric<trellis::metric::Gauge>("ward.beds", "{bed}", "Free beds.");
  const auto stays = service.metric<trellis::metric::Histogram>("ward.stay", "s", "How long they stay.");
  beds.set(12);

  service.rpc("Ward.Do", [=](const What &in, trellis::Call &call) {
    if (in.what == "fail") feelings->fails = true;
    if (in.what == "hang") feelings->hangs = true;
    if (in.what == "recover") feelings->fails = feelings->hangs = false;
    if (in.what == "throw") throw std::runtime_error("boom");
    if (in.what == "log") call.log(TRELLIS_LOG_INFO, "a line of the ward's", R"({"bed":7})");
    if (in.what == "visit") {
      visits.add(1, {{"kind", "friend"}, {"visitor", "01JZ0000000000000000000000"}});
      stays.record(0.3);
    }
    if (in.what == "echo") return What{call.call<Message>("acme.echo@v1", "Echo.Say", Message{"over there"}).message};
    if (in.what == "echo-nothing") call.call<Message>("acme.echo@v1", "Echo.Say", What{"breaks the schema"});
    if (in.what == "later") {
      const auto trace = call.trace();
      auto elsewhere = call.service().within(trace);
      return What{elsewhere.call_rpc({"acme.echo@v1", "Echo.Say"}, R"({"message":"later"})", {}).value()};
    }
    return in;
  });
}

} // namespace

TRELLIS_SERVICE("test.ward@v1", "ward", "2.1.0", setup);
