#include "wire/xkey.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

std::string open_error(const NkeySeed &recipient, std::string_view sender, ByteView sealed) {
  const auto plaintext = xkey_open(recipient, sender, sealed);
  return plaintext ? "" : plaintext.error().code;
}

} // namespace

TEST_CASE("what one key sealed the other opens, and so does the sender") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  const auto bob = NkeySeed::generate(NkeyType::curve);
  const auto sealed = xkey_seal(alice, bob.public_text(), as_bytes("hello"));
  REQUIRE(sealed);
  CHECK(sealed->size() == 5 + 44);
  CHECK(as_text(*xkey_open(bob, alice.public_text(), *sealed)) == "hello");
  CHECK(as_text(*xkey_open(alice, bob.public_text(), *sealed)) == "hello");
}

TEST_CASE("an empty payload can be sealed") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  const auto sealed = xkey_seal(alice, alice.public_text(), {});
  REQUIRE(sealed);
  CHECK(xkey_open(alice, alice.public_text(), *sealed)->empty());
}

TEST_CASE("every sealed payload has a nonce of its own") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  CHECK(*xkey_seal(alice, alice.public_text(), {}) != *xkey_seal(alice, alice.public_text(), {}));
}

TEST_CASE("a payload that was cut anywhere doesn't open") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  const auto sealed = *xkey_seal(alice, alice.public_text(), as_bytes("hello"));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    CAPTURE(size);
    const auto code = open_error(alice, alice.public_text(), ByteView(sealed).first(size));
    CHECK(code == (size <= 28 ? "xkey_invalid" : "xkey_failed"));
  }
}

TEST_CASE("a payload with one bit changed doesn't open") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  auto sealed = *xkey_seal(alice, alice.public_text(), as_bytes("hello"));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    CAPTURE(i);
    sealed[i] ^= 1;
    CHECK(open_error(alice, alice.public_text(), sealed) == (i < 4 ? "xkey_invalid" : "xkey_failed"));
    sealed[i] ^= 1;
  }
}

TEST_CASE("keys that can't seal are refused") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  const auto user = NkeySeed::generate(NkeyType::user);
  const Bytes sealed = *xkey_seal(alice, alice.public_text(), {});
  CHECK(xkey_seal(user, alice.public_text(), {}).error().code == "nkey_type");
  CHECK(xkey_seal(alice, user.public_text(), {}).error().code == "nkey_type");
  CHECK(xkey_seal(alice, "", {}).error().code == "nkey_invalid");
  CHECK(open_error(user, alice.public_text(), sealed) == "nkey_type");
  CHECK(open_error(alice, user.public_text(), sealed) == "xkey_invalid");
}

TEST_CASE("a public key that gives no shared secret is refused") {
  const auto alice = NkeySeed::generate(NkeyType::curve);
  const auto zero = encode_nkey({NkeyType::curve, {}});
  CHECK(xkey_seal(alice, zero, {}).error().code == "nkey_invalid");
  CHECK(open_error(alice, zero, *xkey_seal(alice, alice.public_text(), {})) == "xkey_failed");
}
