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
// (const In &, trellis::Pending) and returns nothing.
#pragma once

#include "trellis/codec.h"
#include "trellis/plugin.h"
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace trellis {

inline std::string_view view(trellis_str text) {
  return text.size == 0 ? std::string_view{} : std::string_view{text.data, text.size};
}
inline trellis_str str(std::string_view text) {
  return {text.data(), text.size()};
}

// An error for the caller. `type`: one that the contract declares, or a built-in one (06 §5).
class Fault : public std::runtime_error {
public:
  // `fields`: JSON object with the members that the declared error's schema asks for.
  Fault(std::string type, const std::string &message, std::string fields = {}, std::string context = {})
      : std::runtime_error(message), type_(std::move(type)), fields_(std::move(fields)), context_(std::move(context)) {}

  template <class Fields>
  requires requires { Fields::fields; }
  Fault(std::string type, const std::string &message, const Fields &fields)
      : Fault(std::move(type), message, to_json(fields)) {}

  const std::string &type() const { return type_; }
  const std::string &fields() const { return fields_; }
  const std::string &context() const { return context_; }

private:
  std::string type_, fields_, context_;
};

// A call to another service that didn't succeed. Left uncaught in a handler it becomes an UnexpectedError (06 §4.5).
class CallFailed : public std::runtime_error {
public:
  CallFailed(trellis_status status, std::string type, const std::string &message, std::string fields)
      : std::runtime_error(message), status_(status), type_(std::move(type)), fields_(std::move(fields)) {}

  trellis_status status() const { return status_; }     // TRELLIS_E_*
  const std::string &type() const { return type_; }     // the other service's error type, with TRELLIS_E_REMOTE
  const std::string &fields() const { return fields_; } // its own members, a JSON object

private:
  trellis_status status_;
  std::string type_, fields_;
};

class Service;

// The request that a handler answers.
class Call {
public:
  Call(const Service &service, const trellis_request &request) : service_(service), request_(request) {}

  const Service &service() const { return service_; }
  std::string_view input() const { return view(request_.input); }   // JSON
  std::string_view caller() const { return view(request_.caller); } // JSON object (06 §4.5)
  std::string_view session_key() const { return view(request_.session_key); }
  std::string_view request_id() const { return view(request_.request_id); }
  std::int64_t deadline_unix_ms() const { return request_.deadline_unix_ms; }

  // Calls an rpc that the contract uses, in this request's trace. Throws CallFailed.
  template <class Out, class In>
  Out call(std::string_view contract_id, std::string_view name, const In &input, std::uint32_t timeout_ms = 0) const;

private:
  const Service &service_;
  const trellis_request &request_;
};

// A call that is answered later, from any thread. Dropped without an answer it is released: the caller gets an error.
class Pending {
public:
  Pending(const trellis_host *host, trellis_call call) : host_(host), call_(call) {}
  Pending(Pending &&other) noexcept : host_(std::exchange(other.host_, nullptr)), call_(other.call_) {}
  Pending &operator=(Pending &&) = delete;
  ~Pending() {
    if (host_) host_->release(host_->self, call_);
  }

  // False when the call was over already.
  template <class Out>
  bool complete(const Out &output) {
    const std::string json = to_json(output);
    const auto *host = std::exchange(host_, nullptr);
    return host && host->complete(host->self, call_, str(json)) == TRELLIS_OK;
  }
  bool fail(const Fault &fault) {
    const auto *host = std::exchange(host_, nullptr);
    return host && send_fault(host, call_, fault.type(), fault.what(), fault.fields(), fault.context()) == TRELLIS_OK;
  }

  static trellis_status send_fault(const trellis_host *host, trellis_call call, std::string_view type,
                                   std::string_view message, std::string_view fields, std::string_view context) {
    const trellis_error error{sizeof(trellis_error), 0, str(type), str(message), str(context), str(fields)};
    return host->fail(host->self, call, &error);
  }

private:
  const trellis_host *host_;
  trellis_call call_;
};

// What a plugin is made of: its handlers, and the host's functions.
class Service {
public:
  Service(const trellis_host *host, std::string contract_id) : host_(host), contract_id_(std::move(contract_id)) {}
  Service(const Service &) = delete;
  Service &operator=(const Service &) = delete;

  const trellis_host *host() const { return host_; }

  // `handler`: Out(const In &, Call &) or void(const In &, Pending).
  template <class Handler>
  void rpc(std::string name, Handler handler) {
    using Input = InputOf<decltype(&Handler::operator())>;
    names_.push_back(std::move(name));
    handlers_.push_back([this, handler = std::move(handler)](const trellis_request &request) mutable {
      auto input = from_json<Input>(view(request.input));
      if constexpr (std::is_invocable_v<Handler, const Input &, Pending>) {
        handler(input, Pending(host_, request.call));
      } else {
        Call call(*this, request);
        const std::string output = to_json(handler(input, call));
        host_->complete(host_->self, request.call, str(output));
      }
    });
  }

  void on_start(std::function<void()> start) { start_ = std::move(start); }
  void on_stop(std::function<void(std::int64_t deadline_unix_ms)> stop) { stop_ = std::move(stop); }

  void log(int level, std::string_view message, std::string_view fields = {}) const {
    host_->log(host_->self, level, str(message), str(fields));
  }

  // The operator's configuration table of this plugin. Throws std::invalid_argument when it doesn't fit.
  template <class Config>
  Config config() const {
    std::string json;
    host_->config(host_->self, collect(json));
    return from_json<Config>(json);
  }

  template <class Out, class In>
  Out call(std::string_view contract_id, std::string_view name, const In &input, std::uint32_t timeout_ms = 0,
           trellis_str traceparent = {}, trellis_str tracestate = {}) const {
    const std::string json = to_json(input);
    const trellis_rpc_call call{
        sizeof(trellis_rpc_call), timeout_ms, str(contract_id), str(name), str(json), traceparent, tracestate};
    std::string output;
    Details details;
    const auto status = host_->call_rpc(host_->self, &call, collect(output), {&details, &Details::keep});
    if (status != TRELLIS_OK) throw CallFailed(status, details.type, details.message, details.fields);
    return from_json<Out>(output);
  }

  // The C side, built once after setup.
  const trellis_plugin *table() {
    for (std::size_t i = 0; i < names_.size(); ++i)
      entries_.push_back({sizeof(trellis_handler), TRELLIS_SURFACE_RPC, str(contract_id_), str(names_[i]), nullptr});
    for (auto &entry : entries_) {
      entry.rpc = &Service::dispatch;
      pointers_.push_back(&entry);
    }
    table_ = {sizeof(trellis_plugin),
              static_cast<std::uint32_t>(pointers_.size()),
              this,
              pointers_.data(),
              &Service::start,
              &Service::stop,
              &Service::destroy,
              nullptr};
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

  struct Details {
    std::string type, message, fields;
    static void keep(void *self, const trellis_error *error) {
      auto &details = *static_cast<Details *>(self);
      details.type = view(error->type);
      details.message = view(error->message);
      details.fields = view(error->fields);
    }
  };

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
      Pending::send_fault(service.host_, call, fault.type(), fault.what(), fault.fields(), fault.context());
    } catch (const std::exception &problem) {
      Pending::send_fault(service.host_, call, {}, problem.what(), {}, {});
    } catch (...) {
      Pending::send_fault(service.host_, call, {}, "the handler threw something that is no std::exception", {}, {});
    }
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

  const trellis_host *host_;
  std::string contract_id_;
  std::deque<std::string> names_;
  std::deque<std::function<void(const trellis_request &)>> handlers_;
  std::deque<trellis_handler> entries_;
  std::vector<const trellis_handler *> pointers_;
  std::function<void()> start_;
  std::function<void(std::int64_t)> stop_;
  trellis_plugin table_{};
};

template <class Out, class In>
Out Call::call(std::string_view contract_id, std::string_view name, const In &input, std::uint32_t timeout_ms) const {
  return service_.call<Out>(contract_id, name, input, timeout_ms, request_.traceparent, request_.tracestate);
}

// `create` of the entry struct: builds a Service, lets `setup` fill it, hands over its C table.
template <void (*setup)(Service &)>
trellis_status create_service(const char *contract_id, const trellis_host *host, const trellis_plugin **out,
                              trellis_error_sink error) noexcept {
  try {
    auto service = std::make_unique<Service>(host, contract_id);
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
      {program, sizeof(program) - 1},                                                                                  \
      {program_version, sizeof(program_version) - 1},                                                                  \
      [](const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) noexcept {                    \
        return trellis::create_service<&setup>(contract_id, host, out, error);                                         \
      }}
