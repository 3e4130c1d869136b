#include "nats_server.h"
#include "wait_until.h"
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace trellis::test {

namespace {

// True when something that greets like a nats-server listens on the port.
bool greets(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const timeval patience{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::array<char, 5> greeting{};
  const bool ok = connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 &&
                  recv(fd, greeting.data(), greeting.size(), MSG_WAITALL) == static_cast<ssize_t>(greeting.size()) &&
                  std::string_view(greeting.data(), greeting.size()) == "INFO ";
  close(fd);
  return ok;
}

// The port of the first URL in the ports file's list called `name`, 0 when there is none (yet).
std::uint16_t port_in(const std::string &ports_file, const std::string &name) {
  const auto list = ports_file.find('"' + name + '"');
  if (list == std::string::npos) return 0;
  const auto open = ports_file.find('[', list);
  const auto close = ports_file.find(']', open);
  if (open == std::string::npos || close == std::string::npos) return 0;
  const auto colon = ports_file.find(':', ports_file.find("//", open));
  if (colon == std::string::npos || colon > close) return 0;
  return static_cast<std::uint16_t>(std::strtoul(ports_file.c_str() + colon + 1, nullptr, 10));
}

std::string listen_port(std::uint16_t known) {
  return known == 0 ? "-1" : std::to_string(known);
}

} // namespace

NatsServer::NatsServer(Config config) : config_(std::move(config)) {
  start();
}

NatsServer::~NatsServer() {
  if (pid_ > 0) end_with(SIGKILL);
}

std::string NatsServer::url() const {
  return "nats://127.0.0.1:" + std::to_string(port_);
}
std::string NatsServer::url_as(const std::string &user, const std::string &password) const {
  return "nats://" + user + ":" + password + "@127.0.0.1:" + std::to_string(port_);
}
std::string NatsServer::monitoring_url() const {
  return "http://127.0.0.1:" + std::to_string(monitoring_port_);
}
std::string NatsServer::log() const {
  return read_file(dir_ / "server.log");
}

void NatsServer::stop() {
  if (pid_ > 0) end_with(SIGTERM);
}

void NatsServer::kill() {
  if (pid_ > 0) end_with(SIGKILL);
}

void NatsServer::restart() {
  stop();
  start();
}

void NatsServer::start() {
  if (pid_ > 0) return;
  write_config();
  launch();
  learn_ports();
  await_answer();
}

void NatsServer::reload() {
  write_config();
  if (pid_ > 0) ::kill(pid_, SIGHUP);
}

void NatsServer::write_config() const {
  const std::string folder = dir_.path().string();
  std::string text = "listen: \"127.0.0.1:" + listen_port(port_) + "\"\n";
  text += "ports_file_dir: \"" + folder + "\"\nlog_file: \"" + folder + "/server.log\"\n";
  if (config_.monitoring) text += "http: \"127.0.0.1:" + listen_port(monitoring_port_) + "\"\n";
  if (config_.jetstream) text += "jetstream { store_dir: \"" + folder + "/jetstream\", sync_interval: always }\n";
  write_file(dir_ / "nats.conf", text + config_.text + "\n");
}

void NatsServer::launch() {
  const std::string config = (dir_ / "nats.conf").string();
  const std::string output = (dir_ / "output.txt").string();
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  // The child of a threaded process: only async-signal-safe calls from here on.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126); // the test died before prctl
  const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd >= 0) {
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
  }
  execlp("nats-server", "nats-server", "-c", config.c_str(), static_cast<char *>(nullptr));
  _exit(127);
}

void NatsServer::learn_ports() {
  const auto file = dir_ / ("nats-server_" + std::to_string(pid_) + ".ports");
  std::string content;
  int status = 0;
  bool ended = false;
  const bool known = wait_until([&] {
    content = read_file(file);
    ended = waitpid(pid_, &status, WNOHANG) == pid_;
    return ended || content.find('}') != std::string::npos;
  });
  if (ended) {
    pid_ = -1;
    const bool missing = WIFEXITED(status) && WEXITSTATUS(status) == 127;
    give_up(missing ? "nats-server isn't installed (./dev setup installs it)" : "nats-server ended at once");
  }
  port_ = port_in(content, "nats");
  monitoring_port_ = port_in(content, "monitoring");
  if (!known || port_ == 0) give_up("nats-server wrote no usable ports file");
}

void NatsServer::await_answer() const {
  if (!wait_until([this] { return greets(port_); }))
    give_up("nats-server doesn't answer on port " + std::to_string(port_));
}

void NatsServer::end_with(int signal) {
  ::kill(pid_, signal);
  int status = 0;
  const bool ended = wait_until([&] { return waitpid(pid_, &status, WNOHANG) == pid_; });
  if (!ended) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  pid_ = -1;
}

void NatsServer::give_up(const std::string &what) const {
  if (pid_ > 0) ::kill(pid_, SIGKILL); // a constructor that throws has no destructor to do it
  throw std::runtime_error(what + "\n" + read_file(dir_ / "output.txt") + log());
}

} // namespace trellis::test
