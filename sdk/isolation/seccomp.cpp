// The system calls that an isolated plugin may not make.
//
// A forbidden call fails with EPERM and doesn't end the process: libraries try things and go on without them. clone3
// answers ENOSYS, because its flags lie in memory where a filter can't see them; the C library then uses clone.
//
// A plugin with the host's own user could do one thing more: change modes, owners, times and attributes of the host's
// files, which Landlock (as of version 7) doesn't guard. So it can't do that by path, not even in its own folder; with
// a descriptor it can, because Landlock decides what it may open.
#include "isolation/sandbox.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__riscv)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_RISCV64;
#else
#error "name this machine's audit architecture"
#endif

// Newer than some headers; the same number on every machine.
constexpr long kPidfdSendSignal = 424, kIoUringSetup = 425, kIoUringEnter = 426, kIoUringRegister = 427;
constexpr long kOpenTree = 428, kMoveMount = 429, kFsopen = 430, kFsconfig = 431, kFsmount = 432, kFspick = 433;
constexpr long kPidfdOpen = 434, kClone3 = 435, kPidfdGetfd = 438, kProcessMadvise = 440, kMountSetattr = 442;
constexpr long kProcessMrelease = 448, kFchmodat2 = 452, kSetxattrat = 463, kRemovexattrat = 466, kFileSetattr = 469;

constexpr long kForbidden[] = {
#ifdef SYS_fork
    SYS_fork, SYS_vfork,
#endif
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm,
#endif
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    // Other programs and processes.
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_tkill,
    SYS_setpriority, SYS_ioprio_set, SYS_migrate_pages, SYS_move_pages, kPidfdSendSignal, kPidfdOpen, kPidfdGetfd,
    kProcessMadvise, kProcessMrelease,
    // Memory shared by name.
    SYS_shmget, SYS_shmat, SYS_shmctl, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_semget, SYS_semop,
    SYS_semctl, SYS_semtimedop, SYS_mq_open, SYS_mq_unlink,
    // The view of the system.
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, kOpenTree, kMoveMount, kFsopen,
    kFsconfig, kFsmount, kFspick, kMountSetattr, SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init,
    SYS_quotactl, SYS_swapon, SYS_swapoff, SYS_acct,
    // The kernel.
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_syslog, SYS_settimeofday, SYS_clock_settime,
    SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_personality, SYS_vhangup, kIoUringSetup,
    kIoUringEnter, kIoUringRegister};

// By path, on files of its user.
constexpr long kOnFilesOfItsUser[] = {
#ifdef SYS_chmod
    SYS_chmod,        SYS_chown,   SYS_lchown,     SYS_utime,    SYS_utimes,    SYS_futimesat,
#endif
    SYS_fchmodat,     kFchmodat2,  SYS_fchownat,   SYS_setxattr, SYS_lsetxattr, SYS_removexattr,
    SYS_lremovexattr, kSetxattrat, kRemovexattrat, kFileSetattr};

// Those whose first argument is a process: its own only.
constexpr long kOnlyOnItself[] = {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo};
// 0 means the caller.
constexpr long kOnItselfOrZero[] = {SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam,
                                    SYS_sched_setattr};

class Program {
public:
  void add(std::uint16_t code, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_false = 0) {
    lines_.push_back({code, if_true, if_false, value});
  }
  void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
  // The low half of an argument: nearly every one that is looked at is an int.
  void load_argument(unsigned i) { load(offsetof(seccomp_data, args) + i * sizeof(std::uint64_t)); }
  void load_high_half_of_argument(unsigned i) {
    load(offsetof(seccomp_data, args) + i * sizeof(std::uint64_t) + sizeof(std::uint32_t));
  }
  void keep_bits(std::uint32_t bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
  void load_number() { load(offsetof(seccomp_data, nr)); }
  void refuse(int error) { add(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)); }
  void allow() { add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW); }
  void end_process() { add(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS); }
  // The next `count` lines only for this value of what is loaded.
  void when(long value, std::uint8_t count) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(value), 0, count);
  }
  void when_any_bit(std::uint32_t bits, std::uint8_t count) { add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, count); }

  Result<void> install() {
    const sock_fprog program{static_cast<unsigned short>(lines_.size()), lines_.data()};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
      return trellis::fail("sandbox", "seccomp", std::string("the filter can't be installed: ") + std::strerror(errno));
    return {};
  }

private:
  std::vector<sock_filter> lines_;
};

void check_architecture(Program &program) {
  program.load(offsetof(seccomp_data, arch));
  program.add(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
  program.end_process(); // calls of another architecture have other numbers
  program.load_number();
#if defined(__x86_64__)
  program.add(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1); // so do those of x32
  program.refuse(ENOSYS);
#endif
}

void only_on(Program &program, long call, bool zero_too) {
  program.when(call, static_cast<std::uint8_t>(zero_too ? 6 : 4));
  program.load_argument(0);
  if (zero_too) {
    program.when(0, 1);
    program.allow();
  }
  program.when(::getpid(), 1);
  program.allow();
  program.refuse(EPERM);
}

void threads_only(Program &program) {
  program.when(SYS_clone, 4);
  program.load_argument(0);
  program.when_any_bit(CLONE_THREAD, 1);
  program.allow();
  program.refuse(EPERM);
  program.when(kClone3, 1);
  program.refuse(ENOSYS);
}

// The signal at the host's end, and not being readable, are not its own to change.
void guard_prctl(Program &program) {
  program.when(SYS_prctl, 6);
  program.load_argument(0);
  program.when(PR_SET_PDEATHSIG, 1);
  program.refuse(EPERM);
  program.when(PR_SET_DUMPABLE, 1);
  program.refuse(EPERM);
  program.allow();
}

// Data that arrives at a descriptor can raise a signal at its owner, any signal, and the owner be another process.
void no_signals_by_descriptor(Program &program) {
  program.when(SYS_fcntl, 8);
  program.load_argument(1);
  for (const long command : {F_SETOWN, F_SETOWN_EX, F_SETSIG}) {
    program.when(command, 1);
    program.refuse(EPERM);
  }
  program.allow();
  program.when(SYS_ioctl, 8);
  program.load_argument(1);
  for (const long request : {FIOSETOWN, SIOCSPGRP, TIOCSTI}) { // and no typing into a terminal
    program.when(request, 1);
    program.refuse(EPERM);
  }
  program.allow();
}

void ip_sockets_only(Program &program, bool network) {
  program.when(SYS_socket, static_cast<std::uint8_t>(network ? 6 : 2));
  program.load_argument(0);
  if (network) {
    program.when(AF_INET, 1);
    program.allow();
    program.when(AF_INET6, 1);
    program.allow();
  }
  program.refuse(EACCES);
  // Datagrams of a pair can be sent elsewhere: to the system's log, to a service manager.
  program.when(SYS_socketpair, 7);
  program.load_argument(1);
  program.keep_bits(0xf); // without SOCK_CLOEXEC and the like
  program.when(SOCK_STREAM, 1);
  program.allow();
  program.when(SOCK_SEQPACKET, 1);
  program.allow();
  program.refuse(EACCES);
}

void leave_files_of_its_user(Program &program) {
  for (const long call : kOnFilesOfItsUser) {
    program.when(call, 1);
    program.refuse(EPERM);
  }
  if (landlock_version() < 3) { // Landlock guards this from then on
    program.when(SYS_truncate, 1);
    program.refuse(EPERM);
  }
  // Without a path it means the descriptor.
  program.when(SYS_utimensat, 6);
  program.load_argument(1);
  program.when(0, 3);
  program.load_high_half_of_argument(1);
  program.when(0, 1);
  program.allow();
  program.refuse(EPERM);
}

} // namespace

Result<void> restrict_system_calls(const SandboxPlan &plan) {
  Program program;
  check_architecture(program);
  for (const long call : kForbidden) {
    program.when(call, 1);
    program.refuse(EPERM);
  }
  for (const long call : kOnlyOnItself)
    only_on(program, call, false);
  for (const long call : kOnItselfOrZero)
    only_on(program, call, true);
  threads_only(program);
  guard_prctl(program);
  no_signals_by_descriptor(program);
  ip_sockets_only(program, plan.network);
  if (plan.shares_user()) leave_files_of_its_user(program);
  program.allow();
  return program.install();
}

} // namespace trellis::isolation
