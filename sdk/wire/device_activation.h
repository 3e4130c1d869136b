// The bodies of the device routes, and their answers (04 §16; 03 §11.4).
#pragma once

#include "wire/connect_info.h"
#include "wire/device.h"

namespace trellis {

// POST /auth/devices/activate/requests -> what the device shows and waits with.
struct ActivationStarted {
  std::string flow_id, instance_id, deployment_id, activation_url;
  bool operator==(const ActivationStarted &) const = default;
};
std::string activation_request_json(const ActivationPayload &payload);
std::string to_json(const ActivationStarted &started);
Result<ActivationStarted> parse_activation_started(std::string_view text);

// The signed bodies of the wait and of the connect-info route. `iat` is any JSON number and is signed as its shortest
// decimal text; the latter has neither flow id nor nonce in its body, its proof covers kConnectInfo for both.
struct DeviceRequest {
  std::string flow_id, public_identity_key, nonce, contract_digest;
  double iat = 0;
  std::string sig;
  bool operator==(const DeviceRequest &) const = default;

  DeviceProofParts parts() const { return {flow_id, public_identity_key, nonce, iat, contract_digest}; }
};
DeviceRequest sign_wait_request(const SessionKey &identity, std::string flow_id, std::string nonce,
                                std::string contract_digest, double iat);
DeviceRequest sign_connect_info_request(const SessionKey &identity, std::string contract_digest, double iat);
std::string wait_request_json(const DeviceRequest &request);
std::string connect_info_request_json(const DeviceRequest &request);
// Error "invalid_record": a member is missing or empty. The signature isn't checked here.
Result<DeviceRequest> parse_wait_request(std::string_view text);
Result<DeviceRequest> parse_connect_info_request(std::string_view text);

enum class WaitStatus { pending, activated, rejected };
struct WaitAnswer {
  WaitStatus status = WaitStatus::pending;
  std::string reason;       // rejected
  std::string activated_at; // activated, with the two below
  std::optional<std::string> confirmation_code;
  std::optional<ConnectInfo> connect_info;
};
std::string to_json(const WaitAnswer &answer);
Result<WaitAnswer> parse_wait_answer(std::string_view text);

} // namespace trellis
