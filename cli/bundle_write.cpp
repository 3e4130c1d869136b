// Writing a bundle: everything into a temporary sibling, synced, then one rename. A crash at any point leaves either
// the state before or the whole bundle, and perhaps a sibling named DIR.new-XXXXXX that nothing reads.
#include "bundle.h"
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::cli {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> unwritable(const fs::path &path, std::string_view doing, int error = errno) {
  return fail("bundle_unwritable", path.string(), std::string(doing) + ": " + std::strerror(error));
}

struct CloseFile {
  int fd;
  explicit CloseFile(int opened) : fd(opened) {}
  ~CloseFile() {
    if (fd >= 0) ::close(fd);
  }
  CloseFile(const CloseFile &) = delete;
  CloseFile &operator=(const CloseFile &) = delete;
};

Result<void> write_all(int fd, std::string_view content, const fs::path &path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return unwritable(path, "can't be written");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> write_file(const fs::path &path, const std::string &content) {
  const CloseFile file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.fd < 0) return unwritable(path, "can't be created");
  if (auto written = write_all(file.fd, content, path); !written) return written;
  if (::fsync(file.fd) != 0) return unwritable(path, "can't be synced");
  return {};
}

Result<void> sync_folder(const fs::path &path) {
  const CloseFile folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.fd < 0 || ::fsync(folder.fd) != 0) return unwritable(path, "can't be synced");
  return {};
}

// Each missing folder from `root` down to `path`, 0700.
Result<void> make_folders(const fs::path &root, const fs::path &relative) {
  fs::path path = root;
  for (const fs::path &part : relative) {
    path /= part;
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return unwritable(path, "can't be created");
  }
  return {};
}

Result<void> sync_folders(const fs::path &root) {
  std::error_code error;
  for (const fs::directory_entry &entry : fs::recursive_directory_iterator(root, error))
    if (entry.is_directory())
      if (auto synced = sync_folder(entry.path()); !synced) return synced;
  if (error) return unwritable(root, "can't be read", error.value());
  return sync_folder(root);
}

Result<void> fill(const Bundle &bundle, const fs::path &root) {
  for (const auto &[name, file] : bundle.files) {
    if (auto made = make_folders(root, fs::path(name).parent_path()); !made) return made;
    if (auto written = write_file(root / name, file.content.reveal()); !written) return written;
  }
  for (const std::string &folder : bundle.folders)
    if (auto made = make_folders(root, folder); !made) return made;
  return sync_folders(root);
}

tl::unexpected<Error> occupied(const fs::path &dir) {
  return fail("bundle_exists", dir.string(), "is not empty", "a new path, an empty folder, or --force to replace it");
}

// Puts `fresh` in the place of `dir`. An existing folder is exchanged in one step, so that there is no moment without
// either; `fresh` then names the old one.
Result<void> put_in_place(const fs::path &fresh, const fs::path &dir, bool force) {
  if (::rename(fresh.c_str(), dir.c_str()) == 0) return {};
  if (errno != ENOTEMPTY && errno != EEXIST) return unwritable(dir, "can't be put in place");
  if (!force) return occupied(dir); // filled since it was checked
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, dir.c_str(), RENAME_EXCHANGE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return unwritable(dir, "can't be replaced");

  // A file system without exchange: the old one steps aside first.
  const fs::path aside = fresh.string() + ".old";
  if (::rename(dir.c_str(), aside.c_str()) != 0) return unwritable(dir, "can't be moved aside");
  if (::rename(fresh.c_str(), dir.c_str()) != 0) {
    const int error = errno;
    ::rename(aside.c_str(), dir.c_str());
    return unwritable(dir, "can't be put in place", error);
  }
  if (::rename(aside.c_str(), fresh.c_str()) != 0) return unwritable(aside, "can't be removed");
  return {};
}

Result<void> check_target(const fs::path &dir, bool force) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(dir, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (status.type() != fs::file_type::directory)
    return fail("bundle_exists", dir.string(), "exists and is not a folder", "a new path or an empty folder");
  const bool empty = fs::is_empty(dir, error);
  if (error) return unwritable(dir, "can't be read", error.value());
  if (empty || force) return {};
  return occupied(dir);
}

} // namespace

Result<void> write_bundle(const Bundle &bundle, const fs::path &dir, bool force) {
  const fs::path target = dir.filename().empty() ? dir.parent_path() : dir;
  if (auto checked = check_target(target, force); !checked) return checked;
  const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) return unwritable(parent, "can't be created", error.value());

  std::string fresh = target.string() + ".new-XXXXXX";
  if (!::mkdtemp(fresh.data())) return unwritable(fresh, "can't be created"); // 0700
  auto done = fill(bundle, fresh);
  if (done) done = put_in_place(fresh, target, force);
  // What is left under this name is the replaced bundle or an unfinished one.
  fs::remove_all(fresh, error);
  if (!done) return done;
  return sync_folder(parent);
}

} // namespace trellis::cli
