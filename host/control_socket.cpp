#include "control_socket.h"

#include "contracts/canonical.h"
#include "contracts/json_write.h"
#include "runtime/metrics_text.h"
#include "wire/ulid.h"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <list>
#include <mutex>
#include <optional>
#include <poll.h>
#include <rapidjson/document.h>
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

constexpr std::chrono::milliseconds kStatusLimit{10'000};
constexpr std::chrono::milliseconds kLook{100}; // how often a wait looks whether the socket is to close
constexpr std::size_t kMaxConnections = 16;

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

// ------------------------------------------------------------------------------------------------------------- answers

std::string refusal_line(std::string_view code, std::string_view reason) {
  return JsonObjectText().flag("ok", false).text("code", code).text("reason", reason).str();
}

std::string list_of(const std::vector<std::string> &items) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + item;
  return out + "]";
}

std::string calls_json(const Calls::Counts &counts) {
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  return JsonObjectText()
      .number("waiting", number(counts.waiting))
      .number("running", number(counts.running))
      .number("unanswered", number(counts.unanswered))
      .number("abandoned", number(counts.abandoned))
      .number("answered", number(counts.answered))
      .number("overloaded", number(counts.overloaded))
      .number("expired", number(counts.expired))
      .str();
}

std::string durations_json(const RpcDurations &durations) {
  std::vector<std::string> bounds, counts;
  for (const auto bound : durations.bounds)
    bounds.push_back(ecmascript_number(bound));
  for (const auto count : durations.counts)
    counts.push_back(std::to_string(count));
  return JsonObjectText().json("bounds", list_of(bounds)).json("counts", list_of(counts)).str();
}

std::string_view state_name(ConnectionState state) {
  switch (state) {
  case ConnectionState::connecting: return "connecting";
  case ConnectionState::connected: return "connected";
  case ConnectionState::disconnected: return "disconnected";
  case ConnectionState::closed: return "closed";
  }
  return "unknown";
}

std::string time_text(std::int64_t unix_ms) {
  return unix_ms == 0 ? std::string() : iso_time(unix_ms);
}

std::string connection_json(const Generation::Connection &connection) {
  const auto &counts = connection.counts;
  return JsonObjectText()
      .text("state", state_name(connection.state))
      .text("since", time_text(counts.connected_at))
      .text("credentialsExpire", time_text(counts.expires_at))
      .number("connects", static_cast<std::int64_t>(counts.connects))
      .number("rotations", static_cast<std::int64_t>(counts.rotations))
      .str();
}

std::string problem_json(const Problem &problem) {
  return JsonObjectText().text("time", time_text(problem.at)).text("text", problem.text).str();
}

std::string plugin_json(const PluginStatus &plugin) {
  JsonObjectText out;
  out.text("name", plugin.name)
      .text("role", plugin.role == PluginRole::control_plane ? "control-plane" : "service")
      .text("deployment", plugin.deployment)
      .text("phase", phase_name(plugin.phase))
      .text("detail", plugin.detail)
      .text("contractId", plugin.contract_id)
      .text("contractDigest", plugin.contract_digest)
      .text("sessionKey", plugin.session_key)
      .number("generations", static_cast<std::int64_t>(plugin.generations))
      .number("maxGenerations", static_cast<std::int64_t>(plugin.max_generations));
  if (plugin.isolation == Isolation::process) out.text("isolation", "process").text("lastCrash", plugin.last_crash);
  if (plugin.process)
    out.number("pid", plugin.process->pid).number("restarts", static_cast<std::int64_t>(plugin.process->restarts));
  if (plugin.counts) out.json("calls", calls_json(*plugin.counts));
  if (!plugin.durations.counts.empty()) out.json("durations", durations_json(plugin.durations));
  if (plugin.connection) out.json("connection", connection_json(*plugin.connection));
  if (plugin.last_problem) out.json("lastError", problem_json(*plugin.last_problem));
  return out.str();
}

std::string status_line(const HostStatus &status) {
  std::vector<std::string> plugins;
  for (const auto &plugin : status.plugins)
    plugins.push_back(plugin_json(plugin));
  return JsonObjectText()
      .flag("ok", true)
      .text("host", status.host)
      .flag("settled", status.settled)
      .json("plugins", list_of(plugins))
      .str();
}

std::string keys_line(const HostStatus &status) {
  std::vector<std::string> keys;
  for (const auto &plugin : status.plugins)
    if (plugin.role == PluginRole::service && !plugin.session_key.empty())
      keys.push_back(JsonObjectText()
                         .text("plugin", plugin.name)
                         .text("deployment", plugin.deployment)
                         .text("sessionKey", plugin.session_key)
                         .str());
  return JsonObjectText().flag("ok", true).json("keys", list_of(keys)).str();
}

// The value, or nullopt when it didn't come in time. The promise is shared with whoever keeps it.
template <class T>
std::optional<T> wait_for(std::future<T> &future, std::chrono::milliseconds limit,
                          const std::function<bool()> &stopping) {
  const auto until = Clock::now() + limit;
  while (future.wait_for(kLook) != std::future_status::ready)
    if (stopping() || Clock::now() >= until) return std::nullopt;
  return future.get();
}

std::string with_status(const ControlActions &actions, const std::function<bool()> &stopping,
                        std::string (*line)(const HostStatus &)) {
  const auto promise = std::make_shared<std::promise<std::string>>();
  auto future = promise->get_future();
  actions.status([promise, line](const HostStatus &status) { promise->set_value(line(status)); });
  return wait_for(future, kStatusLimit, stopping).value_or(refusal_line("unavailable", "the host doesn't answer"));
}

std::string reload_line(const ControlActions &actions, const std::function<bool()> &stopping) {
  const auto promise = std::make_shared<std::promise<std::string>>();
  auto future = promise->get_future();
  actions.reload([promise](const Result<void> &done) {
    promise->set_value(done ? JsonObjectText().flag("ok", true).flag("settled", true).str()
                            : refusal_line(done.error().code, done.error().text()));
  });
  if (auto line = wait_for(future, actions.reload_limit, stopping)) return *line;
  return JsonObjectText().flag("ok", true).flag("settled", false).str();
}

std::string metrics_line(const ControlActions &actions, bool as_text, const std::function<bool()> &stopping) {
  const auto promise = std::make_shared<std::promise<std::vector<MetricFamily>>>();
  auto future = promise->get_future();
  actions.metrics([promise](const std::vector<MetricFamily> &families) { promise->set_value(families); });
  const auto families = wait_for(future, kStatusLimit, stopping);
  if (!families) return refusal_line("unavailable", "the host doesn't answer");
  JsonObjectText out;
  out.flag("ok", true);
  if (as_text)
    out.text("text", prometheus_text(*families));
  else
    out.json("metrics", metrics_json(*families));
  const auto line = out.str();
  return line.size() < kMaxControlAnswer ? line : refusal_line("too_large", "the host has too many different metrics");
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
      if (connections_.size() >= kMaxConnections || !is_ours(fd)) {
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

std::string answer_control_request(std::string_view line, const ControlActions &actions,
                                   const std::function<bool()> &stopping) {
  const auto request = parse_json(line, {.max_bytes = kMaxControlRequest, .max_depth = 8});
  const auto op = request ? string_member(*request, "op") : std::string_view{};
  if (op == "status") return with_status(actions, stopping, status_line);
  if (op == "keys") return with_status(actions, stopping, keys_line);
  if (op == "reload") return reload_line(actions, stopping);
  if (op == "metrics") return metrics_line(actions, string_member(*request, "format") == "prometheus", stopping);
  return refusal_line("invalid_request",
                      R"(one line of JSON with "op" = "status", "keys", "reload" or "metrics" is expected)");
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
      ::listen(fd.get(), static_cast<int>(kMaxConnections)) != 0)
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
