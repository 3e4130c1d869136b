// nats.c as it comes, for floors: one connection, on the library's own threads or on a plain epoll loop.
//
// The plainest loop that nats.c's interface allows: level-triggered epoll, one epoll_ctl to arm and to disarm a write.
// A bench closes its connections only after the loop has ended, so no event can be late.
#pragma once

#include <functional>
#include <memory>
#include <nats/nats.h>
#include <string>
#include <thread>
#include <vector>

namespace trellis::bench {

// Throws std::runtime_error that names what failed.
void check(natsStatus status, const char *what);

class RawLoop {
public:
  RawLoop();
  ~RawLoop();
  RawLoop(const RawLoop &) = delete;
  RawLoop &operator=(const RawLoop &) = delete;

  natsStatus use_in(natsOptions *options);
  void end();

private:
  struct Socket {
    int epoll;
    int fd;
    natsConnection *connection;
  };
  static natsStatus on_attach(void **user, void *loop, natsConnection *connection, natsSock fd);
  static natsStatus on_read(void *user, bool add);
  static natsStatus on_write(void *user, bool add);
  static natsStatus control(Socket &socket, int operation, std::uint32_t events);
  void run();

  const int epoll_;
  const int stop_;
  std::vector<std::unique_ptr<Socket>> sockets_; // filled while connecting, on one thread
  std::thread thread_;
};

class RawConnection {
public:
  // `loop`: nullptr for the library's own threads. `configure` adds credentials and the like; may be empty.
  RawConnection(const std::string &url, RawLoop *loop, bool global_delivery,
                const std::function<natsStatus(natsOptions *)> &configure);
  ~RawConnection();
  RawConnection(const RawConnection &) = delete;
  RawConnection &operator=(const RawConnection &) = delete;

  natsConnection *get() const { return connection_; }

private:
  natsConnection *connection_ = nullptr;
};

} // namespace trellis::bench
