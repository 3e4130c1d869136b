// The request that a handler answers, now or later; what it may throw; the calls that it makes.
#pragma once

#include "trellis/codec.h"
#include "trellis/event_publisher.h"
#include "trellis/plugin.h"
#include "trellis/rpc_caller.h"
#include "trellis/trace.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

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

// Carries calls and events over the host's functions. [thread-safe]
class HostCaller : public RpcCaller, public EventPublisher {
public:
  explicit HostCaller(const trellis_host *host, trellis_str traceparent = {}, trellis_str tracestate = {})
      : EventPublisher(host, traceparent, tracestate), host_(host), traceparent_(traceparent), tracestate_(tracestate) {
  }

  const trellis_host *host() const { return host_; }

  Text call_rpc(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout) override {
    const auto call = describe(rpc, input, timeout);
    std::string output;
    RpcFailure failure;
    const auto append = [](void *text, trellis_str piece) { *static_cast<std::string *>(text) += view(piece); };
    const auto report = [](void *kept, const trellis_error *error) { keep(*static_cast<RpcFailure *>(kept), *error); };
    const auto status = host_->call_rpc(host_->self, &call, {&output, append}, {&failure, report});
    if (status == TRELLIS_OK) return output;
    return with_status(std::move(failure), status);
  }

  void call_rpc_async(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout,
                      OnText on_text) override {
    const auto call = describe(rpc, input, timeout);
    const auto waiting = std::make_shared<OnText>(std::move(on_text));
    // The host gets a reference of its own, which replied() takes back: it may run before this call returns.
    auto reference = std::make_unique<std::shared_ptr<OnText>>(waiting);
    const auto status = host_->call_rpc_async(host_->self, &call, &HostCaller::replied, reference.get());
    if (status == TRELLIS_OK)
      static_cast<void>(reference.release());
    else
      (*waiting)(with_status({}, status));
  }

private:
  trellis_rpc_call describe(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout) const {
    const auto ms = std::clamp<std::int64_t>(timeout.count(), 0, UINT32_MAX);
    return {sizeof(trellis_rpc_call),
            static_cast<std::uint32_t>(ms),
            str(rpc.contract_id),
            str(rpc.name),
            str(input),
            traceparent_,
            tracestate_};
  }

  static void keep(RpcFailure &failure, const trellis_error &error) {
    failure.type = view(error.type);
    failure.message = view(error.message);
    if (error.fields.size > 0) failure.fields = view(error.fields);
    if (error.context.size > 0) failure.context = view(error.context);
  }

  static RpcFailure with_status(RpcFailure failure, trellis_status status) {
    failure.origin = status == TRELLIS_E_REMOTE ? RpcFailure::Origin::remote : RpcFailure::Origin::local;
    failure.status = status;
    if (failure.type.empty()) failure.type = "UnexpectedError";
    if (failure.message.empty()) failure.message = "the host refused the call with status " + std::to_string(status);
    return failure;
  }

  static void replied(void *context, trellis_status status, trellis_str output, const trellis_error *error) noexcept {
    const std::unique_ptr<std::shared_ptr<OnText>> waiting(static_cast<std::shared_ptr<OnText> *>(context));
    if (status == TRELLIS_OK) return (**waiting)(std::string(view(output)));
    RpcFailure failure;
    if (error) keep(failure, *error);
    (**waiting)(with_status(std::move(failure), status));
  }

  const trellis_host *host_;
  trellis_str traceparent_, tracestate_;
};

// What a handler that defers its request shares with the Pending, until it returns. A Pending that an exception of the
// handler destroys doesn't release the request: what was thrown is the answer.
class Deferral {
public:
  // Of the one that is being destroyed.
  bool is_thrown_away() {
    if (std::this_thread::get_id() != thread_ || !in_handler_ || std::uncaught_exceptions() <= exceptions_)
      return false;
    return thrown_away_ = true;
  }
  // The handler has ended. True when it has caught that exception itself: then nobody has answered.
  bool ends_unanswered() {
    in_handler_ = false;
    return thrown_away_ && std::uncaught_exceptions() <= exceptions_;
  }

private:
  const std::thread::id thread_ = std::this_thread::get_id(); // the handler's, which alone uses the rest
  const int exceptions_ = std::uncaught_exceptions();
  bool in_handler_ = true, thrown_away_ = false;
};

// A call that is answered later, from any thread. Dropped without an answer it is released: the caller gets an error.
class Pending {
public:
  Pending(const trellis_host *host, trellis_call call, std::shared_ptr<Deferral> deferral = {})
      : host_(host), call_(call), deferral_(std::move(deferral)) {}
  Pending(Pending &&other) noexcept
      : host_(std::exchange(other.host_, nullptr)), call_(other.call_), deferral_(std::move(other.deferral_)) {}
  Pending &operator=(Pending &&) = delete;
  ~Pending() {
    if (host_ && !(deferral_ && deferral_->is_thrown_away())) host_->release(host_->self, call_);
  }

  // False when the call was over already.
  template <class Out>
  bool complete(const Out &output) {
    return complete_text(to_json(output));
  }
  bool complete_text(std::string_view json) {
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
  std::shared_ptr<Deferral> deferral_; // of a handler that may still be running
};

class Service;

// The request that a handler answers. As an RpcCaller it makes calls in this request's trace.
class Call final : public HostCaller {
public:
  Call(const Service &service, const trellis_host *host, const trellis_request &request)
      : HostCaller(host, request.traceparent, request.tracestate), service_(service), request_(request),
        id_(request.call) {}
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;
  ~Call() {
    if (deferral_ && deferral_->ends_unanswered()) host()->release(host()->self, id_);
  }

  const Service &service() const { return service_; }
  std::string_view input() const { return view(request_.input); }   // JSON
  std::string_view caller() const { return view(request_.caller); } // JSON object (06 §4.5)
  std::string_view session_key() const { return view(request_.session_key); }
  std::string_view request_id() const { return view(request_.request_id); }
  std::int64_t deadline_unix_ms() const { return request_.deadline_unix_ms; }
  // Empty when the caller sent none. For work that goes on after the answer: service().within(call.trace()).
  Trace trace() const { return Trace(view(request_.traceparent), view(request_.tracestate)); }

  // One log line, with the request's id and its trace's beside `fields` (a JSON object, or nothing).
  void log(std::int32_t level, std::string_view message, std::string_view fields = {}) const {
    const auto all = correlated_fields(fields, request_id(), Trace::trace_id_of(view(request_.traceparent)));
    host()->log(host()->self, level, str(message), str(all));
  }

  // Calls an rpc that the contract uses. Throws CallFailed.
  template <class Out, class In>
  Out call(std::string_view contract_id, std::string_view name, const In &input, std::uint32_t timeout_ms = 0) {
    return from_json<Out>(call_rpc({contract_id, name}, to_json(input), std::chrono::milliseconds(timeout_ms)).value());
  }

  // Takes the request over, to answer it later. Afterwards the handler must not use this object any more.
  Pending defer() {
    if (!deferral_) deferral_ = std::make_shared<Deferral>();
    return {host(), id_, deferral_};
  }
  bool deferred() const { return deferral_ != nullptr; }

private:
  const Service &service_;
  const trellis_request &request_; // gone once it is answered
  const trellis_call id_;
  std::shared_ptr<Deferral> deferral_;
};

} // namespace trellis
