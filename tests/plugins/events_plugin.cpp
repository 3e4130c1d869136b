// Publishes events and listens to them, live and durable; what a message says decides how its handler behaves. What
// the handlers saw goes to a file, which outlives the host. For tests of events.
#include <chrono>
#include <fcntl.h>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <trellis/service.h>
#include <unistd.h>

#ifdef LIVE_ONLY // for a policy that can't create consumers
TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.live-events@v1", "displayName": "Live events", "kind": "service",
  "description": "Publishes and listens.",
  "schemas": {
    "Say": {"type": "object", "required": ["key", "message"], "properties": {
      "key": {"type": "string"}, "message": {}, "padding": {"type": "integer"}}},
    "Said": {"type": "object"},
    "Any": {"type": "object"},
    "Tick": {"type": "object", "required": ["key", "message", "header"], "properties": {
      "key": {"type": "string"}, "message": {"type": "string"}, "header": {"type": "object"}}}
  },
  "events": {"Test.Ticked": {"version": "v1", "subject": "events.v1.Test.Ticked.{/key}", "params": ["/key"],
                             "event": {"schema": "Tick"}}},
  "rpc": {
    "Events.Publish": {"version": "v1", "subject": "rpc.v1.LiveEvents.Publish", "input": {"schema": "Say"},
                       "output": {"schema": "Said"}},
    "Events.Raw": {"version": "v1", "subject": "rpc.v1.LiveEvents.Raw", "input": {"schema": "Any"},
                   "output": {"schema": "Said"}},
    "Events.Foreign": {"version": "v1", "subject": "rpc.v1.LiveEvents.Foreign", "input": {"schema": "Any"},
                       "output": {"schema": "Said"}}
  }
});
#define CONTRACT_ID "test.live-events@v1"
#else
TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.events@v1", "displayName": "Events", "kind": "service",
  "description": "Publishes and listens.",
  "schemas": {
    "Say": {"type": "object", "required": ["key", "message"], "properties": {
      "key": {"type": "string"}, "message": {}, "padding": {"type": "integer"}}},
    "Said": {"type": "object"},
    "Any": {"type": "object"},
    "Tick": {"type": "object", "required": ["key", "message", "header"], "properties": {
      "key": {"type": "string"}, "message": {"type": "string"}, "header": {"type": "object"}}}
  },
  "events": {
    "Test.Ticked": {"version": "v1", "subject": "events.v1.Test.Ticked.{/key}", "params": ["/key"],
                    "event": {"schema": "Tick"}},
    "Test.Ignored": {"version": "v1", "subject": "events.v1.Test.Ignored", "event": {"schema": "Any"}}
  },
  "eventConsumers": {
    "ledger": {"self": ["Test.Ticked"], "maxDeliver": 3, "backoffMs": [2000, 2000]},
    "idle": {"self": ["Test.Ignored"]}
  },
  "rpc": {
    "Events.Publish": {"version": "v1", "subject": "rpc.v1.Events.Publish", "input": {"schema": "Say"},
                       "output": {"schema": "Said"}},
    "Events.Raw": {"version": "v1", "subject": "rpc.v1.Events.Raw", "input": {"schema": "Any"},
                   "output": {"schema": "Said"}},
    "Events.Foreign": {"version": "v1", "subject": "rpc.v1.Events.Foreign", "input": {"schema": "Any"},
                       "output": {"schema": "Said"}}
  }
});
#define CONTRACT_ID "test.events@v1"
#endif

namespace {

struct Config {
  std::string journal;
  static constexpr auto fields = std::tuple(trellis::field("journal", &Config::journal));
};

struct Say {
  std::string key;
  trellis::RawJson message;
  std::optional<std::int64_t> padding;
  static constexpr auto fields = std::tuple(trellis::field("key", &Say::key), trellis::field("message", &Say::message),
                                            trellis::field("padding", &Say::padding));
};

struct Tick {
  std::string key, message;
  static constexpr auto fields =
      std::tuple(trellis::field("key", &Tick::key), trellis::field("message", &Tick::message));
};
struct Ticked {
  static constexpr std::string_view kContract = CONTRACT_ID, kName = "Test.Ticked";
  using Payload = Tick;
};

// One line a write, appended: whole lines even when the process is killed.
void note(const std::string &journal, const std::string &line) {
  const int file = ::open(journal.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const std::string text = line + "\n";
  if (file < 0 || ::write(file, text.data(), text.size()) < 0) throw std::runtime_error("the journal can't be written");
  ::close(file);
}

#ifndef LIVE_ONLY
// "fail…" fails always, "once…" the first time, "slow…" takes longer than the acknowledgement may.
void behave(const std::string &message, std::uint32_t delivery) {
  if (message.starts_with("fail") || (message.starts_with("once") && delivery == 1))
    throw std::runtime_error("told to fail by " + message);
  if (message.starts_with("slow")) std::this_thread::sleep_for(std::chrono::seconds(3));
}
#endif

trellis::RawJson published(const std::string &text) {
  return {text};
}

void setup(trellis::Service &service) {
  const auto journal = service.config<Config>().journal;
  service.rpc("Events.Publish", [](const Say &in, trellis::Call &call) {
    const std::string padding(static_cast<std::size_t>(in.padding.value_or(0)), 'a');
    std::string payload = "{\"key\":" + trellis::to_json(in.key) + ",\"message\":" + in.message.text;
    if (!padding.empty()) payload += ",\"padding\":\"" + padding + "\"";
    return published(call.publish({Ticked::kContract, Ticked::kName}, payload + "}"));
  });
  service.rpc("Events.Raw", [](const trellis::RawJson &in, trellis::Call &call) {
    return published(call.publish_prepared(in.text));
  });
  service.rpc("Events.Foreign", [](const trellis::RawJson &in, trellis::Call &call) {
    return published(call.publish({"test.unknown@v1", "Un.Known"}, in.text));
  });
  service.on_live_event<Ticked>([journal](const Tick &tick, trellis::Event &event) {
    note(journal, "live " + tick.message + " " + std::string(event.subject()));
    if (tick.message.starts_with("live-fail")) throw std::runtime_error("told to fail live");
  });
  service.on_live_event<Ticked>(
      [journal](const Tick &tick, trellis::Event &) { note(journal, "only-k2 " + tick.message); }, R"({"key":"k2"})");
#ifndef LIVE_ONLY
  service.on_event<Ticked>("ledger", [journal](const Tick &tick, trellis::Event &event) {
    note(journal, "begin " + tick.message + " " + std::to_string(event.delivery()));
    behave(tick.message, event.delivery());
    note(journal, "done " + tick.message + " " + std::to_string(event.delivery()));
  });
#endif
}

} // namespace

TRELLIS_SERVICE(CONTRACT_ID, "events", "1.0.0", setup);
