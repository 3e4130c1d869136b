#include "isolation/untrusted_child.h"

#include "isolation/abi_frames.h"
#include "isolation/child_process.h"
#include "isolation/create_settings.h"
#include <array>
#include <cerrno>
#include <map>
#include <sys/socket.h>
#include <unistd.h>

namespace trellis::isolation::testing {
namespace {

constexpr std::uint64_t kStartId = 2; // of the supervision's own question

class Peer {
public:
  void say(const Frame &frame) { send_all(encode_frame(frame)); }
  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(kChildSocket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0) ::_exit(0);
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // The next frame but pings, which it answers.
  ReceivedFrame hear() {
    for (;;) {
      if (auto frame = reader_.next()) {
        if (frame->frame.kind != FrameKind::ping) return std::move(*frame);
        say({FrameKind::pong, frame->frame.id, {1, 0, 0}, {}});
        continue;
      }
      std::array<char, 65536> bytes;
      const auto got = ::recv(kChildSocket, bytes.data(), bytes.size(), 0);
      if (got <= 0) ::_exit(0);
      reader_.add({bytes.data(), static_cast<std::size_t>(got)});
    }
  }
  ReceivedFrame hear_answer(std::uint64_t id) {
    for (;;)
      if (auto frame = hear(); frame.frame.kind == FrameKind::answer && frame.frame.id == id) return frame;
  }
  void answer(std::uint64_t id) { say(answer_frame(id, TRELLIS_OK)); }
  void log(std::string_view text) { say({FrameKind::log, 0, {TRELLIS_LOG_INFO}, {text, {}}}); }
  // One rpc, of no contract that anybody knows.
  void describe(std::uint64_t id, std::string_view program = "untrusted", std::string_view version = "1.0.0") {
    say({FrameKind::created,
         id,
         {1, 0, 0, 0, TRELLIS_SURFACE_RPC, kHasRpc},
         {program, version, "test.untrusted@v1", "Untrusted.Do", "", ""}});
  }

private:
  FrameReader reader_;
};

using Frames = std::map<std::string_view, void (*)(Peer &, const Frame &)>;

// Takes the host's deadline for `stop` back, and never stops.
void stay(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::stop) return peer.answer(frame.id);
  peer.answer(kStartId);
  peer.describe(1);
}

// The same while it is being made.
void never_begin(Peer &peer, const Frame &) {
  peer.answer(kStartId);
}

// Asks without end, and reads no answer.
void flood(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  const auto question = encode_frame({FrameKind::call_state, 1, {1}, {}});
  std::string many;
  while (many.size() < std::size_t{1} << 20)
    many += question;
  const int most = 1 << 19;
  ::setsockopt(kChildSocket, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
  for (;;) { // never asleep, so that there is always more to read
    std::string_view left = many;
    while (!left.empty()) {
      const auto sent = ::send(kChildSocket, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) ::_exit(0);
      if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
}

// "ask": asks question 1 and logs its answer. Else: asks question 1 and ends.
void ask_and_end(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  const bool waits = frame.text(1) == "ask";
  peer.say({FrameKind::call_rpc, 1, {60'000}, {"test.other@v1", "Other.Do", "{}", "", ""}});
  if (!waits) ::_exit(1);
  peer.log("answer: " + std::string(peer.hear_answer(1).frame.text(0)));
}

// Has more large questions open than anybody needs, then asks small ones.
void hoard(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  const std::string payload(std::size_t{48} << 20, 'x');
  for (std::uint64_t id = 1; id <= 4; ++id)
    peer.say({FrameKind::request, id, {0, 60'000}, {"a.subject", payload}});
  for (std::uint64_t id = 3; id <= 4; ++id)
    peer.log("request " + std::to_string(id) + ": " + std::to_string(peer.hear_answer(id).frame.number(0)));
}

// Answers its request while more calls are open than the host keeps.
void call_often(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  for (std::uint64_t id = 1; id <= 5000; ++id)
    peer.say({FrameKind::call_rpc, id, {60'000}, {"test.other@v1", "Other.Do", "{}", "", ""}});
  peer.say({FrameKind::complete, 9999, {frame.id}, {"{}"}});
  peer.log("complete: " + std::to_string(peer.hear_answer(9999).frame.number(0)));
}

void ask_and_wait(Peer &peer, const Frame &frame) {
  if (frame.kind == FrameKind::rpc) return peer.say({FrameKind::request, 1, {0, 60'000}, {"a.subject", "{}"}});
  peer.answer(frame.id);
  if (frame.kind == FrameKind::destroy) ::_exit(0);
}

void end_within_a_line(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  static constexpr std::string_view kText = "one line\nlast words";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(1);
}

void take_no_more(Peer &peer, const Frame &frame) {
  if (frame.kind == FrameKind::start) {
    ::shutdown(kChildSocket, SHUT_RD);
    peer.answer(frame.id);
    for (;;)
      ::pause();
  }
}

void stop_reading(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  for (;;)
    ::pause();
}

// Says more about itself than a name and a version.
void forge(Peer &peer, const Frame &frame) {
  peer.answer(frame.id);
}

void log_much(Peer &peer, const Frame &frame) {
  if (frame.kind != FrameKind::rpc) return peer.answer(frame.id);
  const std::string much(std::size_t{1} << 20, 'x');
  peer.say({FrameKind::log, 0, {TRELLIS_LOG_INFO}, {much, "{\"a\":\"" + much + "\"}"}});
  peer.log("logged");
  peer.say({FrameKind::complete, 1, {frame.id}, {"{}"}});
}

} // namespace

void misbehave(std::string_view how) {
  const Frames ways{{"stays", &stay},
                    {"never-begins", &never_begin},
                    {"floods", &flood},
                    {"asks-and-ends", &ask_and_end},
                    {"hoards", &hoard},
                    {"calls-often", &call_often},
                    {"asks-and-waits", &ask_and_wait},
                    {"ends-within-a-line", &end_within_a_line},
                    {"takes-no-more", &take_no_more},
                    {"stops-reading", &stop_reading},
                    {"logs-much", &log_much},
                    {"forges", &forge}};
  const auto way = ways.find(how);
  if (way == ways.end()) ::_exit(2);
  Peer peer;
  for (;;) {
    const auto received = peer.hear();
    if (received.frame.kind == FrameKind::create && way->second == &forge)
      peer.describe(received.frame.id, "untrusted\nend:       in peace", "1.0.0\x1b");
    else if (received.frame.kind == FrameKind::create && way->second != &never_begin)
      peer.describe(received.frame.id);
    else
      way->second(peer, received.frame);
  }
}

} // namespace trellis::isolation::testing
