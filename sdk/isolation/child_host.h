// The host's functions as an isolated plugin sees them: the table of plugin.h, with every function a question over the
// socket. The plugin can't tell the difference, and has no key, no connection and no credentials of its own.
#pragma once

#include "isolation/host_link.h"
#include "isolation/task_threads.h"
#include "wire/secret.h"
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <trellis/plugin.h>

namespace trellis::isolation {

class ChildHost {
public:
  // `callbacks`: the thread that answers to asynchronous calls run on; never the one that reads.
  ChildHost(HostLink &link, TaskThreads &callbacks, SecretText config_json, std::string identity_json);

  const trellis_host *table() const { return &table_; }

  // What a request or a feed's request points into, until the plugin lets go of it.
  void hold_call(trellis_call call, std::shared_ptr<void> memory);
  void hold_stream(trellis_stream stream, std::shared_ptr<void> memory);

  // [thread-safe] As the plugin's own function of the name.
  trellis_status release(trellis_call call);

  // [may block] From here on nothing asynchronous is asked any more. Waits until every callback of what was has run.
  void finish_callbacks();

private:
  struct Functions; // the C functions
  trellis_status ask_about_call(FrameKind kind, trellis_call call, Frame frame);
  trellis_status ask_about_stream(FrameKind kind, trellis_stream stream, Frame frame, trellis_error_sink error);
  void forget_call(trellis_call call);
  void forget_stream(trellis_stream stream);
  bool begin_callback(); // false when it is too late for one
  void end_callback();

  HostLink &link_;
  TaskThreads &callbacks_;
  const SecretText config_json_;
  const std::string identity_json_;
  trellis_host table_{};
  std::mutex mutex_; // guards what follows
  std::map<std::uint64_t, std::shared_ptr<void>> calls_, streams_;
  std::size_t callbacks_due_ = 0; // of asynchronous questions
  bool finishing_ = false;
  std::condition_variable callback_ended_;
};

} // namespace trellis::isolation
