// Writing a service plugin in C++: typed handlers over trellis/plugin.h, header only.
//
//   TRELLIS_CONTRACT({ ... });
//
//   static void setup(trellis::Service &service) {
//     service.rpc("Echo.Say", [](const Message &in, trellis::Call &) { return in; });
//   }
//   TRELLIS_SERVICE("acme.echo@v1", "echo-cpp", "1.0.0", setup)
//
// A handler takes its input struct (trellis/codec.h) and returns its output struct, on one of the plugin's workers. To
// answer with an error that the contract declares it throws trellis::Fault; any other exception becomes an
// UnexpectedError for the caller. Nothing escapes across the C boundary. A handler that wants to answer later takes
// (const In &, trellis::Pending) and returns nothing. Or all of this is generated from the contract: docs/generate.md.
#pragma once

#include "trellis/call.h"
#include "trellis/codec.h"
#include "trellis/event.h"
#include "trellis/feed.h"
#include "trellis/health.h"
#include "trellis/metrics.h"
#include "trellis/plugin.h"
#include "trellis/reply.h"
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace trellis {

// What a plugin is made of: its handlers, and the host's functions.
class Service final : public HostCaller {
public:
  Service(const trellis_host *host, std::string contract_id)
      : HostCaller(host), contract_id_(std::move(contract_id)), feeds_(host) {}
  Service(const Service &) = delete;
  Service &operator=(const Service &) = delete;

  // `handler`: Out(const In &, Call &) or void(const In &, Pending).
  template <class Handler>
  void rpc(std::string name, Handler handler) {
    using Input = InputOf<decltype(&Handler::operator())>;
    names_.push_back(std::move(name));
    handlers_.push_back([this, handler = std::move(handler)](const trellis_request &request) mutable {
      auto input = from_json<Input>(view(request.input));
      Call call(*this, host(), request);
      if constexpr (std::is_invocable_v<Handler, const Input &, Pending>) {
        handler(input, call.defer());
      } else {
        const std::string output = to_json(handler(input, call));
        host()->complete(host()->self, request.call, str(output));
      }
    });
  }

  // `Rpc` is a generated descriptor; `handler`: Rpc::Reply(const Rpc::Input &, Call &).
  template <class Rpc, class Handler>
  void typed_rpc(Handler handler) {
    names_.emplace_back(Rpc::kName);
    handlers_.push_back([this, handler = std::move(handler)](const trellis_request &request) mutable {
      const trellis_call id = request.call;
      const auto input = json::decode<typename Rpc::Input>(view(request.input));
      if (!input) throw unfit_input(input.problem());
      Call call(*this, host(), request);
      const typename Rpc::Reply reply = handler(*input, call);
      if (!call.deferred()) reply.send(Pending(host(), id)); // `deferred` without a Later: released
    });
  }

  // Listens to an event of this contract, or one that it uses to subscribe. `E`: a generated descriptor, or a struct
  // with kContract, kName and Payload; `handler`: void(const E::Payload &, Event &). `group`: of the contract's
  // eventConsumers. Without one the listener is live, and `subject_data`, a JSON object, may fix tokens of the subject.
  template <class E, class Handler>
  void on_event(std::string group, Handler handler) {
    on_event({E::kContract, E::kName}, std::move(group), typed_listener<E>(std::move(handler)));
  }
  template <class E, class Handler>
  void on_live_event(Handler handler, std::string subject_data = {}) {
    on_live_event({E::kContract, E::kName}, typed_listener<E>(std::move(handler)), std::move(subject_data));
  }
  // The same without types: event.payload() is the JSON.
  void on_event(const EventName &event, std::string group, EventListeners::Handler handler) {
    listeners_.add(event, std::move(group), {}, std::move(handler));
  }
  void on_live_event(const EventName &event, EventListeners::Handler handler, std::string subject_data = {}) {
    listeners_.add(event, {}, std::move(subject_data), std::move(handler));
  }
  EventListeners &event_listeners() { return listeners_; }
  // A check of the plugin's health: void(), or CheckNote(); it has failed when it throws.
  template <class Check>
  void check(std::string name, Check check) {
    health_.add(std::move(name), std::move(check));
  }
  // What heartbeats carry as service.info: a JSON object.
  void health_info(std::function<std::string()> info) { health_.set_info(std::move(info)); }
  HealthTable &health_table() { return health_; }

  // A number of the plugin's own; `Kind` is metric::Counter, metric::Gauge or metric::Histogram.
  template <class Kind>
  Kind metric(std::string name, std::string unit = {}, std::string description = {}) const {
    return Kind(host(), Kind::kKind, std::move(name), std::move(unit), std::move(description));
  }

  // Makes calls in that trace, which must outlive what this returns.
  HostCaller within(const Trace &trace) const {
    return HostCaller(host(), str(trace.traceparent()), str(trace.tracestate()));
  }
  // A feed of this contract. `handler`: void(const Input &, Stream<Event>), on a worker for each subscriber; it keeps
  // the stream and emits on it from anywhere (trellis/feed_stream.h). Dropped, the stream is closed.
  template <class Input, class Event, class Handler>
  void feed(std::string name, Handler handler) {
    feeds_.template add_stream<Input, Event>(std::move(name), std::move(handler));
  }
  // `Feed` is a generated descriptor.
  template <class Feed, class Handler>
  void typed_feed(Handler handler) {
    feed<typename Feed::Input, typename Feed::Event>(std::string(Feed::kName), std::move(handler));
  }
  // The same with void(const Input &, Emitter<Event> &), which runs on a thread of its own until the stream ends.
  template <class Input, class Event, class Handler>
  void blocking_feed(std::string name, Handler handler) {
    feeds_.template add_blocking<Input, Event>(std::move(name), std::move(handler));
  }
  template <class Feed, class Handler>
  void typed_blocking_feed(Handler handler) {
    blocking_feed<typename Feed::Input, typename Feed::Event>(std::string(Feed::kName), std::move(handler));
  }
  // Threads for blocking feeds; 16 unless it is said. More subscribers at a time are refused.
  void set_feed_threads(std::size_t threads) { feeds_.set_threads(threads); }

  void on_start(std::function<void()> start) { start_ = std::move(start); }
  void on_stop(std::function<void(std::int64_t deadline_unix_ms)> stop) { stop_ = std::move(stop); }

  void log(int level, std::string_view message, std::string_view fields = {}) const {
    host()->log(host()->self, level, str(message), str(fields));
  }

  // The operator's configuration table of this plugin. Throws std::invalid_argument when it doesn't fit.
  template <class Config>
  Config config() const {
    std::string json;
    host()->config(host()->self, collect(json));
    return from_json<Config>(json);
  }

  // Calls an rpc that the contract uses. Throws CallFailed.
  template <class Out, class In>
  Out call(std::string_view contract_id, std::string_view name, const In &input, std::uint32_t timeout_ms = 0) {
    return from_json<Out>(call_rpc({contract_id, name}, to_json(input), std::chrono::milliseconds(timeout_ms)).value());
  }

  // The C side, built once after setup.
  const trellis_plugin *table() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      trellis_handler &entry = entries_.emplace_back();
      entry.size = sizeof(trellis_handler);
      entry.kind = TRELLIS_SURFACE_RPC;
      entry.contract_id = str(contract_id_);
      entry.name = str(names_[i]);
      entry.rpc = &Service::dispatch;
    }
    listeners_.add_entries<Service>(entries_);
    for (const auto &name : feeds_.names()) {
      trellis_handler &entry = entries_.emplace_back();
      entry.size = sizeof(trellis_handler);
      entry.kind = TRELLIS_SURFACE_FEED;
      entry.contract_id = str(contract_id_);
      entry.name = str(name);
      entry.feed = &Service::begin_feed;
      entry.feed_cancel = &Service::cancel_feed;
    }
    for (const auto &entry : entries_)
      pointers_.push_back(&entry);
    table_ = {sizeof(trellis_plugin),
              static_cast<std::uint32_t>(pointers_.size()),
              this,
              pointers_.data(),
              &Service::start,
              &Service::stop,
              &Service::destroy,
              &Service::get_extension};
    health_.build<Service>();
    return &table_;
  }

  static void report(trellis_error_sink sink, std::string_view message) {
    const trellis_error error{sizeof(trellis_error), 0, str("UnexpectedError"), str(message), {}, {}};
    if (sink.report) sink.report(sink.context, &error);
  }

private:
  template <class T>
  struct InputOfMember;
  template <class Handler, class Out, class In, class Second>
  struct InputOfMember<Out (Handler::*)(In, Second) const> : std::type_identity<std::remove_cvref_t<In>> {};
  template <class Handler, class Out, class In, class Second>
  struct InputOfMember<Out (Handler::*)(In, Second)> : std::type_identity<std::remove_cvref_t<In>> {};
  template <class T>
  using InputOf = typename InputOfMember<T>::type;

  template <class E, class Handler>
  static EventListeners::Handler typed_listener(Handler handler) {
    return [handler = std::move(handler)](Event &event) mutable {
      handler(from_json<typename E::Payload>(event.payload()), event);
    };
  }

  static trellis_sink collect(std::string &into) {
    return {&into, [](void *text, trellis_str piece) { *static_cast<std::string *>(text) += view(piece); }};
  }

  static void dispatch(void *self, const trellis_request *request) noexcept {
    auto &service = *static_cast<Service *>(self);
    const auto name = view(request->surface);
    const trellis_call call = request->call; // the request is gone once it is answered
    try {
      for (std::size_t i = 0; i < service.names_.size(); ++i)
        if (service.names_[i] == name) return service.handlers_[i](*request);
    } catch (const Fault &fault) {
      Pending::send_fault(service.host(), call, fault.type(), fault.what(), fault.fields(), fault.context());
    } catch (const std::exception &problem) {
      Pending::send_fault(service.host(), call, {}, problem.what(), {}, {});
    } catch (...) {
      Pending::send_fault(service.host(), call, {}, "the handler threw something that is no std::exception", {}, {});
    }
  }

  static void begin_feed(void *self, const trellis_feed_request *request) noexcept {
    static_cast<Service *>(self)->feeds_.begin(*request);
  }
  static void cancel_feed(void *self, trellis_stream stream) noexcept {
    static_cast<Service *>(self)->feeds_.cancel(stream);
  }

  static trellis_status start(void *self, trellis_error_sink error) noexcept {
    return guarded(error, [&] {
      const auto &start = static_cast<Service *>(self)->start_;
      if (start) start();
    });
  }

  static trellis_status stop(void *self, std::int64_t deadline_unix_ms, trellis_error_sink error) noexcept {
    return guarded(error, [&] {
      const auto &stop = static_cast<Service *>(self)->stop_;
      if (stop) stop(deadline_unix_ms);
    });
  }

  static const void *get_extension(void *self, trellis_str id) noexcept {
    return view(id) == TRELLIS_EXT_HEALTH ? static_cast<Service *>(self)->health_.table() : nullptr;
  }

  static void destroy(void *self) noexcept { std::unique_ptr<Service>(static_cast<Service *>(self)).reset(); }

  template <class Body>
  static trellis_status guarded(trellis_error_sink error, Body body) noexcept {
    try {
      body();
      return TRELLIS_OK;
    } catch (const std::exception &problem) {
      report(error, problem.what());
    } catch (...) {
      report(error, "something that is no std::exception was thrown");
    }
    return TRELLIS_E_FAILED;
  }

  std::string contract_id_;
  std::deque<std::string> names_;
  std::deque<std::function<void(const trellis_request &)>> handlers_;
  EventListeners listeners_;
  std::deque<trellis_handler> entries_;
  std::vector<const trellis_handler *> pointers_;
  HealthTable health_;
  std::function<void()> start_;
  std::function<void(std::int64_t)> stop_;
  trellis_plugin table_{};
  FeedHandlers feeds_; // last: its threads end before what their handlers may use
};

// `create` of the entry struct: builds a Service, lets `setup` fill it, hands over its C table.
template <void (*setup)(Service &)>
trellis_status create_service(std::string_view contract_id, const trellis_host *host, const trellis_plugin **out,
                              trellis_error_sink error) noexcept {
  try {
    auto service = std::make_unique<Service>(host, std::string(contract_id));
    setup(*service);
    *out = service.release()->table(); // owned by the host until it calls destroy
    return TRELLIS_OK;
  } catch (const std::exception &problem) {
    Service::report(error, problem.what());
  } catch (...) {
    Service::report(error, "something that is no std::exception was thrown");
  }
  return TRELLIS_E_FAILED;
}

} // namespace trellis

// The exported entry of a plugin whose handlers `setup(trellis::Service &)` registers. Once, at namespace scope.
#define TRELLIS_SERVICE(contract_id, program, program_version, setup)                                                  \
  extern "C" TRELLIS_EXPORT const trellis_plugin_entry trellis_plugin_entry_v1 = {                                     \
      sizeof(trellis_plugin_entry),                                                                                    \
      TRELLIS_ABI_MAJOR,                                                                                               \
      TRELLIS_ABI_MINOR,                                                                                               \
      0,                                                                                                               \
      {(program), sizeof(program) - 1},                                                                                \
      {(program_version), sizeof(program_version) - 1},                                                                \
      [](const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) noexcept {                    \
        return trellis::create_service<&(setup)>(contract_id, host, out, error);                                       \
      }}
