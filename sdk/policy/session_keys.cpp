#include "policy/session_keys.h"

#include "policy/policy_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis {
namespace {

namespace fs = std::filesystem;

class FileDescriptor {
public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor &) = delete;
  FileDescriptor &operator=(const FileDescriptor &) = delete;
  int get() const { return fd_; }

private:
  int fd_;
};

tl::unexpected<Error> system_failure(const char *code, const fs::path &path, const char *what) {
  return fail(code, path.string(), std::string(what) + ": " + std::strerror(errno));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Result<SessionKey> read_key(const fs::path &path) {
  const auto text = read_secret_file(path);
  if (!text) return tl::make_unexpected(text.error());
  auto key = SessionKey::from_seed(text->reveal());
  if (!key)
    return fail("key_invalid", path.string(), "holds no session seed",
                "base64url of 32 bytes; restore it from a backup");
  return key;
}

// Complete under a temporary name first, then linked into place: a crash leaves no half-written key, and of two hosts
// that start at once both use the key that was first.
Result<void> create_key(const fs::path &path) {
  const auto key = SessionKey::generate();
  std::string temporary = path.string() + ".new-XXXXXX";
  const FileDescriptor file(::mkostemp(temporary.data(), O_CLOEXEC)); // 0600 by itself
  if (file.get() < 0) return system_failure("key_unwritable", path, "can't be created");
  const auto text = SecretText(key.seed_text().reveal() + "\n");
  const bool written = write_all(file.get(), text.reveal()) && ::fsync(file.get()) == 0;
  const bool linked = written && (::link(temporary.c_str(), path.c_str()) == 0 || errno == EEXIST);
  const int problem = errno;
  ::unlink(temporary.c_str());
  errno = problem;
  if (!linked) return system_failure("key_unwritable", path, "can't be written");
  const FileDescriptor folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());
  return {};
}

} // namespace

Result<void> make_private_folder(const fs::path &folder) {
  std::error_code problem;
  fs::create_directories(folder.parent_path(), problem);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return system_failure("state_dir_unusable", folder, "can't be created");
  if (!fs::is_directory(folder, problem))
    return fail("state_dir_unusable", folder.string(), "is no folder", "a folder that this host may write to");
  return {};
}

Result<SessionKey> session_key_for(const fs::path &state_dir, std::string_view plugin) {
  const auto folder = state_dir / "keys";
  if (auto ready = make_private_folder(state_dir); !ready) return tl::make_unexpected(ready.error());
  if (auto ready = make_private_folder(folder); !ready) return tl::make_unexpected(ready.error());
  const auto path = folder / (std::string(plugin) + ".seed");
  std::error_code problem;
  if (!fs::exists(fs::symlink_status(path, problem)))
    if (auto made = create_key(path); !made) return tl::make_unexpected(made.error());
  return read_key(path);
}

} // namespace trellis
