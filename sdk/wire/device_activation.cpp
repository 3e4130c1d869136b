#include "wire/device_activation.h"

#include "contracts/canonical.h"
#include "wire/connect_codec.h"
#include "wire/record_writer.h"
#include <array>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 3> kStatuses = {"pending", "activated", "rejected"};

std::optional<WaitStatus> status_of(std::string_view name) {
  for (std::size_t i = 0; i < kStatuses.size(); ++i)
    if (kStatuses.at(i) == name) return static_cast<WaitStatus>(i);
  return std::nullopt;
}

ActivationStarted read_started(const RecordReader &reader) {
  return {reader.non_empty("flowId"), reader.non_empty("instanceId"), reader.non_empty("deploymentId"),
          reader.non_empty("activationUrl")};
}

DeviceRequest read_connect_info_request(const RecordReader &reader) {
  return {kConnectInfo,         reader.non_empty("publicIdentityKey"),
          kConnectInfo,         reader.non_empty("contractDigest"),
          reader.number("iat"), reader.non_empty("sig")};
}

DeviceRequest read_wait_request(const RecordReader &reader) {
  DeviceRequest request = read_connect_info_request(reader);
  request.flow_id = reader.non_empty("flowId");
  request.nonce = reader.non_empty("nonce");
  return request;
}

WaitAnswer read_answer(const RecordReader &reader) {
  WaitAnswer answer;
  answer.status = reader.word("status", status_of, "pending, activated or rejected");
  if (answer.status == WaitStatus::rejected) answer.reason = reader.optional_text("reason").value_or("");
  if (answer.status != WaitStatus::activated) return answer;
  answer.activated_at = reader.time("activatedAt");
  answer.confirmation_code = reader.optional_text("confirmationCode");
  answer.connect_info = read_connect_info(reader.object("connectInfo"), ConnectKind::device);
  return answer;
}

DeviceRequest signed_request(const SessionKey &identity, DeviceRequest request) {
  request.public_identity_key = identity.text();
  request.sig = make_device_proof(identity, request.parts());
  return request;
}

} // namespace

std::string activation_request_json(const ActivationPayload &payload) {
  return JsonObjectText().json("payload", activation_payload_json(payload)).str();
}

std::string to_json(const ActivationStarted &started) {
  return JsonObjectText()
      .text("flowId", started.flow_id)
      .text("instanceId", started.instance_id)
      .text("deploymentId", started.deployment_id)
      .text("activationUrl", started.activation_url)
      .str();
}

Result<ActivationStarted> parse_activation_started(std::string_view text) {
  return read_record(text, read_started);
}

DeviceRequest sign_wait_request(const SessionKey &identity, std::string flow_id, std::string nonce,
                                std::string contract_digest, double iat) {
  return signed_request(identity, {std::move(flow_id), {}, std::move(nonce), std::move(contract_digest), iat, {}});
}

DeviceRequest sign_connect_info_request(const SessionKey &identity, std::string contract_digest, double iat) {
  return signed_request(identity, {kConnectInfo, {}, kConnectInfo, std::move(contract_digest), iat, {}});
}

std::string wait_request_json(const DeviceRequest &request) {
  return JsonObjectText()
      .text("flowId", request.flow_id)
      .text("publicIdentityKey", request.public_identity_key)
      .text("nonce", request.nonce)
      .text("contractDigest", request.contract_digest)
      .json("iat", ecmascript_number(request.iat))
      .text("sig", request.sig)
      .str();
}

std::string connect_info_request_json(const DeviceRequest &request) {
  return JsonObjectText()
      .text("publicIdentityKey", request.public_identity_key)
      .text("contractDigest", request.contract_digest)
      .json("iat", ecmascript_number(request.iat))
      .text("sig", request.sig)
      .str();
}

Result<DeviceRequest> parse_wait_request(std::string_view text) {
  return read_record(text, read_wait_request);
}

Result<DeviceRequest> parse_connect_info_request(std::string_view text) {
  return read_record(text, read_connect_info_request);
}

std::string to_json(const WaitAnswer &answer) {
  JsonObjectText out;
  out.text("status", kStatuses.at(static_cast<std::size_t>(answer.status)));
  if (answer.status == WaitStatus::rejected) out.text("reason", answer.reason);
  if (answer.status != WaitStatus::activated) return out.str();
  out.text("activatedAt", answer.activated_at);
  add_text(out, "confirmationCode", answer.confirmation_code);
  if (answer.connect_info) out.json("connectInfo", to_json(*answer.connect_info));
  return out.str();
}

Result<WaitAnswer> parse_wait_answer(std::string_view text) {
  return read_record(text, read_answer);
}

} // namespace trellis
