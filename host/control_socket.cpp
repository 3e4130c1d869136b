#include "control_socket.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <list>
#include <mutex>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLook{100}; // before it is looked again whether there are descriptors

class FileDescriptor {
public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(FileDescriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor &operator=(FileDescriptor &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_;
};

tl::unexpected<Error> socket_failure(const std::filesystem::path &socket, const std::string &what) {
  return fail("control_socket", socket.string(), what + ": " + std::strerror(errno));
}

// ------------------------------------------------------------------------------------------------------------- sockets

// A socket's address may have 107 bytes; a longer path is reached through its folder's descriptor.
struct Address {
  FileDescriptor folder;
  sockaddr_un value{};
};

Result<Address> address_of(const std::filesystem::path &socket) {
  Address address;
  std::string path = socket.string();
  if (path.size() >= sizeof(address.value.sun_path)) {
    address.folder = FileDescriptor(::open(socket.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.folder) return socket_failure(socket, "the folder can't be opened");
    path = "/proc/self/fd/" + std::to_string(address.folder.get()) + "/" + socket.filename().string();
  }
  address.value.sun_family = AF_UNIX;
  std::memcpy(address.value.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr *generic(const Address &address) {
  return reinterpret_cast<const sockaddr *>(&address.value);
}

Result<FileDescriptor> connect_to(const std::filesystem::path &socket) {
  const auto address = address_of(socket);
  if (!address) return tl::make_unexpected(address.error());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || ::connect(fd.get(), generic(*address), sizeof(sockaddr_un)) != 0)
    return socket_failure(socket, "no host answers here");
  return fd;
}

// Whether `fd` is ready for `events` by then. False with errno ETIMEDOUT when it isn't.
bool wait_ready(int fd, short events, Clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd wait{fd, events, 0};
    const int ready = left > 0 ? ::poll(&wait, 1, static_cast<int>(std::min<std::int64_t>(left, INT_MAX))) : 0;
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (left > 0) continue;
    errno = ETIMEDOUT;
    return false;
  }
}

bool is_passing(int problem) {
  return problem == EINTR || problem == EAGAIN;
}

// Up to the first line end, or everything when the peer ends its side first. One limit for all of it: a peer that sends
// a byte now and then holds a place no longer than others.
std::optional<std::string> read_line(int fd, std::size_t most, Clock::time_point until) {
  std::string line;
  char block[4096];
  while (line.size() <= most) {
    if (!wait_ready(fd, POLLIN, until)) return std::nullopt;
    const auto count = ::recv(fd, block, sizeof block, MSG_DONTWAIT);
    if (count < 0 && is_passing(errno)) continue;
    if (count < 0) return std::nullopt;
    line.append(block, static_cast<std::size_t>(count));
    if (const auto end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
    if (count == 0) return line;
  }
  return std::nullopt;
}

bool send_all(int fd, std::string_view text, Clock::time_point until) {
  while (!text.empty()) {
    if (!wait_ready(fd, POLLOUT, until)) return false;
    const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && is_passing(errno)) continue;
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// What a busy machine lacks for a while.
bool is_shortage(int problem) {
  return problem == EMFILE || problem == ENFILE || problem == ENOBUFS || problem == ENOMEM;
}

bool is_ours(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == ::geteuid());
}

class Server final : public ControlSocket {
public:
  Server(std::filesystem::path socket, FileDescriptor listener, ControlActions actions)
      : socket_(std::move(socket)), listener_(std::move(listener)), actions_(std::move(actions)),
        thread_([this] { run(); }) {}

  ~Server() override {
    stopping_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR); // wakes accept
    thread_.join();
    for (auto &connection : connections_)
      ::shutdown(connection.fd.get(), SHUT_RDWR);
    connections_.clear(); // joins
    ::unlink(socket_.c_str());
  }

private:
  struct Connection {
    FileDescriptor fd;
    std::atomic<bool> over{false};
    std::jthread thread;
    explicit Connection(int accepted) : fd(accepted) {}
  };

  void run() {
    while (!stopping_) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
      if (fd < 0 && is_shortage(errno)) {
        ::poll(nullptr, 0, static_cast<int>(kLook.count())); // nobody tells when there is more
        continue;
      }
      if (fd < 0) return; // closed
      connections_.remove_if([](const Connection &connection) { return connection.over.load(); });
      if (connections_.size() >= actions_.connections_max || !is_ours(fd)) {
        ::close(fd);
        continue;
      }
      begin(connections_.emplace_back(fd));
    }
  }

  // Without a thread for it the last connection is closed unanswered: its peer asks again, and the host goes on.
  void begin(Connection &connection) {
    try {
      connection.thread = std::jthread([this, &connection] { serve(connection); });
    } catch (const std::system_error &) {
      connections_.pop_back();
    }
  }

  void serve(Connection &connection) {
    const int fd = connection.fd.get();
    if (const auto line = read_line(fd, kMaxControlRequest, Clock::now() + actions_.io_limit)) {
      const auto answer = answer_control_request(*line, actions_, [this] { return stopping_.load(); }) + "\n";
      send_all(fd, answer, Clock::now() + actions_.io_limit);
    }
    ::shutdown(fd, SHUT_RDWR);
    connection.over = true;
  }

  const std::filesystem::path socket_;
  const FileDescriptor listener_;
  const ControlActions actions_;
  std::atomic<bool> stopping_{false};
  std::list<Connection> connections_; // of `thread_` alone while it runs
  std::thread thread_;
};

} // namespace

ControlActions control_actions(Host &host) {
  ControlActions actions;
  actions.status = [&host](auto done) { host.request_status(std::move(done)); };
  actions.reload = [&host](auto done) { host.request_reload(std::move(done)); };
  actions.metrics = [&host](auto done) { host.request_metrics(std::move(done)); };
  return actions;
}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::filesystem::path &state_dir,
                                                           ControlActions actions) {
  const auto socket = state_dir / kControlSocketName;
  if (connect_to(socket)) return fail("control_socket", socket.string(), "another host serves this state_dir");
  ::unlink(socket.c_str()); // left behind by a host that was killed
  const auto address = address_of(socket);
  if (!address) return tl::make_unexpected(address.error());
  FileDescriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // On Linux the file takes the socket's mode, so there is no moment at which others may connect.
  if (!fd || ::fchmod(fd.get(), 0600) != 0 || ::bind(fd.get(), generic(*address), sizeof(sockaddr_un)) != 0 ||
      ::listen(fd.get(), static_cast<int>(actions.connections_max)) != 0)
    return socket_failure(socket, "the socket can't be made");
  try {
    return std::make_unique<Server>(socket, std::move(fd), std::move(actions));
  } catch (const std::system_error &problem) {
    ::unlink(socket.c_str());
    return fail("control_socket", socket.string(), std::string("the system has no thread for it: ") + problem.what());
  }
}

Result<std::string> ask_control_socket(const std::filesystem::path &socket, std::string_view request,
                                       std::chrono::milliseconds timeout) {
  const auto fd = connect_to(socket);
  if (!fd) return tl::make_unexpected(fd.error());
  if (::geteuid() != 0 && !is_ours(fd->get()))
    return fail("control_socket", socket.string(), "another user serves this socket");
  const auto until = Clock::now() + timeout;
  if (!send_all(fd->get(), std::string(request) + "\n", until))
    return socket_failure(socket, "the request can't be sent");
  auto line = read_line(fd->get(), kMaxControlAnswer, until);
  if (!line) return socket_failure(socket, "no answer");
  if (line->empty()) return fail("control_socket", socket.string(), "the host closed the connection unanswered");
  return std::move(*line);
}

} // namespace trellis::host
