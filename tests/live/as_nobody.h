// For tests of what an ordinary user's host does, by a process that may be root.
#pragma once

#include "live_host.h"
#include "support/assertion_thread.h"
#include <catch2/catch_test_macros.hpp>
#include <exception>
#include <functional>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace trellis::test {

inline constexpr unsigned kNobody = 65534;

// Runs it on a thread of its own, and with it everything that it starts: a system call changes the user, or the filter,
// of its thread alone.
inline void on_own_thread(const std::function<void()> &prepare, const std::function<void()> &run) {
  std::exception_ptr thrown;
  std::thread thread([&] {
    const AssertionsHere here;
    try {
      prepare();
      run();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
}

inline void become_nobody() {
  if (::geteuid() != 0) return; // an ordinary user already
  if (::syscall(SYS_setgroups, 0, nullptr) != 0 || ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0 ||
      ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0)
    SKIP("this process can't become another user");
  ::prctl(PR_SET_DUMPABLE, 1); // it was, and a sanitizer looks into it at the end
  if (::access(built("trellis-host").c_str(), X_OK) != 0) SKIP("another user can't reach the build folder");
}

inline void as_nobody(const std::function<void()> &run) {
  on_own_thread(become_nobody, run);
}

} // namespace trellis::test
