#include "raw_connection.h"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace trellis::bench {

void check(natsStatus status, const char *what) {
  if (status == NATS_OK) return;
  const char *detail = nats_GetLastError(nullptr); // what the server said, when it did
  throw std::runtime_error(std::string(what) + ": " + natsStatus_GetText(status) +
                           (detail ? std::string(", ") + detail : ""));
}

namespace {

// nats.c 3.4 leaves out a signature that begins with a zero byte, one in 256, and the server denies (sdk/nats). With
// the next nonce it isn't so.
natsStatus connect(natsConnection **connection, natsOptions *options) {
  constexpr int kTries = 4;
  natsStatus status = natsConnection_Connect(connection, options);
  for (int i = 1; i < kTries && status == NATS_CONNECTION_AUTH_FAILED; ++i)
    status = natsConnection_Connect(connection, options);
  return status;
}

} // namespace

RawLoop::RawLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), stop_(eventfd(0, EFD_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_, &event);
  thread_ = std::thread([this] { run(); });
}

RawLoop::~RawLoop() {
  end();
  close(epoll_);
  close(stop_);
}

natsStatus RawLoop::use_in(natsOptions *options) {
  return natsOptions_SetEventLoop(options, this, on_attach, on_read, on_write, [](void *) { return NATS_OK; });
}

void RawLoop::end() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(stop_, &one, sizeof one);
  thread_.join();
}

natsStatus RawLoop::on_attach(void **user, void *loop, natsConnection *connection, natsSock fd) {
  auto *self = static_cast<RawLoop *>(loop);
  self->sockets_.push_back(std::make_unique<Socket>(Socket{self->epoll_, fd, connection}));
  auto *socket = self->sockets_.back().get();
  *user = socket;
  return control(*socket, EPOLL_CTL_ADD, EPOLLIN);
}

natsStatus RawLoop::on_read(void *user, bool add) {
  return add ? NATS_OK : control(*static_cast<Socket *>(user), EPOLL_CTL_DEL, 0);
}

natsStatus RawLoop::on_write(void *user, bool add) {
  control(*static_cast<Socket *>(user), EPOLL_CTL_MOD, add ? EPOLLIN | EPOLLOUT : EPOLLIN);
  return NATS_OK;
}

natsStatus RawLoop::control(Socket &socket, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &socket;
  return epoll_ctl(socket.epoll, operation, socket.fd, &event) == 0 ? NATS_OK : NATS_SYS_ERROR;
}

void RawLoop::run() {
  std::array<epoll_event, 16> events;
  while (true) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const auto &event = events[static_cast<std::size_t>(i)];
      if (event.data.ptr == nullptr) return;
      auto *connection = static_cast<Socket *>(event.data.ptr)->connection;
      if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) natsConnection_ProcessReadEvent(connection);
      if ((event.events & EPOLLOUT) != 0) natsConnection_ProcessWriteEvent(connection);
    }
  }
}

RawConnection::RawConnection(const std::string &url, RawLoop *loop, bool global_delivery,
                             const std::function<natsStatus(natsOptions *)> &configure) {
  natsOptions *options = nullptr;
  check(natsOptions_Create(&options), "options");
  const std::unique_ptr<natsOptions, decltype(&natsOptions_Destroy)> owned(options, natsOptions_Destroy);
  check(natsOptions_SetURL(options, url.c_str()), "url");
  check(natsOptions_SetSendAsap(options, true), "send asap");
  check(natsOptions_SetMaxPendingMsgs(options, 1 << 20), "max pending");
  if (global_delivery) check(natsOptions_UseGlobalMessageDelivery(options, true), "delivery");
  if (loop != nullptr) check(loop->use_in(options), "event loop");
  if (configure) check(configure(options), "configure");
  check(connect(&connection_, options), "connect");
}

RawConnection::~RawConnection() {
  natsConnection_Destroy(connection_);
}

} // namespace trellis::bench
