// feed-wire, service: one subscriber's message through FeedStreams, as the host drives it, in one thread.

#include "feed_cases.h"

#include "runtime/feed_streams.h"
#include "service_stub.h"
#include <algorithm>

namespace trellis::vectors::feeds {
namespace {

using namespace rpc;

// Which world a case is about where its input leaves that open: the fixtures have one session for all cases, and only a
// control plane that doesn't know it answers Validate with session_not_found (03 §10). How often the service asks, and
// what its subscriber gets, is still the case's to say: one call, because feeds don't retry (06 §4.3).
bool is_about_an_unknown_session(const Input &input, const CaseContext &context) {
  if (input.find("callerSession")) return false; // said as in rpc-wire: null when unknown
  const auto *frames = context.expected ? find_member(*context.expected, "frames") : nullptr;
  if (!frames || !frames->IsArray()) return false;
  return std::ranges::any_of(frames->GetArray(), [](const JsonValue &frame) {
    const auto *error = find_member(frame, "error");
    const auto *from = error ? find_member(*error, "context") : nullptr;
    return from && string_member(*from, "method") == wire::kValidateMethod &&
           string_member(*error, "type") == "AuthError" && string_member(*error, "reason") == "session_not_found";
  });
}

std::string_view type_of(const FeedStreams::EmitError &error) {
  return error.envelope.type;
}

// A handler's list of steps on an open stream.
class Handler {
public:
  Handler(const JsonValue &steps, FeedStreams &streams) : steps_(steps), streams_(streams) {}

  void run(FeedStreams::Handle stream) {
    for (const auto &step : steps_.GetArray())
      if (!act(step, stream)) return;
  }

private:
  // False when the handler ends here.
  bool act(const JsonValue &step, FeedStreams::Handle stream) {
    if (const auto *event = find_member(step, "emit")) return emit(step, *event, stream);
    if (const auto *error = find_member(step, "returnError")) return fail(*error, stream);
    if (const auto *text = find_member(step, "throw")) return fail_unexpectedly(text_of(*text), stream);
    if (const auto *error = find_member(step, "throwError"))
      return fail_unexpectedly(string_member(*error, "type"), stream);
    if (find_member(step, "return")) return false; // the stream stays open, and nothing is sent (06 §7.3)
    throw std::runtime_error("unknown handler step " + to_json(step));
  }

  bool emit(const JsonValue &step, const JsonValue &event, FeedStreams::Handle stream) {
    const auto sent = streams_.emit(stream, to_json(event));
    const auto wanted = string_member(step, "emitError");
    const auto got = sent ? std::string_view() : type_of(sent.error());
    if (got != wanted)
      throw std::runtime_error("emit gave \"" + std::string(got) + "\" instead of \"" + std::string(wanted) + "\"");
    return true;
  }

  bool fail(const JsonValue &error, FeedStreams::Handle stream) {
    JsonDocument fields;
    fields.CopyFrom(error, fields.GetAllocator());
    for (const char *name : {"type", "message", "context"})
      fields.RemoveMember(name);
    const auto *context = find_member(error, "context");
    const auto context_text = context ? to_json(*context) : std::string(), fields_text = to_json(fields);
    streams_.fail(stream, {string_member(error, "type"), string_member(error, "message"), context_text, fields_text});
    return false;
  }

  bool fail_unexpectedly(std::string_view cause, FeedStreams::Handle stream) {
    streams_.fail(stream, {{}, cause, {}, {}});
    return false;
  }

  const JsonValue &steps_;
  FeedStreams &streams_;
};

FeedMethod feed_of_subject(const Manifest &manifest, std::string_view subject) {
  if (manifest.model().feeds)
    for (const auto &[name, surface] : *manifest.model().feeds)
      if (surface.subject == subject) return value_of(compile_feed(manifest, name));
  throw std::runtime_error("no feed has the subject " + std::string(subject));
}

JsonDocument handler_context(const AdmittedRequest &request) {
  return value_of(parse_json(
      JsonObjectText().json("caller", request.caller->caller).text("sessionKey", request.session_key).str()));
}

JsonDocument frame_value(const Replies::Reply &frame, const ControlPlane &control_plane) {
  JsonDocument out;
  out.SetObject();
  put(out, "headers", headers_value(frame.headers));
  if (frame.is_error())
    put(out, "error", received_error(frame.payload, control_plane));
  else
    put(out, "payload", frame.payload);
  return out;
}

JsonDocument frames_value(const Replies &frames, const ControlPlane &control_plane) {
  JsonDocument out;
  out.SetArray();
  for (const auto &frame : frames.all())
    out.PushBack(JsonValue(frame_value(frame, control_plane), out.GetAllocator()), out.GetAllocator());
  return out;
}

} // namespace

JsonDocument service(const Input &input, const CaseContext &context) {
  const auto manifest = fixture_manifest(context);
  auto message = read_message(input);
  const auto replies = message.replies;
  ControlPlane control_plane(input, context);
  if (is_about_an_unknown_session(input, context)) control_plane.forget_sessions();
  record_processed(control_plane, input, message);
  ScriptedTransport transport;
  transport.on_request = [&](const Outbound &request, std::chrono::milliseconds, const Transport::OnReply &on_reply) {
    on_reply(control_plane.answer(request));
  };
  const auto key = SessionKey::generate();
  const auto now = input.at("validatorNow").GetInt64();

  JsonDocument out;
  out.SetObject();
  int handler_calls = 0;
  std::unique_ptr<FeedStreams> streams;
  FeedStreams::Hooks hooks;
  hooks.queue_begin = [&](FeedStreams::Handle handle, const FeedStreams::Feed &) {
    const auto *open = streams->begin(handle);
    if (!open) return true;
    ++handler_calls;
    put(out, "handlerInput", value_of(parse_json(open->request.input)));
    if (context.expected && find_member(*context.expected, "handlerContext"))
      put(out, "handlerContext", handler_context(open->request));
    Handler(input.at("handler"), *streams).run(handle);
    streams->begun(handle);
    return true;
  };
  hooks.queue_cancel = [](FeedStreams::Handle, const FeedStreams::Feed &) {};
  const ServiceIdentity identity{std::string(string_member(*context.fixtures, "serviceRuntimeName")), manifest.id(),
                                 manifest.digest()};
  streams = std::make_unique<FeedStreams>(FeedLimits{}, identity,
                                          std::make_shared<RequestValidator>(transport, key, [now] { return now; }),
                                          std::move(hooks));
  const auto &feed = streams->add(feed_of_subject(manifest, message.subject_text));
  input.at("handler"); // also when no handler is called
  streams->arrive(feed, to_message(std::move(message)));

  put(out, "validateCalls", JsonValue(control_plane.calls));
  if (control_plane.calls > 0) put(out, "validateCapabilities", value_of(parse_json(control_plane.asked_capabilities)));
  put(out, "handlerCalls", JsonValue(handler_calls));
  put(out, "frames", frames_value(*replies, control_plane));
  return out;
}

} // namespace trellis::vectors::feeds
