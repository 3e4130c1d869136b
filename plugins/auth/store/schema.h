// The tables of the control plane: every migration's SQL, in order (02 §16, 03 §8, 04 §13, §19).
//
// Migration n brings `PRAGMA user_version` from n - 1 to n. A published migration is never edited, only followed by
// another. Keys are the protocol's own: no rowid is ever seen and no default reads the clock, so that the same changes
// give the same rows on every replica (ARCHITECTURE §7). Times are Unix milliseconds; lists and objects that nothing is
// looked up by are JSON text. No foreign keys: the protocol keeps rows whose parents are gone (02 §13: a removed
// deployment's authority). Tables of small rows are WITHOUT ROWID; those with large texts are not, because a row that
// doesn't fit the tree's page makes every look-up read its overflow.
#pragma once

#include <cstdint>
#include <span>

namespace trellis::auth {

inline constexpr std::int64_t kApplicationId = 0x54524C53; // "TRLS" in the file's header

std::span<const char *const> migrations(); // [n - 1] is migration n

} // namespace trellis::auth
