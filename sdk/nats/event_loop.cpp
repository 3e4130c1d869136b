#include "nats/event_loop.h"
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace trellis {

namespace {

// Sockets and alarms count from 1. The wake-up is edge-triggered, so it never has to be read.
constexpr std::uint64_t kWakeId = 0;
constexpr std::chrono::milliseconds kThreadRetry{250}; // of work that the system has no thread for

int poll_control(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return epoll_ctl(epoll, operation, fd, &event);
}

// Rounded up, so that a loop that wakes for an alarm finds it due.
int wait_milliseconds(SteadyTime until) {
  if (until == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

} // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::start() {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll < 0 || wake < 0 || poll_control(epoll, EPOLL_CTL_ADD, wake, EPOLLIN | EPOLLET, kWakeId) != 0) {
    const std::string why = std::strerror(errno);
    if (epoll >= 0) close(epoll);
    if (wake >= 0) close(wake);
    return fail("event_loop_failed", "epoll", why);
  }
  std::unique_ptr<EventLoop> loop(new EventLoop(epoll, wake));
  loop->thread_retry_ = loop->add_alarm([raw = loop.get()] { raw->begin_put_off(); });
  try {
    loop->thread_ = std::thread([raw = loop.get()] { raw->run(); });
  } catch (const std::system_error &problem) {
    return fail("event_loop_failed", "thread", problem.what(), "a thread: more of them for this user");
  }
  return loop;
}

Result<std::unique_ptr<NatsLoop>> NatsLoop::start() {
  auto loop = EventLoop::start();
  if (!loop) return tl::unexpected(loop.error());
  return std::unique_ptr<NatsLoop>(std::move(*loop));
}

EventLoop::~EventLoop() {
  {
    std::unique_lock lock(mutex_);
    reap_workers(lock, true);
    stopping_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
  close(epoll_);
  close(wake_);
}

// ---------------------------------------------------------------- nats.c's side

natsStatus EventLoop::use_in(natsOptions *options) {
  return natsOptions_SetEventLoop(options, this, on_attach, on_read, on_write, on_detach);
}

natsStatus EventLoop::on_attach(void **user_data, void *loop_pointer, natsConnection *connection, natsSock fd) {
  auto *loop = static_cast<EventLoop *>(loop_pointer);
  const std::lock_guard lock(loop->mutex_);
  const auto id = ++loop->last_id_;
  if (poll_control(loop->epoll_, EPOLL_CTL_ADD, fd, EPOLLIN, id) != 0) return NATS_SYS_ERROR;
  auto socket = std::make_unique<Socket>(Socket{.loop = loop, .connection = connection, .id = id, .fd = fd});
  *user_data = socket.get();
  loop->sockets_.emplace(id, std::move(socket));
  return NATS_OK;
}

// Only ever asked to stop: the library closes the descriptor right after, so this is the last moment to take it out.
natsStatus EventLoop::on_read(void *user_data, bool add) {
  auto *socket = static_cast<Socket *>(user_data);
  const std::lock_guard lock(socket->loop->mutex_);
  if (!add) socket->loop->stop_polling(*socket);
  return NATS_OK;
}

natsStatus EventLoop::on_write(void *user_data, bool add) {
  auto *socket = static_cast<Socket *>(user_data);
  auto *loop = socket->loop; // `socket` may be gone once the lock is released
  bool sleeps = false;
  {
    const std::lock_guard lock(loop->mutex_);
    socket->write_wanted = add;
    sleeps = add && loop->queue_write(*socket);
  }
  if (sleeps) loop->wake();
  return NATS_OK;
}

natsStatus EventLoop::on_detach(void *user_data) {
  auto *socket = static_cast<Socket *>(user_data);
  auto *loop = socket->loop;
  const std::lock_guard lock(loop->mutex_);
  loop->stop_polling(*socket);
  loop->sockets_.erase(socket->id);
  return NATS_OK;
}

void EventLoop::forget(natsConnection *connection) {
  std::unique_lock lock(mutex_);
  for (auto &[id, socket] : sockets_) {
    if (socket->connection == connection) stop_polling(*socket);
  }
  if (std::this_thread::get_id() == thread_.get_id()) return;
  idle_.wait(lock, [&] { return busy_with_ != connection; });
}

bool EventLoop::queue_write(Socket &socket) {
  if (socket.write_queued || socket.write_polled || socket.fd < 0) return false;
  socket.write_queued = true;
  to_write_.push_back(socket.id);
  return claim_wake();
}

void EventLoop::poll_write(Socket &socket, bool on) {
  if (socket.fd < 0 || socket.write_polled == on) return;
  const std::uint32_t events = on ? (EPOLLIN | EPOLLOUT) : EPOLLIN;
  poll_control(epoll_, EPOLL_CTL_MOD, socket.fd, events, socket.id);
  socket.write_polled = on;
}

void EventLoop::stop_polling(Socket &socket) {
  if (socket.fd < 0) return;
  poll_control(epoll_, EPOLL_CTL_DEL, socket.fd, 0, socket.id);
  socket.fd = -1;
}

// True when the loop sleeps and the caller has to wake it. While it is awake, it looks at the lists before it sleeps
// again.
bool EventLoop::claim_wake() {
  return std::exchange(asleep_, false);
}

// Without the lock, which the woken thread takes first of all.
void EventLoop::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_, &one, sizeof one);
}

// ---------------------------------------------------------------- the loop thread

void EventLoop::run() {
  Ready ready;
  while (true) {
    wait(ready);
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    for (const auto id : ready.readable)
      process_read(id);
    for (const auto id : ready.writable)
      process_write(id);
    ring_due_alarms();
  }
  nats_ReleaseThreadMemory();
}

// Sleeps until there is something to do.
void EventLoop::wait(Ready &ready) {
  std::array<epoll_event, 64> events;
  int timeout = 0;
  {
    const std::lock_guard lock(mutex_);
    asleep_ = to_write_.empty() && !stopping_;
    wakes_at_ = next_due();
    if (asleep_) timeout = wait_milliseconds(wakes_at_);
  }
  const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
  ready.readable.clear();
  ready.writable.clear();
  for (int i = 0; i < count; ++i) {
    const auto &event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeId) continue;
    if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) ready.readable.push_back(event.data.u64);
    if ((event.events & EPOLLOUT) != 0) ready.writable.push_back(event.data.u64);
  }
  const std::lock_guard lock(mutex_);
  asleep_ = false;
  ready.writable.insert(ready.writable.end(), to_write_.begin(), to_write_.end());
  to_write_.clear();
}

natsConnection *EventLoop::enter(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = sockets_.find(id);
  if (found == sockets_.end()) return nullptr;
  auto &socket = *found->second;
  socket.write_queued = false;
  if (socket.fd < 0) return nullptr;
  busy_with_ = socket.connection;
  return socket.connection;
}

void EventLoop::leave() {
  const std::lock_guard lock(mutex_);
  busy_with_ = nullptr;
  idle_.notify_all();
}

void EventLoop::process_read(std::uint64_t id) {
  auto *connection = enter(id);
  if (connection == nullptr) return;
  natsConnection_ProcessReadEvent(connection);
  leave();
}

void EventLoop::process_write(std::uint64_t id) {
  auto *connection = enter(id);
  if (connection == nullptr) return;
  natsConnection_ProcessWriteEvent(connection);
  {
    // Still wanted and not queued anew: the socket's buffer is full, so epoll says when to go on.
    const std::lock_guard lock(mutex_);
    const auto found = sockets_.find(id);
    if (found != sockets_.end()) {
      auto &socket = *found->second;
      poll_write(socket, socket.write_wanted && !socket.write_queued);
    }
  }
  leave();
}

// ---------------------------------------------------------------- alarms

EventLoop::AlarmId EventLoop::add_alarm(std::function<void()> ring) {
  const std::lock_guard lock(mutex_);
  const auto id = ++last_id_;
  alarms_.emplace(id, Alarm{.ring = std::move(ring)});
  return id;
}

void EventLoop::set_alarm(AlarmId id, SteadyTime at) {
  change_alarm(id, [at](SteadyTime) { return at; });
}

void EventLoop::set_alarm_if_earlier(AlarmId id, SteadyTime at) {
  change_alarm(id, [at](SteadyTime due) { return std::min(due, at); });
}

template <class Change>
void EventLoop::change_alarm(AlarmId id, Change change) {
  bool sleeps_past = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = alarms_.find(id);
    if (found == alarms_.end()) return;
    auto &due = found->second.due;
    due = change(due);
    sleeps_past = due < wakes_at_ && claim_wake();
  }
  if (sleeps_past) wake();
}

void EventLoop::remove_alarm(AlarmId id) {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return ringing_ != id; });
  alarms_.erase(id);
}

SteadyTime EventLoop::next_due() const {
  auto next = kNever;
  for (const auto &[id, alarm] : alarms_)
    next = std::min(next, alarm.due);
  return next;
}

void EventLoop::ring_due_alarms() {
  std::unique_lock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (wakes_at_ > now) return;
  std::vector<AlarmId> due;
  for (auto &[id, alarm] : alarms_) {
    if (alarm.due <= now) due.push_back(id);
  }
  for (const auto id : due) {
    const auto found = alarms_.find(id);
    if (found == alarms_.end()) continue; // an earlier ring removed it
    found->second.due = kNever;
    ringing_ = id; // keeps the entry alive without the lock
    lock.unlock();
    found->second.ring();
    lock.lock();
    ringing_ = 0;
    idle_.notify_all();
  }
}

// ---------------------------------------------------------------- threads that may block

void EventLoop::spawn(std::function<void()> work) {
  {
    std::unique_lock lock(mutex_);
    reap_workers(lock, false);
    if (begin_worker(work)) return;
    put_off_.push_back(std::move(work));
  }
  set_alarm_if_earlier(thread_retry_, std::chrono::steady_clock::now() + kThreadRetry);
}

bool EventLoop::begin_worker(std::function<void()> &work) {
  auto &worker = workers_.emplace_back();
  worker.work = std::move(work);
  try {
    worker.thread = std::thread([this, &worker] {
      worker.work();
      worker.work = nullptr; // what it holds may end connections, which need the loop
      nats_ReleaseThreadMemory();
      const std::lock_guard end(mutex_);
      worker.ended = true;
      worker_ended_.notify_all();
    });
    return true;
  } catch (const std::system_error &) {
    work = std::move(worker.work);
    workers_.pop_back();
    return false;
  }
}

void EventLoop::begin_put_off() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return; // nobody would wait for them any more
    while (!put_off_.empty() && begin_worker(put_off_.front()))
      put_off_.pop_front();
    if (put_off_.empty()) return;
  }
  set_alarm_if_earlier(thread_retry_, std::chrono::steady_clock::now() + kThreadRetry);
}

void EventLoop::reap_workers(std::unique_lock<std::mutex> &lock, bool all) {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    if (all) worker_ended_.wait(lock, [&] { return worker->ended; });
    if (!worker->ended) {
      ++worker;
      continue;
    }
    worker->thread.join(); // its last act was to release this lock
    worker = workers_.erase(worker);
  }
}

} // namespace trellis
