// The isolated process's end of the socket: what the plugin asks of the host, and the answers.
//
// One thread reads (the main one); any thread sends, and may wait: the host always reads. When the host is gone there
// is nothing left to do, so the process ends.
#pragma once

#include "isolation/frame.h"
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>

namespace trellis::isolation {

class HostLink {
public:
  explicit HostLink(int socket) : socket_(socket) {}

  // [thread-safe] [may block] False for a frame beyond the limits.
  bool send(const Frame &frame);
  // [thread-safe] [may block] Sends a question (its id is set here) and waits for the answer.
  ReceivedFrame ask(Frame question);
  // [thread-safe] The same without waiting: `on_answer` runs on the reading thread.
  void ask(Frame question, std::function<void(ReceivedFrame)> on_answer);

  // [reading thread] The first frame, which holds secrets: nothing of it stays behind but what is returned.
  ReceivedFrame receive_first();
  // [reading thread] The next frame that is no answer; answers go to who asked. Ends the process at the host's end.
  ReceivedFrame receive();

private:
  std::uint64_t expect(std::function<void(ReceivedFrame)> on_answer);
  void answered(ReceivedFrame answer);

  const int socket_;
  FrameReader reader_; // of the reading thread
  std::mutex send_mutex_;
  std::mutex mutex_; // guards what follows
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::function<void(ReceivedFrame)>> asked_;
};

} // namespace trellis::isolation
