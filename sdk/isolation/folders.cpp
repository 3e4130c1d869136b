#include "isolation/folders.h"

#include "contracts/encoding.h"
#include <cerrno>
#include <cstring>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kUsers = 4096; // from uid_base on

tl::unexpected<Error> failure(const fs::path &path, const std::string &what) {
  return trellis::fail("isolation_folder", path.string(), what, "a folder that this host may make");
}

bool make(const fs::path &path, mode_t mode) {
  return (::mkdir(path.c_str(), mode) == 0 && ::chmod(path.c_str(), mode) == 0) || errno == EEXIST;
}

std::set<std::uint32_t> users_below(const fs::path &folder) {
  std::set<std::uint32_t> users;
  std::error_code problem;
  for (const auto &entry : fs::directory_iterator(folder, problem)) {
    struct stat about {};
    if (::lstat(entry.path().c_str(), &about) == 0) users.insert(about.st_uid);
  }
  return users;
}

// Users that processes run as now, those of other hosts among them.
std::set<std::uint32_t> users_at_work() {
  return users_below("/proc");
}

// Where to begin looking for a user: different hosts and plugins begin at different places.
std::uint32_t first_choice(const fs::path &folder) {
  const auto hash = sha256(as_bytes(folder.string()));
  return (hash[0] * 256U + hash[1]) % kUsers;
}

bool may_be_entered(fs::path path) {
  for (path = path.parent_path(); path != path.root_path(); path = path.parent_path()) {
    struct stat about {};
    if (::stat(path.c_str(), &about) != 0 || (about.st_mode & S_IXOTH) == 0) return false;
  }
  return true;
}

} // namespace

Result<PluginFolder> plugin_folder(const fs::path &state_dir, const std::string &plugin, std::size_t wanted_user,
                                   std::size_t uid_base) {
  const bool root = ::geteuid() == 0;
  std::error_code problem;
  const auto state = fs::absolute(state_dir, problem).lexically_normal();
  auto all = root ? state : state / "plugins";
  if (root) {
    if (!all.has_filename()) all = all.parent_path(); // it was written with a slash at its end
    all += ".plugins";
  }
  fs::create_directories(all.parent_path(), problem);
  if (!make(all, root ? 0711 : 0700)) return failure(all, std::strerror(errno));
  PluginFolder folder{all / plugin, 0, true};
  if (!make(folder.path, 0700)) return failure(folder.path, std::strerror(errno));
  struct stat about {};
  if (::lstat(folder.path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) return failure(folder.path, "is no folder");
  if (!root) return folder;

  folder.user = static_cast<std::uint32_t>(wanted_user);
  const auto base = static_cast<std::uint32_t>(uid_base);
  if (folder.user == 0 && about.st_uid >= base && about.st_uid < base + kUsers) folder.user = about.st_uid;
  if (folder.user == 0) {
    auto taken = users_below(all);
    taken.merge(users_at_work());
    const auto begin = first_choice(folder.path);
    std::uint32_t tried = 0;
    while (tried < kUsers && taken.contains(base + (begin + tried) % kUsers))
      ++tried;
    if (tried == kUsers) return failure(all, "every user from uid_base on is taken");
    folder.user = base + (begin + tried) % kUsers;
  }
  if (about.st_uid != folder.user && ::lchown(folder.path.c_str(), folder.user, folder.user) != 0)
    return failure(folder.path, std::strerror(errno));
  folder.reachable = may_be_entered(folder.path);
  return folder;
}

} // namespace trellis::isolation
