#include "transport/jetstream_messages.h"
#include "contracts/encoding.h"
#include <charconv>
#include <rapidjson/document.h>

namespace trellis {
namespace {

// A page of 100000 subjects is larger than what the platform takes from strangers.
constexpr JsonLimits kAnswerLimits{.max_bytes = std::size_t{256} << 20};

tl::unexpected<Error> no_answer(std::string_view where, std::string_view what) {
  return fail(jetstream_error::kInvalid, std::string(where), std::string(what));
}

// Where DIRECT.GET puts a message's origin; the rest are the message's own headers.
bool is_origin(std::string_view name) {
  return name == "Nats-Stream" || name == "Nats-Subject" || name == "Nats-Sequence" || name == "Nats-Time-Stamp";
}

std::string decoded(const JsonValue &object, std::string_view name) {
  const auto bytes = base64url_decode(string_member(object, name));
  return bytes ? std::string(as_text(*bytes)) : std::string();
}

} // namespace

std::uint64_t unsigned_member(const JsonValue &object, std::string_view name) {
  const JsonValue *value = find_member(object, name);
  return value != nullptr && value->IsUint64() ? value->GetUint64() : 0;
}

Result<JsonDocument> read_api_answer(std::string_view payload, std::string_view where) {
  auto answer = parse_json(payload, kAnswerLimits);
  if (!answer || !answer->IsObject()) return no_answer(where, "the answer is no JSON object");
  const JsonValue *error = find_member(*answer, "error");
  if (error == nullptr) return answer;
  auto code = unsigned_member(*error, "err_code");
  if (code == 0) code = unsigned_member(*error, "code"); // few errors have the HTTP-like code only
  return fail("jetstream_" + std::to_string(code), std::string(where),
              std::string(string_member(*error, "description", "refused without a reason")));
}

Result<PubAck> read_publish_answer(std::string_view payload, std::string_view subject) {
  const auto answer = read_api_answer(payload, subject);
  if (!answer) return tl::make_unexpected(answer.error());
  PubAck ack{.stream = std::string(string_member(*answer, "stream")), .sequence = unsigned_member(*answer, "seq")};
  if (ack.stream.empty() || ack.sequence == 0) return no_answer(subject, "the answer is no acknowledgement");
  const JsonValue *duplicate = find_member(*answer, "duplicate");
  ack.duplicate = duplicate != nullptr && duplicate->IsTrue();
  return ack;
}

Result<std::optional<StoredMessage>> read_direct_message(const Message &answer, std::string_view where) {
  StoredMessage out;
  std::string_view digits = answer.header("Nats-Sequence");
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.sequence);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
    // Only without a sequence: a stored message may have a header of that name.
    const std::string_view status = answer.header("Status");
    if (status == "404") return std::nullopt;
    return no_answer(where, status.empty() ? "the answer is no message" : answer.header("Description"));
  }
  out.subject = answer.header("Nats-Subject");
  out.time = answer.header("Nats-Time-Stamp");
  out.payload = answer.payload();
  for (auto &header : answer.headers())
    if (!is_origin(header.name)) out.headers.push_back(std::move(header));
  return out;
}

Result<StoredMessage> read_stored_message(const JsonDocument &answer, std::string_view where) {
  const JsonValue *message = find_member(answer, "message");
  StoredMessage out;
  if (message == nullptr) return no_answer(where, "the answer is no message");
  out.sequence = unsigned_member(*message, "seq");
  if (out.sequence == 0) return no_answer(where, "the answer is no message");
  out.subject = string_member(*message, "subject");
  out.time = string_member(*message, "time");
  out.payload = decoded(*message, "data");
  out.headers = read_header_block(decoded(*message, "hdrs"));
  return out;
}

Headers read_header_block(std::string_view block) {
  Headers out;
  bool first = true; // the version, maybe with a status
  while (!block.empty()) {
    const auto end = block.find("\r\n");
    const auto line = block.substr(0, end);
    block = end == std::string_view::npos ? std::string_view() : block.substr(end + 2);
    const auto colon = line.find(':');
    if (std::exchange(first, false) || colon == std::string_view::npos) continue;
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t'))
      value.remove_prefix(1);
    while (value.ends_with(' ') || value.ends_with('\t'))
      value.remove_suffix(1);
    out.push_back({std::string(line.substr(0, colon)), std::string(value)});
  }
  return out;
}

} // namespace trellis
