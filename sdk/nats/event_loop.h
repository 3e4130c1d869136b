// The epoll thread that all connections of a process share.
//
// nats.c hands its sockets over through its event-loop interface: attach, read, write and detach run on whatever thread
// calls nats.c, with the connection's lock held, so they only take notes; the loop thread then calls
// natsConnection_ProcessReadEvent and -WriteEvent. A connection with something to write is put on a list, and the loop
// is woken only when it sleeps: under load most publishes cost no system call. Rejected: one epoll_ctl to arm and one
// to disarm for each write, which doubles the system calls of a lone request.
//
// The loop also rings alarms (request timeouts, rotations, backoff) and owns the threads that connect, so that its
// destructor can wait for all of them.
#pragma once

#include "nats/nats_transport.h"
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <nats/nats.h>
#include <thread>
#include <unordered_map>
#include <vector>

namespace trellis {

using SteadyTime = std::chrono::steady_clock::time_point;
inline constexpr SteadyTime kNever = SteadyTime::max();

class EventLoop final : public NatsLoop {
public:
  static Result<std::unique_ptr<EventLoop>> start();
  ~EventLoop() override; // ends the thread and waits for every spawned one; transports must be closed before

  natsStatus use_in(natsOptions *options);
  // [may block] Afterwards the loop thread isn't inside `connection` and won't be again.
  void forget(natsConnection *connection);

  // Runs `work` on a thread of its own, which ends with it. When the system has none to give, it is tried again.
  void spawn(std::function<void()> work);

  using AlarmId = std::uint64_t;
  AlarmId add_alarm(std::function<void()> ring); // `ring` runs on the loop thread
  void set_alarm(AlarmId id, SteadyTime at);     // replaces the time that was set; kNever switches it off
  void set_alarm_if_earlier(AlarmId id, SteadyTime at);
  void remove_alarm(AlarmId id); // [may block] afterwards `ring` isn't running; not from inside a ring

private:
  struct Socket {
    EventLoop *loop;
    natsConnection *connection;
    std::uint64_t id;
    int fd; // -1 when it isn't polled any more
    bool write_wanted = false;
    bool write_queued = false;
    bool write_polled = false;
  };
  struct Ready { // ids of sockets
    std::vector<std::uint64_t> readable;
    std::vector<std::uint64_t> writable;
  };
  struct Alarm {
    std::function<void()> ring;
    SteadyTime due = kNever;
  };
  struct Worker {
    std::function<void()> work;
    std::thread thread;
    bool ended = false;
  };

  EventLoop(int epoll, int wake) : epoll_(epoll), wake_(wake) {}

  // nats.c's four callbacks. Called with the connection's lock held.
  static natsStatus on_attach(void **user_data, void *loop, natsConnection *connection, natsSock fd);
  static natsStatus on_read(void *user_data, bool add);
  static natsStatus on_write(void *user_data, bool add);
  static natsStatus on_detach(void *user_data);

  void run();
  void wait(Ready &ready);
  void process_read(std::uint64_t id);
  void process_write(std::uint64_t id);
  natsConnection *enter(std::uint64_t id);
  void leave();
  void ring_due_alarms();
  SteadyTime next_due() const;
  bool queue_write(Socket &socket); // true: the caller has to wake()
  void poll_write(Socket &socket, bool on);
  void stop_polling(Socket &socket);
  bool claim_wake();
  void wake() const;
  template <class Change>
  void change_alarm(AlarmId id, Change change);
  bool begin_worker(std::function<void()> &work); // leaves `work` alone when it is false
  void begin_put_off();
  void reap_workers(std::unique_lock<std::mutex> &lock, bool all);

  const int epoll_;
  const int wake_;

  mutable std::mutex mutex_; // guards everything below; never held while nats.c or a ring is called
  std::condition_variable idle_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Socket>> sockets_;
  std::vector<std::uint64_t> to_write_;
  std::map<AlarmId, Alarm> alarms_;
  std::list<Worker> workers_;
  std::condition_variable worker_ended_;
  std::deque<std::function<void()>> put_off_; // work that no thread could be had for
  AlarmId thread_retry_ = 0;
  std::uint64_t last_id_ = 0;
  natsConnection *busy_with_ = nullptr;
  AlarmId ringing_ = 0;
  SteadyTime wakes_at_ = kNever; // when a sleeping loop wakes by itself
  bool asleep_ = false;
  bool stopping_ = false;

  std::thread thread_;
};

} // namespace trellis
