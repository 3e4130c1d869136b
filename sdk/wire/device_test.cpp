#include "wire/device.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

const Bytes kActivationKey(32, 7);

std::string payload_error(std::string_view json) {
  const auto payload = decode_activation_payload(base64url(as_bytes(json)));
  return payload ? "" : payload.error().code;
}

bool accepts(std::string_view code) {
  return verify_confirmation_code(kActivationKey, "key", "nonce", code);
}

} // namespace

TEST_CASE("a root secret has 32 bytes") {
  CHECK(derive_device_keys(Bytes(32)).has_value());
  CHECK(derive_device_keys(Bytes(31)).error().code == "invalid_root_secret_length");
  CHECK(derive_device_keys(Bytes(33)).error().code == "invalid_root_secret_length");
  CHECK(derive_device_keys({}).error().code == "invalid_root_secret_length");
}

TEST_CASE("a code is compared as a person may type it") {
  const std::string code = *device_confirmation_code(kActivationKey, "key", "nonce");
  CHECK(accepts(code));
  CHECK(accepts("\xC2\xA0\xE2\x80\x83\t" + code + " \r\n\xEF\xBB\xBF"));
  CHECK_FALSE(accepts(code.substr(0, 4) + "-" + code.substr(4)));
  CHECK_FALSE(accepts(code.substr(0, 4) + " " + code.substr(4)));
  CHECK_FALSE(accepts(code.substr(1)));
  CHECK_FALSE(accepts(code + "0"));
  CHECK_FALSE(accepts(""));
  CHECK_FALSE(accepts("\xE2"));
}

TEST_CASE("look-alikes stand for the digits that a code can hold") {
  // A nonce whose code holds both 0 and 1.
  std::string nonce;
  std::string code;
  while (code.find('0') == std::string::npos || code.find('1') == std::string::npos)
    code = *device_confirmation_code(kActivationKey, "key", nonce += 'n');
  for (char &c : code)
    c = c == '0' ? 'o' : c == '1' ? 'l' : c;
  CHECK(verify_confirmation_code(kActivationKey, "key", nonce, code));
}

TEST_CASE("an empty activation key verifies nothing") {
  CHECK(device_qr_mac({}, "key", "nonce").error().code == "empty_secret");
  CHECK(device_confirmation_code({}, "key", "nonce").error().code == "empty_secret");
  CHECK_FALSE(verify_confirmation_code({}, "key", "nonce", ""));
  CHECK_FALSE(verify_qr_mac({}, "key", "nonce", ""));
}

TEST_CASE("a QR MAC is compared exactly") {
  const std::string mac = *device_qr_mac(kActivationKey, "key", "nonce");
  CHECK(verify_qr_mac(kActivationKey, "key", "nonce", mac));
  CHECK_FALSE(verify_qr_mac(kActivationKey, "key", "nonce", mac + "="));
  CHECK_FALSE(verify_qr_mac(kActivationKey, "key", "other", mac));
}

TEST_CASE("an activation payload reads back") {
  const auto payload = decode_activation_payload(encode_activation_payload({"pk", "n\"", "m", {}}));
  REQUIRE(payload);
  CHECK(payload->public_identity_key == "pk");
  CHECK(payload->nonce == "n\"");
  CHECK(payload->qr_mac == "m");
  CHECK(payload->json == R"({"v":1,"publicIdentityKey":"pk","nonce":"n\"","qrMac":"m"})");
}

TEST_CASE("texts that are no activation payloads are refused") {
  CHECK(payload_error(R"({"v":1,"publicIdentityKey":"k","nonce":"n","qrMac":"m","more":[]})").empty());
  CHECK(payload_error("") == "invalid_payload");
  CHECK(payload_error("[]") == "invalid_payload");
  CHECK(payload_error(R"({"v":"1","publicIdentityKey":"k","nonce":"n","qrMac":"m"})") == "invalid_payload");
  CHECK(payload_error(R"({"publicIdentityKey":"k","nonce":"n","qrMac":"m"})") == "invalid_payload");
  CHECK(payload_error(R"({"v":1,"publicIdentityKey":7,"nonce":"n","qrMac":"m"})") == "invalid_payload");
  CHECK(payload_error(R"({"v":1,"publicIdentityKey":"k","nonce":"n","qrMac":""})") == "invalid_payload");
  CHECK(decode_activation_payload("!!").error().code == "invalid_payload");
}

TEST_CASE("a device proof covers each of its parts") {
  const auto keys = *derive_device_keys(Bytes(32, 1));
  const DeviceProofParts parts{"flow", keys.identity.text(), "nonce", 1000, "digest"};
  const std::string proof = make_device_proof(keys.identity, parts);
  CHECK(verify_device_proof(parts, proof));
  auto changed = parts;
  changed.iat = 1000.5;
  CHECK_FALSE(verify_device_proof(changed, proof));
  changed = parts;
  changed.flow_id = kConnectInfo;
  CHECK_FALSE(verify_device_proof(changed, proof));
  changed = parts;
  changed.public_identity_key = "AAAA";
  CHECK_FALSE(verify_device_proof(changed, proof));
  CHECK_FALSE(verify_device_proof(parts, ""));
}
