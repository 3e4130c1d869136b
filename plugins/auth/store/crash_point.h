// Numbered places at which a test may end the process, one at every durable write (ARCHITECTURE §10).
//
// Compiled in with -DTRELLIS_CRASH_POINTS only. TRELLIS_CRASH_AT=n ends the process, as kill -9 would, at the n-th
// point that it reaches; a run without the variable passes them all. The numbers count arrivals, not places in the
// source: one loop over n visits every state that a run can be cut off in.
//
// TRELLIS_CRASH_FILE=path does the same later: the file's first line is n and any other text, and each new line starts
// a countdown from there, so that a test picks what is to be cut off. No file, or no n: all points are passed.
#pragma once

namespace trellis::auth {

#ifdef TRELLIS_CRASH_POINTS
void crash_point(); // [thread-safe]
#else
inline void crash_point() {}
#endif

} // namespace trellis::auth
