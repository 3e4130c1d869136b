// How many replicas the control plane's streams get (02 §7.6): what is configured, or what the cluster can hold.
//
// Every server of a cluster answers the probe, and only the meta leader's answer counts, so one reply isn't enough and
// Transport::request won't do: the answers are collected on an inbox. An answer that settles the question ends the
// collecting at once; the limit of 1 s passes only in a cluster without a leader, or where nobody answers.
#pragma once

#include "transport/transport.h"
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

struct Replicas {
  int count = 1;
  bool configured = false; // applied as it is; a probed number only raises what exists
};

// Answers of `$SYS.REQ.SERVER.PING.JSZ` in the order of arrival.
int replicas_from_jsz(const std::vector<std::string> &answers);

// [may block] Everything that arrives for one request until `enough(answer)` or `limit`. Not for network threads.
Result<std::vector<std::string>> request_many(Transport &transport, std::string_view subject,
                                              std::chrono::milliseconds limit, bool (*enough)(const std::string &));

// [may block] The probe on the system connection. An error means that no answer decided; the count is 1 then.
Result<int> probe_replicas(Transport &system, std::chrono::milliseconds limit = std::chrono::seconds(1));

} // namespace trellis::auth
