// The streams and buckets of the platform itself (02 §7.7, first six rows): made or adjusted at start, before anything
// uses them. Those of contracts are reconciliation's.
#pragma once

#include "core.h"
#include "replicas.h"
#include "transport/transport.h"

namespace trellis::auth {

inline constexpr char kEventStream[] = "trellis";
inline constexpr char kOauthStatesBucket[] = "trellis_oauth_states";
inline constexpr char kPendingAuthBucket[] = "trellis_pending_auth";
inline constexpr char kBrowserFlowsBucket[] = "trellis_browser_flows";
inline constexpr char kStateBucket[] = "trellis_state"; // kConnectionsBucket is in wire/presence.h

// [may block] The configured number, or the probe's on the system connection; a probe without an answer is logged.
Replicas choose_replicas(Core &core, Transport &system);

// [may block] Stream `trellis` in the TRELLIS account, the five buckets in the AUTH account. The error names the first
// that can't be had: start-up ends then. An existing stream that doesn't capture every event is a warning.
Result<void> ensure_platform_streams(Core &core, Transport &auth, Transport &trellis, Replicas replicas);

// Whether every subject that `inner` matches is matched by `outer` too.
bool pattern_covers(std::string_view outer, std::string_view inner);

} // namespace trellis::auth
