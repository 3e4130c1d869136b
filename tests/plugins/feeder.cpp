// Serves feeds in every way that sdk/cpp offers, for live tests: rooms that an rpc speaks to, a blocking counter,
// errors.
#include <algorithm>
#include <mutex>
#include <trellis/service.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.feeder@v1", "displayName": "Feeder", "kind": "service",
  "description": "Serves feeds.",
  "capabilities": {"test.feeder::listen": {"displayName": "Listen", "description": "May listen."}},
  "schemas": {
    "Room": {"type": "object", "required": ["room"], "properties": {"room": {"type": "string"}}},
    "Say": {"type": "object", "required": ["room", "text"], "properties": {
      "room": {"type": "string"}, "text": {"type": "string"}, "times": {"type": "integer"}}},
    "Told": {"type": "object", "required": ["sent", "gone", "busy", "refused"], "properties": {
      "sent": {"type": "integer"}, "gone": {"type": "integer"}, "busy": {"type": "integer"},
      "refused": {"type": "integer"}}},
    "Stats": {"type": "object", "required": ["open", "joined", "cancelled"], "properties": {
      "open": {"type": "integer"}, "joined": {"type": "integer"}, "cancelled": {"type": "integer"}}},
    "Heard": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "maxLength": 4000000}}},
    "Count": {"type": "object", "required": ["from"], "properties": {"from": {"type": "integer"}}},
    "Number": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    "Nothing": {"type": "object"}
  },
  "rpc": {
    "Feeder.Say": {"version": "v1", "subject": "rpc.v1.Feeder.Say", "input": {"schema": "Say"},
                   "output": {"schema": "Told"}},
    "Feeder.Sleep": {"version": "v1", "subject": "rpc.v1.Feeder.Sleep", "input": {"schema": "Number"},
                     "output": {"schema": "Nothing"}},
    "Feeder.Stats": {"version": "v1", "subject": "rpc.v1.Feeder.Stats", "input": {"schema": "Nothing"},
                     "output": {"schema": "Stats"}}
  },
  "feeds": {
    "Feeder.Listen": {"version": "v1", "subject": "feeds.v1.Feeder.Listen", "input": {"schema": "Room"},
                      "event": {"schema": "Heard"}},
    "Feeder.Gated": {"version": "v1", "subject": "feeds.v1.Feeder.Gated", "input": {"schema": "Room"},
                     "event": {"schema": "Heard"}, "capabilities": {"subscribe": ["test.feeder::listen"]}},
    "Feeder.Count": {"version": "v1", "subject": "feeds.v1.Feeder.Count", "input": {"schema": "Count"},
                     "event": {"schema": "Number"}},
    "Feeder.Fails": {"version": "v1", "subject": "feeds.v1.Feeder.Fails", "input": {"schema": "Room"},
                     "event": {"schema": "Heard"}}
  }
});

namespace {

struct Room {
  std::string room;
  static constexpr auto fields = std::tuple(trellis::field("room", &Room::room));
};
struct Say {
  std::string room, text;
  std::optional<std::int64_t> times;
  static constexpr auto fields = std::tuple(trellis::field("room", &Say::room), trellis::field("text", &Say::text),
                                            trellis::field("times", &Say::times));
};
struct Told {
  std::int64_t sent = 0, gone = 0, busy = 0, refused = 0;
  static constexpr auto fields =
      std::tuple(trellis::field("sent", &Told::sent), trellis::field("gone", &Told::gone),
                 trellis::field("busy", &Told::busy), trellis::field("refused", &Told::refused));
};
struct Stats {
  std::int64_t open = 0, joined = 0, cancelled = 0;
  static constexpr auto fields =
      std::tuple(trellis::field("open", &Stats::open), trellis::field("joined", &Stats::joined),
                 trellis::field("cancelled", &Stats::cancelled));
};
struct Heard {
  std::string text;
  static constexpr auto fields = std::tuple(trellis::field("text", &Heard::text));
};
struct Count {
  std::int64_t from = 0;
  static constexpr auto fields = std::tuple(trellis::field("from", &Count::from));
};
struct Number {
  std::int64_t n = 0;
  static constexpr auto fields = std::tuple(trellis::field("n", &Number::n));
};

using Listener = trellis::Stream<Heard>;

// The open streams by room. [thread-safe]
class Rooms {
public:
  void join(const std::string &room, const Listener &stream) {
    {
      const std::lock_guard lock(mutex_);
      streams_.emplace_back(room, stream);
      ++joined_;
    }
    stream.on_cancel([this, id = stream.id()] { leave(id); });
  }

  Told say(const Say &say) {
    const std::string text = trellis::to_json(Heard{say.text});
    Told told;
    for (std::int64_t i = 0; i < say.times.value_or(1); ++i)
      for (const auto &stream : in(say.room))
        switch (stream.emit_text(text)) {
        case trellis::Emitted::sent: ++told.sent; break;
        case trellis::Emitted::gone: ++told.gone; break;
        case trellis::Emitted::busy: ++told.busy; break;
        case trellis::Emitted::refused: ++told.refused; break;
        }
    return told;
  }

  Stats stats() const {
    const std::lock_guard lock(mutex_);
    return {static_cast<std::int64_t>(streams_.size()), joined_, cancelled_};
  }

private:
  void leave(trellis_stream id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(streams_, [&](const auto &entry) { return entry.second.id() == id; });
    ++cancelled_;
  }
  std::vector<Listener> in(const std::string &room) const {
    std::vector<Listener> out;
    const std::lock_guard lock(mutex_);
    for (const auto &[name, stream] : streams_)
      if (name == room) out.push_back(stream);
    return out;
  }

  mutable std::mutex mutex_; // guards what follows
  std::vector<std::pair<std::string, Listener>> streams_;
  std::int64_t joined_ = 0, cancelled_ = 0;
};

void setup(trellis::Service &service) {
  const auto rooms = std::make_shared<Rooms>();
  service.set_feed_threads(2);
  service.rpc("Feeder.Say", [rooms](const Say &in, trellis::Call &) { return rooms->say(in); });
  service.rpc("Feeder.Stats", [rooms](const trellis::Nothing &, trellis::Call &) { return rooms->stats(); });
  service.rpc("Feeder.Sleep", [](const Number &in, trellis::Call &) {
    std::this_thread::sleep_for(std::chrono::milliseconds(in.n)); // that is what it is for
    return trellis::Nothing{};
  });
  service.feed<Room, Heard>("Feeder.Listen",
                            [rooms](const Room &in, const Listener &stream) { rooms->join(in.room, stream); });
  service.feed<Room, Heard>("Feeder.Gated",
                            [rooms](const Room &in, const Listener &stream) { rooms->join(in.room, stream); });
  service.feed<Room, Heard>("Feeder.Fails", [](const Room &, const Listener &stream) {
    stream.emit({"one"});
    throw trellis::Fault("KVError", "no such room", R"({"operation":"get"})");
  });
  service.blocking_feed<Count, Number>("Feeder.Count", [](const Count &in, trellis::Emitter<Number> &out) {
    for (std::int64_t n = in.from; out.emit({n}); ++n)
      if (!out.wait_for(std::chrono::milliseconds(10))) return;
  });
}

} // namespace

TRELLIS_SERVICE("test.feeder@v1", "feeder", "1.0.0", setup);
