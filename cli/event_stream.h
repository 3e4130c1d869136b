// The stream `trellis` of an installation without a control plane, which would make it (02 §7.7): until it is there no
// event can be published, heartbeats included.
//
// Made as the bundle's privileged user, whose credentials lie in the bundle. Rejected: the host makes it, because a
// host with a static policy holds no credentials beyond those of its plugins, and none of them may create streams.
#pragma once

#include "contracts/result.h"
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace trellis::cli {

// [may block] Makes it, or leaves one with the same settings as it is. Errors: those of parse_credentials and of
// JetStream, "nats_failed" when no server answers.
Result<void> make_event_stream(const std::vector<std::string> &servers, const std::filesystem::path &credentials,
                               std::int64_t replicas = 1);

} // namespace trellis::cli
