// What crosses the socket between the host and an isolated plugin: one frame for each call of the plugin ABI.
//
// A frame is a kind, an id that its answer repeats, numbers and texts; what they mean is written beside each kind. One
// shape for all, so that there is one parser, which reads bytes that an untrusted process wrote: bounded, and with
// accessors that answer "nothing" for what a frame doesn't hold. Rejected: JSON, which would have to escape and parse
// payloads that are JSON already; a struct for each kind, which would be thirty parsers.
//
// On the wire (little-endian, as both ends are the same program): u32 length of what follows, u8 version, u8 kind,
// u16 numbers, u32 texts, u64 id, the numbers as u64, then each text as u32 length and bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::isolation {

inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::size_t kMaxFrameBytes = std::size_t{72} << 20; // NATS payloads are at most 64 MiB
inline constexpr std::size_t kMaxFrameTexts = 16384;
inline constexpr std::size_t kMaxFrameNumbers = 4096;
inline constexpr std::size_t kFrameHead = 4;   // bytes of the length
inline constexpr std::size_t kFrameFixed = 16; // bytes of what has a fixed size after it

// "E": an error as four texts {type, message, context, fields}.
enum class FrameKind : std::uint8_t {
  // Both ways.
  answer = 1, // id of the question; {status, has error}, {output, E}

  // Host to plugin. All but rpc, feed, feed_cancel and ping are answered with `answer`.
  create = 16,  // CreateSettings; answered with `created` or `answer`
  start = 17,   //
  stop = 18,    // {deadline_unix_ms}
  destroy = 19, //
  rpc = 20, // id = call; {deadline_unix_ms}, {surface, input, caller, session_key, request_id, traceparent, tracestate}
  event =
      21, // {handler, delivery, time, sequence}, {contract, name, payload, subject, id, group, traceparent, tracestate}
  feed = 22,         // id = stream; {}, {surface, input, caller, session_key, request_id, traceparent, tracestate}
  feed_cancel = 23,  // id = stream; {}, {surface}
  health_check = 24, // {check}; answer's output: the details
  health_info = 25,
  ping = 26, // answered with `pong`

  // Plugin to host. All but created, pong and log are answered with `answer`.
  created = 64,  // {handlers, checks, has info, abi minor, then for each handler: kind, has function, has feed_cancel},
                 // {program, version, then for each handler {contract, name, group, subject_data}, then check names}
  pong = 65,     // {idle workers, waiting, ms since a worker last took or finished something}
  log = 66,      // {level}, {message, fields}
  complete = 67, // {call}, {output}
  fail = 68,     // {call}, {E}
  release = 69,  // {call}
  call_state = 70,             // {call}
  call_rpc = 71,               // {timeout_ms}, {contract, name, input, traceparent, tracestate}
  publish = 72,                // {headers}, {subject, payload, then name and value of each header}
  request = 73,                // {headers, timeout_ms}, as publish
  event_prepare = 74,          // {timeout_ms}, {contract, name, payload, traceparent, tracestate}
  event_publish_prepared = 75, // {timeout_ms}, {prepared}
  event_publish = 76,          // as event_prepare
  event_publish_async = 77,    // as event_prepare; the answer is the publication's
  feed_emit = 78,              // {stream}, {event}
  feed_fail = 79,              // {stream}, {E}
  feed_close = 80,             // {stream}
  feed_state = 81,             // {stream}
  metric =
      82, // {kind, bits of the value, attributes}, {name, unit, description, then name and value of each attribute}
};

// The texts are views: of what is sent, or into the bytes of a ReceivedFrame.
struct Frame {
  FrameKind kind = FrameKind::answer;
  std::uint64_t id = 0;
  std::vector<std::uint64_t> numbers;
  std::vector<std::string_view> texts;

  std::uint64_t number(std::size_t i) const { return i < numbers.size() ? numbers[i] : 0; }
  std::string_view text(std::size_t i) const { return i < texts.size() ? texts[i] : std::string_view{}; }
};

struct ReceivedFrame {
  std::vector<char> bytes; // what `frame` points into; moving it keeps it in place
  Frame frame;
};

// The bytes to send, length included. A frame beyond the limits above: "".
std::string encode_frame(const Frame &frame);
// The frame of a body (what follows the length); nullopt for one that is malformed. Pure.
std::optional<Frame> decode_frame(std::span<const char> body);

// Cuts a byte stream into frames. Lives on the thread that reads.
class FrameReader {
public:
  // Adds what was received. False once the stream is malformed: nothing after that can be trusted.
  bool add(std::span<const char> bytes);
  // The next whole frame.
  std::optional<ReceivedFrame> next();
  bool malformed() const { return malformed_; }

private:
  std::vector<char> waiting_; // bytes that are no whole frame yet, from begin_ on
  std::size_t begin_ = 0;
  bool malformed_ = false;
};

} // namespace trellis::isolation
