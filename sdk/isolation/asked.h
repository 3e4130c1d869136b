// [child] A question of the host that runs a function of the plugin, and its one answer.
//
// The plugin's function may end its thread instead of returning (pthread_exit), which unwinds through the owner of
// this: then it has failed, as in the host's process. Nobody waits for an answer that can't come.
#pragma once

#include "contracts/result.h"
#include "isolation/abi_frames.h"
#include "isolation/host_link.h"

namespace trellis::isolation {

class Asked {
public:
  Asked(HostLink &link, std::uint64_t id) : link_(link), id_(id) {}
  ~Asked() {
    if (!answered_) refuse({"UnexpectedError", {}, "the plugin's function ended its thread", {}, {}});
  }
  Asked(const Asked &) = delete;
  Asked &operator=(const Asked &) = delete;

  void answer(trellis_status status, std::string_view output = {}, const KeptError *error = nullptr) {
    if (!answer(answer_frame(id_, status, output, error))) answer(answer_frame(id_, TRELLIS_E_TOO_LARGE));
  }
  void refuse(const Error &problem) {
    const KeptError error{true, problem.code, problem.text(), {}, {}};
    answer(TRELLIS_E_FAILED, {}, &error);
  }
  // False for one beyond the limits, which is no answer yet.
  bool answer(const Frame &frame) { return answered_ = link_.send(frame); }

private:
  HostLink &link_;
  const std::uint64_t id_;
  bool answered_ = false;
};

} // namespace trellis::isolation
