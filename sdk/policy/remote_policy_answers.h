// What a control plane's answer to a service bootstrap means for the host that asked (04 §7.3): a pure function.
#pragma once

#include "contracts/json.h"
#include "policy/policy.h"
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis {

enum class RemoteStep {
  ready,
  send_manifest, // the same again, with the contract
  correct_clock, // again with the clock of `server_now`
  wait,          // an operator decides it any moment, or another service changes it
  refused,       // something has to be repaired
  no_answer,     // the control plane is in trouble, or this isn't one
};

struct RemoteVerdict {
  RemoteStep step = RemoteStep::no_answer;
  PolicyAnswer answer; // for the host; its status says the same as `step`
  std::optional<std::int64_t> server_now;
  std::shared_ptr<const NatsCredentials> sentinel; // set exactly when ready
};

// `session_key`: who asked, for messages to the operator.
RemoteVerdict judge_remote_answer(int status, std::string_view body, std::string_view session_key);

// `serverNow` of an answer to a bootstrap (03 §7.4), in seconds; nullopt when it is none that a clock could be set to.
std::optional<std::int64_t> server_time(const JsonValue &body);

// For people: whose clock is ahead, and by how much. `offset_ms`: what the local clock lacks (wire/clock_offset.h).
std::string clock_difference(double offset_ms);

// Retry-After as seconds or HTTP date, between 0 and 60 s; nullopt when absent or unreadable.
std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::int64_t now_ms);

// {reason, message} with status 503.
PolicyAnswer undecided_answer(std::string_view reason, std::string_view message);

} // namespace trellis
