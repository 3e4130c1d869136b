#include "isolation/child_process.h"

#include "isolation/crash_area.h"
#include "isolation/sandbox.h"
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace trellis::isolation {
namespace {

constexpr int kAboveTheChilds = 16; // where the host's ends lie, so that giving the child its numbers overwrites none

// What of the host's environment a plugin gets: nothing that may hold a secret.
constexpr const char *kEnvironment[] = {"PATH",         "LANG",          "LC_ALL",      "TZ", "LD_LIBRARY_PATH",
                                        "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"};

tl::unexpected<Error> failure(const char *what, int problem) {
  if (problem == EAGAIN)
    return trellis::fail("threads", what, "the system has no process to give",
                         "fewer processes and threads of the host's user");
  return trellis::fail("isolation_spawn", what, std::strerror(problem));
}

OwnedFd raised(int fd) {
  const OwnedFd low(fd);
  return OwnedFd(low.get() < 0 ? -1 : ::fcntl(low.get(), F_DUPFD_CLOEXEC, kAboveTheChilds));
}

struct Attributes {
  Attributes() {
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&actions);
  }
  ~Attributes() {
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  Attributes(const Attributes &) = delete;
  Attributes &operator=(const Attributes &) = delete;

  // Signals as a fresh program has them, and a session of its own: a terminal's signals are for the host.
  void reset_signals() {
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::sigdelset(&all, SIGKILL);
    ::sigdelset(&all, SIGSTOP);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  void give(int fd, int as) { ::posix_spawn_file_actions_adddup2(&actions, fd, as); }

  posix_spawnattr_t attributes{};
  posix_spawn_file_actions_t actions{};
};

} // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

Result<ChildProcess> spawn_child(const std::string &plugin, int artifact) {
  int ends[2], pipe[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return failure("socketpair", errno);
  OwnedFd host_end(ends[0]);
  const OwnedFd child_end = raised(ends[1]);
  if (::pipe2(pipe, O_CLOEXEC) != 0) return failure("pipe", errno);
  OwnedFd output(pipe[0]);
  const OwnedFd child_output = raised(pipe[1]);
  const OwnedFd code = raised(::fcntl(artifact, F_DUPFD_CLOEXEC, kAboveTheChilds));
  OwnedFd crash_area = raised(make_crash_area());
  const OwnedFd nothing = raised(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (child_end.get() < 0 || child_output.get() < 0 || code.get() < 0 || crash_area.get() < 0 || nothing.get() < 0)
    return failure("descriptors", errno);
  ::fcntl(host_end.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);

  Attributes wanted;
  wanted.reset_signals();
  wanted.give(nothing.get(), 0);
  wanted.give(child_output.get(), 1);
  wanted.give(child_output.get(), 2);
  wanted.give(child_end.get(), kChildSocket);
  wanted.give(code.get(), kChildArtifact);
  wanted.give(crash_area.get(), kChildCrashArea);
  ::posix_spawn_file_actions_addclosefrom_np(&wanted.actions, kChildCrashArea + 1);

  std::string program = "trellis-host", argument = kChildArgument, name = plugin;
  char *const arguments[] = {program.data(), argument.data(), name.data(), nullptr};
  std::vector<std::string> texts;
  for (const char *key : kEnvironment)
    if (const char *value = std::getenv(key)) texts.push_back(std::string(key) + "=" + value);
  if (kSanitized) {
    const auto options = std::ranges::find_if(texts, [](auto &text) { return text.starts_with("ASAN_OPTIONS="); });
    if (options == texts.end())
      texts.emplace_back("ASAN_OPTIONS=detect_leaks=0");
    else
      *options += ":detect_leaks=0";
  }
  std::vector<char *> environment;
  for (auto &text : texts)
    environment.push_back(text.data());
  environment.push_back(nullptr);

  ChildProcess child;
  if (const int problem = ::posix_spawn(&child.pid, "/proc/self/exe", &wanted.actions, &wanted.attributes, arguments,
                                        environment.data());
      problem != 0)
    return failure("posix_spawn", problem);
  child.pidfd = OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  child.socket = std::move(host_end);
  child.output = std::move(output);
  child.crash_area = std::move(crash_area);
  if (child.pidfd.get() >= 0) return child;
  const int problem = errno;
  ::kill(child.pid, SIGKILL); // ours and not yet waited for, so the number is still its
  ::waitpid(child.pid, nullptr, 0);
  return failure("pidfd_open", problem);
}

void send_signal(const ChildProcess &child, int signal) {
  ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), signal, nullptr, 0);
}

ChildEnd wait_for_end(const ChildProcess &child) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(child.pidfd.get()), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return {info.si_code, info.si_status};
}

} // namespace trellis::isolation
