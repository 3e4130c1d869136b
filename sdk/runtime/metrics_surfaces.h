// Failures of events and feeds, as trellis.errors has them (06 §9.1).
#pragma once

#include "runtime/event_handler.h"
#include "runtime/event_prepare.h"
#include "runtime/metrics_errors.h"
#include "runtime/rpc_service.h"
#include <string_view>

namespace trellis {

// A listener's: an event that breaks its schema, a handler that failed. Other reports are no errors.
void count_listener_error(ErrorCounter &errors, const EventReport &report);
// A publisher's. `phase`: "prepare" or "publish".
void count_publisher_error(ErrorCounter &errors, std::string_view event, const EventFailure &failure,
                           std::string_view phase);
// An error frame of the feed called `feed`.
void count_feed_error(ErrorCounter &errors, std::string_view feed, const RpcReply &error);

} // namespace trellis
