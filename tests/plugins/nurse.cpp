// Hears heartbeats, its own among them, and tells whose it heard. For health without a control plane. Asked about
// "nobody", it never comes back from the next one.
#include <atomic>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <trellis/service.h>
#include <unistd.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.nurse@v1", "displayName": "Nurse", "kind": "service",
  "description": "Listens for heartbeats.",
  "uses": {"required": {
    "health": {"contract": "trellis.health@v1",
               "events": {"publish": ["Health.Heartbeat"], "subscribe": ["Health.Heartbeat"]}}
  }},
  "schemas": {
    "Who": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
    "Beats": {"type": "object", "required": ["beats", "last"], "properties": {
      "beats": {"type": "integer"}, "last": {}}}
  },
  "rpc": {
    "Nurse.Heard": {"version": "v1", "subject": "rpc.v1.Nurse.Heard", "input": {"schema": "Who"},
                    "output": {"schema": "Beats"}}
  }
});

namespace {

struct Who {
  std::string name;
  static constexpr auto fields = std::tuple(trellis::field("name", &Who::name));
};
struct Beats {
  std::int64_t beats = 0;
  trellis::RawJson last{"null"};
  static constexpr auto fields =
      std::tuple(trellis::field("beats", &Beats::beats), trellis::field("last", &Beats::last));
};

struct Sender {
  std::string name;
  static constexpr auto fields = std::tuple(trellis::field("name", &Sender::name));
};
struct Heartbeat {
  Sender service;
  static constexpr auto fields = std::tuple(trellis::field("service", &Heartbeat::service));
};

struct Heard {
  std::mutex mutex; // guards by_name
  std::map<std::string, Beats> by_name;
  std::atomic<bool> hangs = false;
};

void setup(trellis::Service &service) {
  const auto heard = std::make_shared<Heard>();
  service.on_live_event({"trellis.health@v1", "Health.Heartbeat"}, [heard](trellis::Event &event) {
    while (heard->hangs) {
      std::fputs("it hangs\n", stderr);
      ::pause();
    }
    const std::string payload(event.payload());
    const auto name = trellis::from_json<Heartbeat>(payload).service.name;
    const std::lock_guard lock(heard->mutex);
    auto &beats = heard->by_name[name];
    ++beats.beats;
    beats.last.text = payload;
  });
  service.rpc("Nurse.Heard", [heard](const Who &who, trellis::Call &) {
    heard->hangs = who.name == "nobody";
    const std::lock_guard lock(heard->mutex);
    return heard->by_name[who.name];
  });
}

} // namespace

TRELLIS_SERVICE("test.nurse@v1", "nurse", "1.0.0", setup);
