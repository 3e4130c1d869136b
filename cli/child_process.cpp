#include "child_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace trellis::cli {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path &path) {
  return fs::is_regular_file(path) && ::access(path.c_str(), X_OK) == 0;
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

[[noreturn]] void become(char *const *argv, int output, pid_t parent) {
  // The child of a process that may have threads: only async-signal-safe calls.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126); // we died before prctl
  ::setpgid(0, 0);                         // Ctrl-C reaches us alone; we end the child in order
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  ::execv(argv[0], argv);
  ::_exit(127);
}

} // namespace

Result<fs::path> find_program(const std::string &name, const std::string &folder) {
  std::error_code problem;
  const auto ours = fs::read_symlink("/proc/self/exe", problem).parent_path();
  if (is_program(ours / name)) return ours / name;
  if (!folder.empty() && is_program(ours.parent_path() / folder / name)) return ours.parent_path() / folder / name;
  const char *path = std::getenv("PATH");
  // Debian puts nats-server where only root's PATH leads.
  std::istringstream folders(std::string(path ? path : "") + ":/usr/local/sbin:/usr/sbin");
  for (std::string at; std::getline(folders, at, ':');)
    if (!at.empty() && is_program(fs::path(at) / name)) return fs::path(at) / name;
  return fail("program_missing", name, "this program isn't installed", "beside trellis, or in a folder of PATH");
}

Result<fs::path> find_plugin(const std::string &name) {
  std::error_code problem;
  const auto above = fs::read_symlink("/proc/self/exe", problem).parent_path().parent_path();
  const auto installed = above / "lib/trellis/plugins" / (name + ".so");
  for (const auto &file : {installed, above / "plugins" / name / (name + ".so")})
    if (fs::is_regular_file(file, problem)) return file;
  return fail("plugin_missing", installed.string(), "this plugin isn't installed", "the plugin there");
}

Result<ChildProcess> ChildProcess::start(const std::vector<std::string> &argv, const fs::path &output) {
  std::vector<char *> arguments;
  for (const auto &argument : argv)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  const int fd = output.empty() ? -1 : ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (!output.empty() && fd < 0)
    return fail("program_failed", output.string(), std::strerror(errno), "a writable file");
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(arguments.data(), fd, parent);
  if (fd >= 0) ::close(fd);
  if (pid < 0) return fail("program_failed", argv.front(), std::strerror(errno));
  return ChildProcess(pid);
}

ChildProcess::ChildProcess(pid_t pid) : pid_(pid), ended_fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

ChildProcess::ChildProcess(ChildProcess &&other) noexcept
    : pid_(std::exchange(other.pid_, -1)), ended_fd_(std::exchange(other.ended_fd_, -1)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildProcess::~ChildProcess() {
  if (ended_fd_ >= 0) ::close(ended_fd_);
  if (pid_ <= 0 || status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0 && !status_) ::kill(pid_, number);
}

bool ChildProcess::running() {
  int status = 0;
  if (pid_ > 0 && !status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = exit_status(status);
  return pid_ > 0 && !status_;
}

int ChildProcess::end(std::chrono::milliseconds patience) {
  signal(SIGTERM);
  if (running()) {
    pollfd ended{ended_fd_, POLLIN, 0};
    ::poll(&ended, 1, static_cast<int>(patience.count()));
  }
  if (running()) {
    signal(SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    status_ = exit_status(status);
  }
  return status_.value_or(0);
}

} // namespace trellis::cli
