#include "file_write.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::cli {
namespace {

tl::unexpected<Error> unwritable(const std::filesystem::path &file) {
  return fail("file_unwritable", file.string(), std::string("the file can't be written: ") + std::strerror(errno));
}

bool write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0;
}

// Keeps the first error over close.
bool write_and_close(int fd, ByteView bytes) {
  const bool written = write_all(fd, bytes);
  const int error = errno;
  const bool closed = ::close(fd) == 0;
  if (!written) errno = error;
  return written && closed;
}

} // namespace

Result<void> replace_file(const std::filesystem::path &file, ByteView bytes, mode_t mode) {
  std::string temporary = file.string() + ".XXXXXX";
  const int fd = ::mkstemp(temporary.data());
  if (fd < 0) return unwritable(file);
  ::fchmod(fd, mode);
  if (write_and_close(fd, bytes) && ::rename(temporary.c_str(), file.c_str()) == 0) return {};
  auto problem = unwritable(file);
  ::unlink(temporary.c_str());
  return problem;
}

Result<void> create_secret_file(const std::filesystem::path &file, const SecretText &text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST)
    return fail("file_exists", file.string(), "the file is there already", "the name of a new file");
  if (fd < 0) return unwritable(file);
  if (write_and_close(fd, as_bytes(text.reveal()))) return {};
  auto problem = unwritable(file);
  ::unlink(file.c_str());
  return problem;
}

} // namespace trellis::cli
