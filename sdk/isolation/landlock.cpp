// The file system of an isolated plugin: system libraries and settings to read, its own folder to write, nothing else.
//
// By system call: the C library has no wrappers, and headers older than the kernel lack the newer rights, so the few
// numbers that are needed stand here.
#include "isolation/sandbox.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

// linux/landlock.h, as of version 6 of its interface.
struct RulesetAttributes {
  std::uint64_t handled_access_fs = 0, handled_access_net = 0, scoped = 0;
};
struct __attribute__((packed)) PathRule {
  std::uint64_t allowed_access = 0;
  std::int32_t parent_fd = -1;
};
constexpr unsigned kVersionFlag = 1, kPathBeneath = 1;
constexpr std::uint64_t kExecute = 1U << 0, kWriteFile = 1U << 1, kReadFile = 1U << 2, kReadDir = 1U << 3;
constexpr std::uint64_t kRefer = 1U << 13, kTruncate = 1U << 14, kDeviceControl = 1U << 15;
constexpr std::uint64_t kFirstVersion = (1U << 13) - 1; // everything about files and folders that version 1 knows
constexpr std::uint64_t kScopeAbstractSockets = 1U << 0, kScopeSignals = 1U << 1;
constexpr std::uint64_t kMakeDevices = (1U << 6) | (1U << 11); // never for anybody: character and block devices
constexpr std::uint64_t kForFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceControl;

// Of /etc/ssl and /etc/pki what is public: services have their keys below them as well.
constexpr const char *kReadable[] = {"/usr",
                                     "/lib",
                                     "/lib64",
                                     "/lib32",
                                     "/nix/store",
                                     "/etc/ld.so.cache",
                                     "/etc/ld.so.conf",
                                     "/etc/ld.so.conf.d",
                                     "/etc/ssl/certs",
                                     "/etc/ssl/cert.pem",
                                     "/etc/ssl/openssl.cnf",
                                     "/etc/pki/ca-trust",
                                     "/etc/pki/tls/certs",
                                     "/etc/pki/tls/cert.pem",
                                     "/etc/pki/tls/openssl.cnf",
                                     "/etc/ca-certificates",
                                     "/etc/resolv.conf",
                                     "/etc/hosts",
                                     "/etc/host.conf",
                                     "/etc/nsswitch.conf",
                                     "/etc/gai.conf",
                                     "/etc/services",
                                     "/etc/protocols",
                                     "/etc/localtime",
                                     "/etc/timezone",
                                     "/etc/locale.alias",
                                     "/etc/machine-id",
                                     "/run/systemd/resolve",
                                     "/proc/self",
                                     "/proc/cpuinfo",
                                     "/proc/meminfo",
                                     "/proc/stat",
                                     "/proc/loadavg",
                                     "/proc/version",
                                     "/proc/sys/kernel/random",
                                     "/proc/sys/vm/overcommit_memory",
                                     "/sys/devices/system/cpu",
                                     "/sys/kernel/mm/transparent_hugepage",
                                     "/dev/random",
                                     "/dev/urandom"};
constexpr const char *kWritable[] = {"/dev/null", "/dev/zero", "/dev/full"};

tl::unexpected<Error> failure(const std::string &what) {
  return trellis::fail("sandbox", "landlock", what + ": " + std::strerror(errno));
}

class Ruleset {
public:
  explicit Ruleset(int version) : version_(version) {
    RulesetAttributes attributes;
    attributes.handled_access_fs = handled();
    if (version >= 6) attributes.scoped = kScopeAbstractSockets | kScopeSignals;
    const std::size_t size = version >= 6 ? sizeof attributes : version >= 4 ? 16 : 8;
    fd_ = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  }
  ~Ruleset() {
    if (fd_ >= 0) ::close(fd_);
  }
  Ruleset(const Ruleset &) = delete;
  Ruleset &operator=(const Ruleset &) = delete;

  bool made() const { return fd_ >= 0; }
  std::uint64_t handled() const {
    std::uint64_t all = kFirstVersion;
    if (version_ >= 2) all |= kRefer;
    if (version_ >= 3) all |= kTruncate;
    if (version_ >= 5) all |= kDeviceControl;
    return all;
  }
  // A path that doesn't exist needs no rule.
  Result<void> allow(const char *path, std::uint64_t access) const {
    const int file = ::open(path, O_PATH | O_CLOEXEC);
    if (file < 0) return {};
    struct stat about {};
    if (::fstat(file, &about) == 0 && !S_ISDIR(about.st_mode)) access &= kForFiles;
    const PathRule rule{access & handled(), file};
    const bool added = ::syscall(SYS_landlock_add_rule, fd_, kPathBeneath, &rule, 0) == 0;
    const int problem = errno;
    ::close(file);
    errno = problem;
    if (!added) return failure(path);
    return {};
  }
  Result<void> enforce() const {
    if (::syscall(SYS_landlock_restrict_self, fd_, 0) != 0) return failure("can't be enforced");
    return {};
  }

private:
  const int version_;
  int fd_ = -1;
};

} // namespace

int landlock_version() {
  const auto version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag);
  return version > 0 ? static_cast<int>(version) : 0;
}

Result<void> restrict_files(const SandboxPlan &plan) {
  const Ruleset rules(landlock_version());
  if (!rules.made()) return failure("no ruleset");
  constexpr auto kRead = kExecute | kReadFile | kReadDir;
  for (const char *path : kReadable)
    if (auto added = rules.allow(path, kRead); !added) return added;
  for (const auto &path : plan.read_paths)
    if (auto added = rules.allow(path.c_str(), kRead); !added) return added;
  for (const char *path : kWritable)
    if (auto added = rules.allow(path, kReadFile | kWriteFile); !added) return added;
  if (!plan.data_dir.empty())
    if (auto added = rules.allow(plan.data_dir.c_str(), rules.handled() & ~kMakeDevices & ~kExecute); !added)
      return added;
  return rules.enforce();
}

std::string readable_path_above(const std::filesystem::path &path, const std::vector<std::string> &read_paths) {
  namespace fs = std::filesystem;
  std::error_code problem;
  const auto real = [&](const fs::path &given) {
    const auto found = fs::weakly_canonical(given, problem);
    return problem ? fs::absolute(given, problem).lexically_normal() : found;
  };
  const auto wanted = real(path / "");
  const auto is_above = [&](const std::string &above) {
    const auto folder = real(above);
    return std::mismatch(folder.begin(), folder.end(), wanted.begin(), wanted.end()).first == folder.end();
  };
  for (const char *above : kReadable)
    if (std::string_view(above) != "/proc/self" && is_above(above)) return above;
  for (const auto &above : read_paths)
    if (is_above(above)) return above;
  return {};
}

} // namespace trellis::isolation
