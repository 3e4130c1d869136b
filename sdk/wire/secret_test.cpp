#include "wire/secret.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <new>
#include <sstream>

using namespace trellis;

namespace {

// Memory that outlives the object built in it, so that what the object leaves behind can be read.
template <class T>
struct Place {
  alignas(T) std::array<unsigned char, sizeof(T)> bytes{};

  template <class... Arguments>
  T *build(Arguments &&...arguments) {
    return new (bytes.data()) T(std::forward<Arguments>(arguments)...);
  }
  bool holds(std::string_view text) const {
    return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
  }
};

SecretBytes<8> letters() {
  return SecretBytes<8>({'p', 'a', 's', 's', 'w', 'o', 'r', 'd'});
}

} // namespace

// The end of the text is looked for: a moved-from std::string overwrites its first character by itself.

TEST_CASE("secret bytes are wiped when they end") {
  Place<SecretBytes<8>> place;
  auto *secret = place.build(letters());
  REQUIRE(place.holds("password"));
  std::destroy_at(secret);
  CHECK_FALSE(place.holds("word"));
}

TEST_CASE("secret bytes are wiped where they were moved from") {
  Place<SecretBytes<8>> place;
  auto *secret = place.build(letters());
  const SecretBytes<8> taken = std::move(*secret);
  CHECK(as_text(taken.reveal()) == "password");
  CHECK_FALSE(place.holds("word"));
  std::destroy_at(secret);
}

TEST_CASE("a small secret text leaves nothing in the object it was moved from") {
  Place<SecretText> place;
  auto *secret = place.build("password");
  REQUIRE(place.holds("password"));
  const SecretText taken = std::move(*secret);
  CHECK(taken.reveal() == "password");
  CHECK_FALSE(place.holds("word"));
  std::destroy_at(secret);
}

TEST_CASE("a small secret text leaves nothing behind when it is assigned") {
  Place<SecretText> from;
  Place<SecretText> to;
  auto *source = from.build("password");
  auto *target = to.build("old secret");
  *target = std::move(*source);
  CHECK(target->reveal() == "password");
  CHECK_FALSE(from.holds("word"));
  CHECK_FALSE(to.holds("secret"));
  std::destroy_at(target);
  CHECK_FALSE(to.holds("word"));
  std::destroy_at(source);
}

TEST_CASE("a secret text leaves nothing in the string that it takes over") {
  Place<std::string> place;
  auto *text = place.build("password");
  const SecretText secret(std::move(*text));
  CHECK(secret.reveal() == "password");
  CHECK_FALSE(place.holds("word"));
  std::destroy_at(text);
}

TEST_CASE("wiping a text reaches the bytes beyond its end") {
  std::string text(64, 'x');
  const char *memory = text.data();
  text.resize(3);
  wipe(text);
  CHECK(text.empty());
  CHECK(text.capacity() >= 64);
  text.resize(64);
  CHECK(memory == text.data());
  CHECK(text.find('x') == std::string::npos);
}

TEST_CASE("secrets print as redacted") {
  std::ostringstream out;
  out << letters() << SecretText("password");
  CHECK(out.str() == "[redacted][redacted]");
}

TEST_CASE("equal secrets compare equal") {
  CHECK(secret_equal(as_bytes("abc"), as_bytes("abc")));
  CHECK(secret_equal({}, {}));
}

TEST_CASE("secrets of another text or length compare unequal") {
  CHECK_FALSE(secret_equal(as_bytes("abc"), as_bytes("abd")));
  CHECK_FALSE(secret_equal(as_bytes("abc"), as_bytes("ab")));
}
