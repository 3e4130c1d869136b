// Calls of rpcs, typed: what generated clients are made of. Light, as trellis/json.h is.
//
// A generated Client turns values into JSON and back; an RpcCaller carries the JSON. Inside a plugin the trellis::Call
// being answered is one (the call belongs to its trace), and so is the trellis::Service; a program makes one from its
// RpcClient (runtime/rpc_client_caller.h).
#pragma once

#include "trellis/json.h"
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// What handlers of the rpc return, and keep to answer later (trellis/reply.h, which only plugins include).
template <class Out, class... Errors>
class Reply;
template <class Out, class... Errors>
class Later;

// Which rpc. The texts are constants of generated code.
struct RpcName {
  std::string_view contract_id;
  std::string_view name;
};

// Why a call has no output.
struct RpcFailure {
  enum class Origin {
    remote, // the service answered with an error
    local,  // it wasn't sent, wasn't answered, or the answer wasn't understood
  };
  Origin origin = Origin::local;
  std::int32_t status = 0;    // inside a plugin: TRELLIS_E_*
  std::string type = {};      // "OutOfStock", "TransportError", ...
  std::string message = {};   // for people
  std::string fields = "{}";  // JSON object: the error's own members
  std::string context = "{}"; // JSON object (06 §5)

  // The error `E`, if it is one and its members fit. For the built-in errors include trellis/json_reader.h as well.
  template <class E>
  std::optional<E> as() const {
    if (type != E::kType) return {};
    auto error = E::from_json(fields);
    if (!error) return {};
    error->message = message;
    return std::move(*error);
  }
};

// A failure that nobody handled. In a handler it becomes an UnexpectedError for the caller (06 §4.5).
class CallFailed : public std::runtime_error {
public:
  explicit CallFailed(RpcFailure failure) : std::runtime_error(failure.message), failure_(std::move(failure)) {}

  const RpcFailure &failure() const { return failure_; }
  std::int32_t status() const { return failure_.status; }       // TRELLIS_E_*
  const std::string &type() const { return failure_.type; }     // the other service's error type
  const std::string &fields() const { return failure_.fields; } // its own members, a JSON object

private:
  RpcFailure failure_;
};

// What a call brings: the output, or why there is none. `Errors` are the types that the rpc declares.
template <class Out, class... Errors>
class [[nodiscard]] RpcResult {
public:
  RpcResult(Out output) : output_(std::move(output)) {}
  RpcResult(RpcFailure failure) : failure_(std::move(failure)) {}

  explicit operator bool() const { return output_.has_value(); }
  // Only when it is true.
  Out &operator*() { return *output_; }
  const Out &operator*() const { return *output_; }
  Out *operator->() { return &*output_; }
  const Out *operator->() const { return &*output_; }
  // Throws CallFailed.
  Out value() && {
    if (!output_) throw CallFailed(std::move(failure_));
    return std::move(*output_);
  }
  const Out &value() const & {
    if (!output_) throw CallFailed(failure_);
    return *output_;
  }
  // Only when it is false.
  const RpcFailure &failure() const { return failure_; }

  // The declared error `E`, if that is what the service answered with.
  template <class E>
  requires(std::same_as<E, Errors> || ...) std::optional<E> error()
  const {
    if (output_ || failure_.origin != RpcFailure::Origin::remote) return {};
    return failure_.template as<E>();
  }

private:
  std::optional<Out> output_;
  RpcFailure failure_;
};

// Carries calls. Derived classes say from which threads.
class RpcCaller {
public:
  using Text = RpcResult<std::string>; // the output as JSON text
  using OnText = std::function<void(Text)>;

  // [may block] `timeout` zero: the default of the protocol, 3 s.
  virtual Text call_rpc(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout) = 0;
  // `on_text` runs exactly once, on any thread, perhaps before this returns; it must be quick and not throw.
  virtual void call_rpc_async(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout,
                              OnText on_text) = 0;

protected:
  ~RpcCaller() = default;
};

} // namespace trellis
