// Preloaded into a host, this lets its clock be wrong: CLOCK_REALTIME is ahead by TRELLIS_TEST_CLOCK_SHIFT seconds. The
// machine's own clock can't be changed for one process, and time namespaces don't cover CLOCK_REALTIME.
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now) {
  const long done = syscall(SYS_clock_gettime, clock, now);
  const char *shift = getenv("TRELLIS_TEST_CLOCK_SHIFT");
  if (done == 0 && clock == CLOCK_REALTIME && shift) now->tv_sec += strtol(shift, NULL, 10);
  return (int)done;
}

__attribute__((visibility("default"))) time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
