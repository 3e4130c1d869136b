// What a program does when the system has no further thread for it.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace trellis::test {

// Runs `run(no_threads, threads_again)` in a child process that isn't root, as the limit doesn't hold for root, and
// gives its outcome: what `run` returned (3 or more are the test's own failures), or 1 when a signal ended the child, 2
// when it couldn't be limited. No thread may have been started in this process before.
template <class Run>
int outcome_without_threads(Run run) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit before{};
    const auto limit = [&](rlim_t threads) {
      const rlimit wanted{threads, before.rlim_max};
      if (::setrlimit(RLIMIT_NPROC, &wanted) != 0) ::_exit(2);
    };
    if (::getrlimit(RLIMIT_NPROC, &before) != 0 || (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0))
      ::_exit(2);
    ::_exit(run([&] { limit(0); }, [&] { limit(before.rlim_cur); }));
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return 2;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

} // namespace trellis::test
