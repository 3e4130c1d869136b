#include "isolation/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

tl::unexpected<Error> failure(const char *what) {
  return trellis::fail("sandbox", what, std::strerror(errno));
}

// Lower than it is, never higher.
bool limit(__rlimit_resource resource, rlim_t most) {
  rlimit now{};
  if (::getrlimit(resource, &now) != 0) return false;
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most) most = now.rlim_max;
  const rlimit wanted{most, most};
  return ::setrlimit(resource, &wanted) == 0;
}

Result<void> limit_resources(const SandboxPlan &plan) {
  if (!limit(RLIMIT_CORE, 0)) return failure("RLIMIT_CORE");
  if (!limit(RLIMIT_NOFILE, plan.open_files)) return failure("RLIMIT_NOFILE");
  if (!limit(RLIMIT_MSGQUEUE, 0)) return failure("RLIMIT_MSGQUEUE");
  if (plan.data_bytes > 0 && !kSanitized && !limit(RLIMIT_DATA, plan.data_bytes)) return failure("RLIMIT_DATA");
  if (plan.uid != 0 && !limit(RLIMIT_NPROC, plan.threads)) return failure("RLIMIT_NPROC");
  return {};
}

Result<void> drop_capabilities() {
  for (unsigned long i = 0; i <= CAP_LAST_CAP; ++i)
    if (::prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 && ::prctl(PR_CAPBSET_DROP, i, 0, 0, 0) != 0 && errno != EPERM)
      return failure("capabilities");
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  if (::syscall(SYS_capset, &header, none) != 0) return failure("capabilities");
  return {};
}

Result<void> become(const SandboxPlan &plan) {
  if (plan.uid == 0) return {};
  if (::setgroups(0, nullptr) != 0 || ::setresgid(plan.gid, plan.gid, plan.gid) != 0 ||
      ::setresuid(plan.uid, plan.uid, plan.uid) != 0)
    return failure("the plugin's user");
  return {};
}

} // namespace

Result<std::vector<std::string>> enter_sandbox(const SandboxPlan &plan) {
  std::vector<std::string> missing;
  auto done = limit_resources(plan);
  if (done) done = become(plan);
  if (done) done = drop_capabilities();
  // A change of user resets both.
  if (done && ::prctl(PR_SET_DUMPABLE, 0) != 0) done = failure("dumpable");
  if (done && ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) done = failure("parent-death signal");
  if (done && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) done = failure("no new privileges");
  if (done && landlock_version() > 0)
    done = restrict_files(plan);
  else if (done)
    missing.emplace_back("Landlock (the kernel has none): files are kept from it by their owner and mode only");
  if (done) done = restrict_system_calls(plan);
  if (!done) return tl::make_unexpected(done.error());
  return missing;
}

} // namespace trellis::isolation
