// The caller's side of RPC (06 §3): sign, send, retry on no-responders, decode.
#pragma once

#include "runtime/rpc_method.h"
#include "transport/transport.h"
#include "wire/error_envelope.h"
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis {

class SessionKey;

// A failed call. `local` says that it never came from the other side (its type is ValidationError, TransportError or
// UnexpectedError then). A remote error whose type the method doesn't declare has type "RemoteError" and the full
// envelope in fields.remoteError (06 §3.3).
struct CallError {
  ErrorEnvelope envelope;
  bool local = false;
  std::string transport_code = {}; // transport_error::k* when sending or waiting failed, else ""
  std::string_view phase = {};     // where it failed (06 §9.1), a constant: "request_send" ...
};
using CallResult = tl::expected<std::string, CallError>; // the output, JSON text as received

// What one request puts on the wire (06 §3.1 steps 2 to 4). Error: the ValidationError.
struct SignedRequest {
  std::string subject;
  std::string payload;
  Headers headers;
};
tl::expected<SignedRequest, CallError> sign_request(const RpcMethod &method, std::string_view input,
                                                    const SessionKey &key, std::int64_t iat,
                                                    std::string_view request_id);

// 06 §3.3. `is_error`: the reply carries `status: error`.
CallResult decode_reply(const RpcMethod &method, bool is_error, std::string_view payload);

// The TransportError of 06 §3.2 for an error of Transport::request.
CallError transport_failure(const RpcMethod &method, const Error &error);

struct CallOptions {
  std::chrono::milliseconds timeout{3000}; // per attempt
  std::string traceparent = {}, tracestate = {};
  std::string request_id = {}; // "" = a fresh ULID
};

// [thread-safe] One participant's calls on one Transport.
//
// The pauses before a retry are kept by one timer thread, started by the first retry: network threads never wait.
class RpcClient {
public:
  // `clock`: server time in whole seconds (the local clock plus the learned offset, 06 §2.1).
  // `observer`: told of each call's end, on the thread where it ends; must not block.
  using Observer = std::function<void(const RpcMethod &, const CallResult &, std::chrono::nanoseconds took)>;
  RpcClient(Transport &transport, const SessionKey &key, std::function<std::int64_t()> clock, Observer observer = {});
  // Closes it.
  ~RpcClient();
  RpcClient(const RpcClient &) = delete;
  RpcClient &operator=(const RpcClient &) = delete;

  // [may block] Calls that still wait, for a reply or for their next attempt, end with TransportError
  // trellis.request.failed, cause "closed", and so does every later one at once. Afterwards no `on_result` of an
  // earlier call is running or called again, so never close a client inside one.
  void close();

  using OnResult = std::function<void(CallResult)>;
  // `on_result` runs exactly once, on a network or timer thread, inside the call or inside close(); it must not block.
  // `method` must live until then.
  void call(const RpcMethod &method, std::string_view input, const CallOptions &options, OnResult on_result);
  // [may block]
  CallResult call_and_wait(const RpcMethod &method, std::string_view input, const CallOptions &options = {});

private:
  tl::expected<SignedRequest, CallError> prepare(const RpcMethod &method, std::string_view input,
                                                 const CallOptions &options) const;
  void observe(const RpcMethod &method, const CallResult &result, std::chrono::steady_clock::time_point since) const;
  struct State; // shared with the transport's callbacks, which may come after this object's end
  const SessionKey &key_;
  const std::function<std::int64_t()> clock_;
  const Observer observer_;
  std::shared_ptr<State> state_;
};

inline constexpr int kNoRespondersRetries = 2; // pauses 200 and 400 ms

} // namespace trellis
