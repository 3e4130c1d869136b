// The service side of RPC, in the order of 06 §4.2: from received bytes to an admitted request, and from a handler's
// outcome to the bytes of the reply.
//
// Free functions on values: no queue, no thread, no subscription. The host brings those; the vectors run exactly this.
#pragma once

#include "runtime/rpc_method.h"
#include "runtime/validator.h"
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace trellis {

class Message;

// Why a request was answered as it was, for those who count (06 §9.1).
enum class ReplyCause {
  answered,         // the handler's output
  parse,            // step 1
  input_validation, // step 2
  auth,             // steps 4 to 8
  handler_throw,    // step 9: an error that the caller can't act on, or no answer at all
  handler_result,   // step 9: an error that the handler returned
  output_encoding,  // step 10, and outputs that can't be sent
  handshake,        // of feeds: the ready frame couldn't be sent
  event_publish,    // of feeds: an event couldn't be sent
  overloaded,       // the runtime: kOverloadedCode ...
  deadline,
  stopping,
};

struct RpcReply {
  std::string payload;
  bool is_error = false; // sent with header `status: error`
  ReplyCause cause = ReplyCause::answered;
};

// The reply that carries `error`; `trace_id` becomes the error's unless it has its own.
RpcReply envelope_reply(ErrorEnvelope error, std::string_view trace_id, ReplyCause cause = ReplyCause::handler_result);

// What steps 1 to 8 need of a surface; the views live during the call. Of rpcs and of feeds.
struct AdmissionRules {
  const Schema &input;
  const std::vector<std::string> &capabilities;
  bool unauthenticated = false;
  std::string_view feed =
      {}; // its name: shown in insufficient_permissions, and the session is asked for once (06 §7.2)
};

// A request that passed steps 1 to 8: its handler may run.
struct AdmittedRequest {
  std::string input; // JSON text for the handler: the payload, rewritten only when it held duplicate members
  std::shared_ptr<const CallerSession> caller;
  std::string session_key;
  std::string request_id;
  std::string traceparent;
  std::string tracestate;
  std::string trace_id; // "" when the caller sent no valid traceparent
};

// Steps 1 to 8 for any surface. A feed's reply has no trace id: that is for errors of handlers (06 §7.2).
std::variant<AdmittedRequest, RpcReply> admit_request(const AdmissionRules &rules, const Message &message,
                                                      Validator &validator);

// Steps 1 to 8. The reply is what the sender gets instead of a handler's answer; it may have to be dropped when the
// message has no reply subject.
std::variant<AdmittedRequest, RpcReply> admit(const RpcMethod &method, const Message &message, Validator &validator);

// Step 10: the handler's JSON text, or the ValidationError that it becomes when it breaks the output schema.
RpcReply success_reply(const RpcMethod &method, std::string_view output, std::string_view trace_id);

// An error that a handler returned. `type` "" or "UnexpectedError": `message` becomes context.causeMessage.
// `context`, `fields`: JSON objects or "". Anything else, and an AuthError whose reason the protocol doesn't know,
// makes the whole an UnexpectedError and isn't well formed.
struct HandlerError {
  std::string_view type;
  std::string_view message;
  std::string_view context;
  std::string_view fields;
};
struct HandlerErrorReply {
  RpcReply reply;
  bool well_formed = true;
};
HandlerErrorReply error_reply(const ServiceIdentity &service, const RpcMethod &method, const AdmittedRequest &request,
                              const HandlerError &error);
// The same for any surface. `member`: what the error's context calls it, "method", "feed" ... (06 §4.5)
struct SurfaceName {
  std::string_view member;
  std::string_view name;
};
HandlerErrorReply error_reply(const ServiceIdentity &service, const SurfaceName &surface,
                              const AdmittedRequest &request, const HandlerError &error);

// What the runtime itself has to say instead of the handler: TransportError with these codes.
inline constexpr char kOverloadedCode[] = "trellis.rpc.overloaded";
inline constexpr char kDeadlineCode[] = "trellis.rpc.deadline_exceeded";
inline constexpr char kStoppingCode[] = "trellis.rpc.stopping";
inline constexpr char kSendFailedCode[] = "trellis.rpc.response_send_failed"; // 06 §4.7
RpcReply runtime_error_reply(const RpcMethod &method, std::string_view code, std::string_view message,
                             std::string_view trace_id);

// Step 11, through Message::respond. A reply that can't be sent becomes the small error of 06 §4.7. A message without
// reply subject wants nothing, which is whole.
enum class Sent { whole, as_error, nothing };
Sent send_reply(const RpcMethod &method, const Message &message, const RpcReply &reply, std::string_view trace_id);

} // namespace trellis
