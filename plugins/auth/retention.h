// Forgets audit lines and reconciliation events that are older than the configuration keeps them.
//
// A few rows are one change, and the next one goes to the writer when that is committed: callouts and RPCs find their
// place in between. Rejected: one DELETE for all, which would hold up every login for as long as it takes.
#pragma once

#include "core.h"
#include <cstddef>
#include <stop_token>

namespace trellis::auth {

inline constexpr std::size_t kForgetBatch = 500;    // rows of one change: a few milliseconds of the writer's time
inline constexpr std::size_t kForgetBatches = 2000; // of one kind in one round; what is left is for the next

// [may block] One round. Trouble with the database ends it and is logged.
void forget_old_history(Core &core, const std::stop_token &stop);

} // namespace trellis::auth
