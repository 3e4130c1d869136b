#include "passwords.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <future>

namespace trellis::auth {
namespace {

const Bytes kSalt(16, 7);

TEST_CASE("a hashed password is verified, and a different one isn't") {
  const auto credential = hash_password("correct horse battery", kSalt, "idn_x", 1000);
  CHECK(verify_password(credential, "correct horse battery"));
  CHECK_FALSE(verify_password(credential, "correct horse battery "));
  CHECK_FALSE(verify_password(credential, ""));
}

TEST_CASE("a record with several lanes and a long salt is verified") {
  // Made with four threads, 19456 KiB and two passes; here one thread computes the lanes.
  Credential credential;
  credential.parallelism = 4;
  credential.salt = base64url(Bytes(32, 'a'));
  credential.hash = base64url(*hex_decode("815a130c827208c0e01ca1a3a903f6260d76f39d0f368bf3b29c53a4446e6a14"));
  CHECK(verify_password(credential, "password"));
  credential.parallelism = 3;
  CHECK_FALSE(verify_password(credential, "password"));
}

TEST_CASE("parameters out of range are a wrong password, not an expensive one") {
  const auto good = hash_password("p", kSalt, "idn_x", 0);
  const auto refused = [&](auto change) {
    auto credential = good;
    change(credential);
    return !verify_password(credential, "p");
  };
  CHECK(refused([](Credential &c) { c.memory_kib = 19455; }));
  CHECK(refused([](Credential &c) { c.memory_kib = 1 << 30; }));
  CHECK(refused([](Credential &c) { c.iterations = 1; }));
  CHECK(refused([](Credential &c) { c.iterations = 11; }));
  CHECK(refused([](Credential &c) { c.parallelism = 0; }));
  CHECK(refused([](Credential &c) { c.parallelism = 5; }));
  CHECK(refused([](Credential &c) { c.version = 2; }));
  CHECK(refused([](Credential &c) { c.salt = base64url(Bytes(15, 7)); }));
  CHECK(refused([](Credential &c) { c.salt = std::string(129, 'A'); }));
  CHECK(refused([](Credential &c) { c.salt = "!"; }));
  CHECK(refused([](Credential &c) { c.hash = base64url(Bytes(31, 1)); }));
}

TEST_CASE("a password's length counts UTF-16 code units") {
  CHECK(password_length("abc") == 3);
  CHECK(password_length("\xC3\xA4") == 1);         // U+00E4
  CHECK(password_length("\xE2\x82\xAC") == 1);     // U+20AC
  CHECK(password_length("\xF0\x9F\x98\x80") == 2); // U+1F600
}

TEST_CASE("the fifth failure locks for a quarter of an hour, and one more after that locks again") {
  Credential credential;
  for (int i = 1; i <= 4; ++i)
    credential = after_failed_login(credential, 1000);
  CHECK_FALSE(is_locked(credential, 1000));
  credential = after_failed_login(credential, 1000);
  CHECK(is_locked(credential, 1000 + 900000 - 1));
  CHECK_FALSE(is_locked(credential, 1000 + 900000));
  credential = after_failed_login(credential, 1000 + 900000);
  CHECK(credential.failed_logins == 6);
  CHECK(is_locked(credential, 1000 + 900000));
}

TEST_CASE("a full pool refuses work, and runs all that it accepted") {
  std::atomic<int> ran = 0;
  {
    std::promise<void> started, release; // outlive the pool
    PasswordPool pool(1, 1);
    REQUIRE(pool.run([&] {
      started.set_value();
      release.get_future().wait();
      ++ran;
    }));
    started.get_future().wait();
    CHECK(pool.run([&] { ++ran; }));
    CHECK_FALSE(pool.run([&] { ++ran; }));
    release.set_value();
  }
  CHECK(ran == 2);
}

} // namespace
} // namespace trellis::auth
