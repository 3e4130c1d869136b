#include "isolation/plugin_process.h"

#include "isolation/crash_report.h"
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <limits>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace trellis::isolation {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr std::size_t kReadsAtOnce = 4;  // before it is looked after again: it may never stop sending
constexpr std::size_t kMaxLine = 4096;   // of what it prints
constexpr milliseconds kLastWords{1000}; // from SIGABRT to SIGKILL
constexpr milliseconds kNever{60'000};

} // namespace

// Lives on the supervising thread.
struct PluginProcess::Session {
  ChildProcess child;
  FrameReader reader;
  std::string line; // what it printed since the last line end
  std::string reason;
  std::uint64_t pings = 0, pongs = 0;
  Clock::time_point next_ping, pinged;
  std::optional<Clock::time_point> kill_at;
  bool socket_ended = false, takes_no_more = false;
};

PluginProcess::PluginProcess(Options options, Events events)
    : options_(std::move(options)), events_(std::move(events)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

PluginProcess::~PluginProcess() {
  finish();
}

Result<void> PluginProcess::begin() {
  try {
    thread_ = std::thread([this] { run(); });
    return {};
  } catch (const std::system_error &problem) {
    return trellis::fail(problem.code() == std::errc::resource_unavailable_try_again ? "threads" : "isolation_spawn",
                         options_.plugin, "the system has no thread to look after its process",
                         "fewer processes and threads of the host's user");
  }
}

void PluginProcess::wait_for_end() {
  no_next_ = true;
  wake();
  if (thread_.joinable()) thread_.join();
}

void PluginProcess::finish() {
  finishing_ = true;
  wait_for_end();
}

void PluginProcess::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

bool PluginProcess::send(const Frame &frame, std::uint64_t session) {
  const auto bytes = encode_frame(frame);
  if (!bytes.empty()) send_encoded(bytes, session);
  return !bytes.empty();
}

void PluginProcess::send_secret(const Frame &frame, std::uint64_t session) {
  auto bytes = encode_frame(frame);
  {
    const std::lock_guard lock(mutex_);
    if (socket_ >= 0 && session == session_) unsent_secret_ = SecretText(std::move(bytes));
  }
  wipe(bytes);
  wake();
}

void PluginProcess::send_encoded(std::string_view bytes, std::uint64_t session) {
  const std::lock_guard lock(mutex_);
  if (socket_ < 0 || session != session_ || too_much_) return;
  std::string_view left = bytes;
  if (unsent_.empty() && unsent_secret_.empty()) {
    const auto sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) left.remove_prefix(static_cast<std::size_t>(sent));
    if (left.empty()) return;
  }
  too_much_ = unsent_.size() + left.size() > options_.unread_max;
  if (!too_much_) unsent_.append(left);
  wake();
}

void PluginProcess::end_at(Clock::time_point when, std::string reason) {
  {
    const std::lock_guard lock(mutex_);
    end_at_.emplace(when, std::move(reason));
  }
  wake();
}

void PluginProcess::no_end() {
  const std::lock_guard lock(mutex_);
  end_at_.reset();
}

void PluginProcess::run() {
  for (;;) {
    End end;
    if (auto child = spawn_child(options_.plugin, options_.artifact)) {
      end = supervise(std::move(*child));
    } else {
      end.unspawned = child.error();
      end.reason = end.text = child.error().text();
    }
    const auto wait = events_.on_end(end);
    if (!wait || !pause(*wait)) return;
  }
}

// False when there is to be no next process.
bool PluginProcess::pause(milliseconds length) {
  const auto until = Clock::now() + length;
  while (!no_next_) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    pollfd wait{wake_.get(), POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(left.count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  }
  return false;
}

PluginProcess::End PluginProcess::supervise(ChildProcess child) {
  Session session;
  session.child = std::move(child);
  session.next_ping = Clock::now() + options_.hang_timeout / 4;
  pid_ = session.child.pid;
  {
    const std::lock_guard lock(mutex_);
    socket_ = session.child.socket.get();
    ++session_;
    forget_unsent();
    too_much_ = false;
    end_at_.reset();
  }
  if (auto good = events_.on_spawned(session.child.pid); !good) end(session, SIGKILL, good.error().text());

  for (bool alive = true; alive;) {
    bool unsent = false;
    {
      const std::lock_guard lock(mutex_);
      unsent = !(unsent_.empty() && unsent_secret_.empty()) && !session.takes_no_more;
    }
    const auto socket_events = static_cast<short>(session.socket_ended ? 0 : POLLIN | (unsent ? POLLOUT : 0));
    std::array<pollfd, 4> ready{{{session.child.pidfd.get(), POLLIN, 0},
                                 {session.socket_ended ? -1 : session.child.socket.get(), socket_events, 0},
                                 {session.child.output.get(), POLLIN, 0},
                                 {wake_.get(), POLLIN, 0}}};
    ::poll(ready.data(), ready.size(), static_cast<int>(patience(session).count()));
    alive = ready[0].revents == 0;
    if (ready[3].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    }
    if (ready[1].revents & POLLOUT) flush(session);
    // What it said before it ended still counts.
    const auto reads = alive ? kReadsAtOnce : std::numeric_limits<std::size_t>::max();
    if ((!alive || (ready[1].revents & ~POLLOUT) != 0) && !session.socket_ended && !read_frames(session, reads)) {
      session.socket_ended = true;
      if (!session.kill_at) session.kill_at = Clock::now() + kLastWords; // it usually ends next
    }
    if (!alive || ready[2].revents != 0) read_output(session);
    if (alive) check_life(session);
  }
  if (!session.line.empty()) events_.on_output(session.line);
  {
    const std::lock_guard lock(mutex_);
    socket_ = -1;
    forget_unsent();
    end_at_.reset();
  }
  pid_ = -1;
  End end;
  end.status = isolation::wait_for_end(session.child);
  end.facts = read_crash_area(session.child.crash_area.get());
  end.reason = session.reason;
  end.text = end_text(end.status.code, end.status.status, end.facts);
  if (!end.reason.empty()) end.text = end.reason + "; " + end.text;
  return end;
}

void PluginProcess::flush(Session &session) {
  const std::lock_guard lock(mutex_);
  if (send_unsent() >= 0 || errno == EAGAIN || errno == EINTR) return;
  session.takes_no_more = true; // it closed its end, or is about to end
  if (!session.kill_at) session.kill_at = Clock::now() + kLastWords;
}

// With the lock. What send() says.
ssize_t PluginProcess::send_unsent() {
  const bool secret = !unsent_secret_.empty();
  const auto left = secret ? std::string_view(unsent_secret_.reveal()).substr(secret_sent_) : std::string_view(unsent_);
  const auto sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent <= 0) return sent;
  const auto size = static_cast<std::size_t>(sent);
  if (!secret)
    unsent_.erase(0, size);
  else if (secret_sent_ += size; size == left.size())
    unsent_secret_ = {}; // wiped
  return sent;
}

// With the lock.
void PluginProcess::forget_unsent() {
  unsent_.clear();
  unsent_secret_ = {};
  secret_sent_ = 0;
}

// False at the end of the stream, and when nothing sensible follows.
bool PluginProcess::read_frames(Session &session, std::size_t most) {
  std::array<char, kReadBytes> bytes;
  for (std::size_t i = 0; i < most; ++i) {
    const auto got = ::recv(session.child.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    session.reader.add({bytes.data(), static_cast<std::size_t>(got)});
    while (auto frame = session.reader.next()) {
      if (frame->frame.kind == FrameKind::pong)
        note_pong(session, frame->frame);
      else
        events_.on_frame(std::move(*frame));
    }
    if (session.reader.malformed()) {
      end(session, SIGKILL, "it sent a malformed frame");
      return false;
    }
    if (got < static_cast<ssize_t>(bytes.size())) break; // poll says when there is more
  }
  return true;
}

void PluginProcess::read_output(Session &session) {
  std::array<char, kMaxLine> bytes;
  for (int rounds = 0; rounds < 64; ++rounds) { // a flood waits for the next turn
    const auto got = ::read(session.child.output.get(), bytes.data(), bytes.size());
    if (got <= 0) {
      // Closed on purpose: nothing more to poll for.
      if (got == 0) session.child.output = OwnedFd();
      break;
    }
    for (const char c : std::string_view(bytes.data(), static_cast<std::size_t>(got))) {
      if (c != '\n' && session.line.size() < kMaxLine) {
        session.line += c;
        continue;
      }
      if (!session.line.empty()) events_.on_output(session.line);
      session.line.clear();
    }
  }
}

void PluginProcess::note_pong(Session &session, const Frame &pong) {
  session.pongs = pong.id;
  const bool all_busy = pong.number(0) == 0 && pong.number(1) > 0; // as many as it could start
  if (all_busy && pong.number(2) > static_cast<std::uint64_t>(options_.busy_timeout.count()))
    end(session, SIGABRT, "all of its handlers are stuck, and requests wait");
}

void PluginProcess::end(Session &session, int signal, std::string reason) {
  if (!session.reason.empty()) return;
  session.reason = std::move(reason);
  send_signal(session.child, signal);
  session.kill_at = Clock::now() + (signal == SIGKILL ? milliseconds{0} : kLastWords);
}

milliseconds PluginProcess::patience(const Session &session) const {
  auto until = session.next_ping;
  if (session.kill_at) until = std::min(until, *session.kill_at);
  {
    const std::lock_guard lock(mutex_);
    if (end_at_) until = std::min(until, end_at_->first);
  }
  const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
  return std::clamp(left, milliseconds{0}, kNever);
}

void PluginProcess::check_life(Session &session) {
  const auto now = Clock::now();
  if (session.kill_at && now >= *session.kill_at) {
    send_signal(session.child, SIGKILL);
    session.kill_at = now + kLastWords;
  }
  if (finishing_) end(session, SIGKILL, "the host ends it");
  std::optional<std::string> due;
  bool too_much = false;
  {
    const std::lock_guard lock(mutex_);
    if (end_at_ && now >= end_at_->first) due = end_at_->second;
    too_much = too_much_;
  }
  if (due) {
    no_end();
    end(session, SIGABRT, *due);
  }
  if (too_much) end(session, SIGKILL, "it doesn't read what it is sent");
  // SIGABRT has the main thread say where it is.
  if (!session.socket_ended && session.pings > session.pongs && now - session.pinged >= options_.hang_timeout)
    end(session, SIGABRT, "it gave no sign of life for " + std::to_string(options_.hang_timeout.count()) + " ms");
  if (now < session.next_ping) return;
  session.next_ping = now + options_.hang_timeout / 4;
  if (session.pings != session.pongs) return;
  session.pinged = now;
  send({FrameKind::ping, ++session.pings, {}, {}}, session_);
}

} // namespace trellis::isolation
