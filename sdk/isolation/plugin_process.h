// Supervision of one isolated plugin: a thread that starts its process, carries its frames, asks it for signs of life,
// sees its end, and starts the next one.
//
// One thread for all of it, in a poll loop that never blocks on the child: the child may stop reading, stop answering,
// write nonsense or die at any point. What the frames mean, and whether there is a next process, is decided elsewhere.
#pragma once

#include "isolation/child_process.h"
#include "isolation/crash_area.h"
#include "isolation/frame.h"
#include "wire/secret.h"
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace trellis::isolation {

class PluginProcess {
public:
  using Clock = std::chrono::steady_clock;

  struct End {
    ChildEnd status;
    std::optional<CrashFacts> facts;
    std::string reason;             // why the host ended it; "" when it wasn't the host
    std::string text;               // all of that in words
    std::optional<Error> unspawned; // there was no process at all
  };
  // All called on the supervising thread.
  struct Events {
    std::function<Result<void>(pid_t)> on_spawned; // before anything is sent to it; an error ends it
    std::function<void(ReceivedFrame)> on_frame;   // all but pong
    std::function<void(std::string_view line)> on_output;
    // How long to wait before the next process; nullopt: there is none.
    std::function<std::optional<std::chrono::milliseconds>(const End &)> on_end;
  };
  struct Options {
    std::string plugin;
    int artifact = -1; // memfd
    std::chrono::milliseconds hang_timeout{10'000};
    std::chrono::milliseconds busy_timeout{20'000};  // for all workers busy with others waiting, without progress
    std::size_t unread_max = std::size_t{256} << 20; // bytes that it is sent and doesn't read
  };

  PluginProcess(Options options, Events events);
  ~PluginProcess(); // ends the process
  PluginProcess(const PluginProcess &) = delete;
  PluginProcess &operator=(const PluginProcess &) = delete;

  // Once: starts the thread. Errors "threads" when the host's user may have none, "isolation_spawn".
  Result<void> begin();
  // [thread-safe] The number of the process that runs now, or ran last: 1 for the first.
  std::uint64_t session() const { return session_.load(); }
  // [thread-safe] Queues a frame for that process; nothing once it has ended: ids mean something else to the next one.
  // False for a frame beyond the limits.
  bool send(const Frame &frame, std::uint64_t session);
  void send_encoded(std::string_view bytes, std::uint64_t session); // of encode_frame
  // The same for one that holds secrets, the first one to its process: what was sent of it is overwritten.
  void send_secret(const Frame &frame, std::uint64_t session);
  // [thread-safe] Ends the process that runs now, when it hasn't ended by itself until then.
  void end_at(Clock::time_point when, std::string reason);
  void no_end(); // takes that back
  // [may block] There will be no next process; waits until this one has ended by itself or by end_at.
  void wait_for_end();
  // [may block] The same, and ends it.
  void finish();
  pid_t pid() const { return pid_.load(); }

private:
  struct Session; // one process

  void run();
  End supervise(ChildProcess child);
  void wake();
  bool pause(std::chrono::milliseconds length);
  void flush(Session &session);
  ssize_t send_unsent();
  void forget_unsent();
  bool read_frames(Session &session, std::size_t most);
  void read_output(Session &session);
  void note_pong(Session &session, const Frame &pong);
  void check_life(Session &session);
  void end(Session &session, int signal, std::string reason);
  std::chrono::milliseconds patience(const Session &session) const;

  const Options options_;
  const Events events_;
  OwnedFd wake_;
  std::atomic<pid_t> pid_ = -1;
  std::atomic<std::uint64_t> session_ = 0; // written with the lock
  std::atomic<bool> no_next_ = false, finishing_ = false;

  mutable std::mutex mutex_; // guards what follows, but the thread
  int socket_ = -1;          // of the process that runs
  SecretText unsent_secret_; // goes first
  std::size_t secret_sent_ = 0;
  std::string unsent_;
  bool too_much_ = false; // more than that was to be sent: the rest is lost, and the process with it
  std::optional<std::pair<Clock::time_point, std::string>> end_at_;
  std::thread thread_;
};

} // namespace trellis::isolation
