#include "wire/nkeys.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <sstream>
#include <stdexcept>

using namespace trellis;

namespace {

constexpr std::string_view kUserSeed = "SUAOZCHSCAOKF6SJIE3VWHVTQGZ6DL4A5UB4QOHL2WBPONQDURRVW5IR4I";
constexpr std::string_view kUserPublic = "UBF6XQLBZX2HAAGBIFOJ6DFBKISGBNJQM7Q6ZIBGOW4KY3AZMFHCBSQU";

std::string public_error(std::string_view text) {
  const auto key = decode_nkey(text);
  return key ? "" : key.error().code;
}

std::string seed_error(std::string_view text) {
  const auto seed = NkeySeed::parse(text);
  return seed ? "" : seed.error().code;
}

} // namespace

TEST_CASE("a seed of every type survives its text") {
  const auto type = GENERATE(NkeyType::account, NkeyType::cluster, NkeyType::server, NkeyType::operator_,
                             NkeyType::user, NkeyType::curve);
  const auto seed = NkeySeed::generate(type);
  const auto again = NkeySeed::parse(seed.text().reveal(), type);
  REQUIRE(again);
  CHECK(again->public_text() == seed.public_text());
  const auto key = decode_nkey(seed.public_text(), type);
  REQUIRE(key);
  CHECK(key->bytes == seed.public_bytes());
}

TEST_CASE("a public key of type private is read though there is no such seed") {
  const PublicNkey key{NkeyType::private_, {}};
  const std::string text = encode_nkey(key);
  CHECK(text[0] == 'P');
  CHECK(public_error(text).empty());
  const auto seed = NkeySeed::from_raw(NkeyType::private_, SecretBytes<32>());
  CHECK(seed_error(seed.text().reveal()) == "nkey_prefix");
}

TEST_CASE("public keys that are damaged are told apart") {
  CHECK(public_error("") == "nkey_invalid");
  CHECK(public_error("UA") == "nkey_invalid");
  CHECK(public_error(std::string(2000, 'A')) == "nkey_invalid");
  CHECK(public_error("ubf6xqlbzx2haagbifoj6dfbkisgbnjqm7q6zibgow4ky3azmfhcbsqu") == "nkey_invalid");
  CHECK(public_error(std::string(kUserPublic) + "=") == "nkey_invalid");
  CHECK(public_error("UBF6XQLBZXAHAAGBIFOJ6DFBKISGBNJQM7Q6ZIBGOW4KY3AZMFHCBSQU") == "nkey_checksum");
  CHECK(public_error(kUserPublic.substr(0, 55)) == "nkey_checksum");
  CHECK(public_error(kUserSeed) == "nkey_prefix");
}

TEST_CASE("seeds that are damaged are told apart") {
  CHECK(seed_error("") == "nkey_invalid");
  CHECK(seed_error(kUserPublic) == "nkey_not_a_seed");
  CHECK(seed_error("SUAOZCHSCAOKF6SJIE3VAHVTQGZ6DL4A5UB4QOHL2WBPONQDURRVW5IR4I") == "nkey_checksum");
  CHECK(seed_error(kUserSeed.substr(0, 57)) == "nkey_checksum");
  CHECK(seed_error(std::string(kUserSeed) + "\n") == "nkey_invalid");
}

TEST_CASE("a text with a right checksum but another length or type is refused") {
  CHECK(public_error("UAAQF35O") == "nkey_invalid");
  CHECK(seed_error("SUAACAVJNE") == "nkey_invalid");
  CHECK(public_error("BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAZBO") == "nkey_prefix");
}

TEST_CASE("a key has one text only") {
  const std::string zeros(56, 'A'); // its checksum is zero too
  CHECK(public_error(zeros).empty());
  CHECK(public_error(zeros + "A") == "nkey_invalid");
  CHECK(public_error(std::string(kUserPublic) + "Q") == "nkey_invalid");
  std::string seed(kUserSeed);
  REQUIRE(seed.back() == 'I'); // 8: the last two bits belong to no byte
  seed.back() = 'J';
  CHECK(seed_error(seed) == "nkey_invalid");
}

TEST_CASE("a key of another type than expected is refused") {
  CHECK(decode_nkey(kUserPublic, NkeyType::account).error().code == "nkey_type");
  CHECK(NkeySeed::parse(kUserSeed, NkeyType::account).error().code == "nkey_type");
}

TEST_CASE("a signature is valid for its message only") {
  const auto seed = NkeySeed::generate(NkeyType::user);
  const auto signature = seed.sign(as_bytes("message"));
  CHECK(verify_signature(seed.public_bytes(), as_bytes("message"), signature));
  CHECK_FALSE(verify_signature(seed.public_bytes(), as_bytes("massage"), signature));
  CHECK_FALSE(verify_signature(seed.public_bytes(), as_bytes("message"), ByteView(signature).first(63)));
  CHECK_FALSE(verify_signature(seed.public_bytes(), as_bytes("message"), {}));
}

TEST_CASE("a signature whose S is not below the group order is refused") {
  const auto seed = NkeySeed::generate(NkeyType::user);
  auto signature = seed.sign(as_bytes("message"));
  // S + L: the same point equation, another encoding.
  constexpr std::array<unsigned, 32> kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                               0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                               0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  unsigned carry = 0;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    const unsigned sum = signature[32 + i] + kOrder[i] + carry;
    signature[32 + i] = static_cast<std::uint8_t>(sum & 0xFF);
    carry = sum >> 8;
  }
  CHECK_FALSE(verify_signature(seed.public_bytes(), as_bytes("message"), signature));
}

TEST_CASE("a curve key refuses to sign") {
  CHECK_THROWS_AS(NkeySeed::generate(NkeyType::curve).sign(as_bytes("x")), std::logic_error);
}

TEST_CASE("a cloned seed is the same key") {
  const auto seed = NkeySeed::generate(NkeyType::account);
  CHECK(seed.clone().sign(as_bytes("x")) == seed.sign(as_bytes("x")));
}
