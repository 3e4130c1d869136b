// A real nats-server for one test: on a free port of 127.0.0.1, in a temporary folder, ended with the object.
//
// The server picks the port itself and tells it through its ports file: a port that the test looked for beforehand
// could be taken by the time the server binds it. restart() keeps the port, as clients expect. Everything throws
// std::runtime_error with the server's log in it: without a server a live test must fail, never be skipped.
//
// Lives on one thread, which must not end before the object: the kernel kills the server when that thread dies, so that
// a crashed test leaves none behind.
#pragma once

#include "temp_dir.h"
#include <cstdint>
#include <string>
#include <sys/types.h>

namespace trellis::test {

class NatsServer {
public:
  struct Config {
    std::string text = {}; // further lines of nats.conf: accounts, authorization, operator ...
    bool jetstream = true; // stored in the temporary folder, with sync_interval always
    bool monitoring = false;
  };

  NatsServer() : NatsServer(Config{}) {}
  explicit NatsServer(Config config); // returns when the server answers
  ~NatsServer();
  NatsServer(const NatsServer &) = delete;
  NatsServer &operator=(const NatsServer &) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const; // nats://127.0.0.1:port
  std::string url_as(const std::string &user, const std::string &password) const;
  std::string monitoring_url() const; // http://127.0.0.1:port, with Config::monitoring
  std::string log() const;            // all that it has logged so far
  pid_t pid() const { return pid_; }  // -1 while it is stopped
  const TempDir &dir() const { return dir_; }

  void stop();    // SIGTERM, waits for the end; a second call does nothing
  void kill();    // SIGKILL, waits for the end: what a power cut leaves behind
  void start();   // again after stop() or kill(), same port, same folder
  void restart(); // stop() and start()
  void set_text(std::string text) { config_.text = std::move(text); } // for the next start() or reload()
  void reload(); // rewrites nats.conf and sends SIGHUP; the server takes it up in its own time

private:
  void write_config() const;
  void launch();
  void learn_ports();
  void await_answer() const;
  void end_with(int signal);
  [[noreturn]] void give_up(const std::string &what) const;

  Config config_;
  TempDir dir_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::uint16_t monitoring_port_ = 0;
};

} // namespace trellis::test
