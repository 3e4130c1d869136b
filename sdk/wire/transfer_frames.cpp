#include "wire/transfer_frames.h"

#include "wire/proof.h"
#include "wire/transfer_codec.h"
#include <charconv>

namespace trellis {
namespace {

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// ^[0-9]+$ that fits
std::optional<std::int64_t> sequence_of(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return integer_of(text);
}

TransferRefusal refusal(std::string operation, std::string reason, JsonObjectText context = {}) {
  context.text("reason", reason);
  return {std::move(operation), std::move(reason), context.str()};
}

TransferAck read_ack(const RecordReader &reader) {
  const auto is_complete = [](std::string_view status) -> std::optional<bool> {
    if (status == "continue") return false;
    return status == "complete" ? std::optional(true) : std::nullopt;
  };
  if (!reader.word("status", is_complete, "continue or complete")) return {};
  return {read_file_info(reader.object("info"))};
}

} // namespace

std::optional<TransferRefusal> UploadRules::accept(const TransferFrame &frame, std::int64_t now_ms) {
  if (is_expired(grant_, now_ms)) return refusal("put", "expired");
  if (!is_of_grantee(grant_, frame)) return refusal("put", "invalid_proof");
  if (auto refused = check_sequence(frame)) return refused;
  if (auto refused = check_size(frame)) return refused;
  ++next_;
  received_ += static_cast<std::int64_t>(frame.payload.size());
  return std::nullopt;
}

std::optional<TransferRefusal> UploadRules::check_sequence(const TransferFrame &frame) const {
  if (!frame.sequence) return refusal("transfer", "missing_sequence");
  const auto sequence = sequence_of(*frame.sequence);
  if (!sequence)
    return refusal("transfer", "invalid_sequence", std::move(JsonObjectText().text("raw", *frame.sequence)));
  if (*sequence == next_) return std::nullopt;
  return refusal("put", "out_of_order",
                 std::move(JsonObjectText().number("expected", next_).number("actual", *sequence)));
}

std::optional<TransferRefusal> UploadRules::check_size(const TransferFrame &frame) const {
  const auto size = static_cast<std::int64_t>(frame.payload.size());
  if (size > grant_.chunk_bytes)
    return refusal("put", "chunk_too_large", std::move(JsonObjectText().number("maxChunkBytes", grant_.chunk_bytes)));
  if (!grant_.max_bytes || received_ + size <= *grant_.max_bytes) return std::nullopt;
  return refusal(
      "put", "max_bytes_exceeded",
      std::move(JsonObjectText().number("maxBytes", *grant_.max_bytes).number("attemptedBytes", received_ + size)));
}

bool is_of_grantee(const TransferGrant &grant, const TransferFrame &frame) {
  const auto iat = integer_of(frame.iat);
  if (!iat || frame.proof.empty() || frame.request_id.empty() || frame.session_key != grant.session_key) return false;
  return verify_request_proof(frame.session_key, grant.subject, sha256(as_bytes(frame.payload)), *iat, frame.request_id,
                              frame.proof);
}

std::string to_json(const TransferAck &ack) {
  JsonObjectText out;
  out.text("status", ack.info ? "complete" : "continue");
  if (ack.info) out.json("info", to_json(*ack.info));
  return out.str();
}

Result<TransferAck> parse_transfer_ack(std::string_view text) {
  return read_record(text, read_ack);
}

} // namespace trellis
