#include "wire/proof.h"

#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <limits>

using namespace trellis;

TEST_CASE("a proof is fresh for thirty seconds on both sides of now") {
  constexpr std::int64_t kNow = 1767225600;
  CHECK(is_fresh(kNow, kNow));
  CHECK(is_fresh(kNow, kNow + 29));
  CHECK(is_fresh(kNow, kNow + 30));
  CHECK_FALSE(is_fresh(kNow, kNow + 31));
  CHECK(is_fresh(kNow, kNow - 29));
  CHECK(is_fresh(kNow, kNow - 30));
  CHECK_FALSE(is_fresh(kNow, kNow - 31));
}

TEST_CASE("a fraction of a second counts") {
  CHECK(is_fresh(1000, 1029.5));
  CHECK_FALSE(is_fresh(1000, 1030.001));
  CHECK_FALSE(is_fresh(1000, 969.999));
}

TEST_CASE("numbers that are no time are never fresh") {
  CHECK_FALSE(is_fresh(1000, std::nan("")));
  CHECK_FALSE(is_fresh(1000, std::numeric_limits<double>::infinity()));
  CHECK_FALSE(is_fresh(1000, -std::numeric_limits<double>::infinity()));
}

TEST_CASE("the digest is that of the input") {
  const Sha256 hash = sha256(as_bytes("payload"));
  const Bytes input = request_proof_input("key", "a.b", hash, -5, "");
  CHECK(request_proof_digest("key", "a.b", hash, -5, "") == sha256(input));
  CHECK(input.size() == 5 * 4 + 3 + 3 + 32 + 2);
}

TEST_CASE("a request proof covers each of its parts") {
  const auto key = SessionKey::generate();
  const Sha256 hash = sha256(as_bytes("payload"));
  const std::string proof = make_request_proof(key, "rpc.v1.A.B", hash, 1000, "r1");
  CHECK(verify_request_proof(key.text(), "rpc.v1.A.B", hash, 1000, "r1", proof));
  CHECK_FALSE(verify_request_proof(key.text(), "rpc.v1.A.C", hash, 1000, "r1", proof));
  CHECK_FALSE(verify_request_proof(key.text(), "rpc.v1.A.B", sha256({}), 1000, "r1", proof));
  CHECK_FALSE(verify_request_proof(key.text(), "rpc.v1.A.B", hash, 1001, "r1", proof));
  CHECK_FALSE(verify_request_proof(key.text(), "rpc.v1.A.B", hash, 1000, "r2", proof));
  CHECK_FALSE(verify_request_proof(SessionKey::generate().text(), "rpc.v1.A.B", hash, 1000, "r1", proof));
}

TEST_CASE("characters can't move from one part of a proof to the next") {
  const Sha256 hash = sha256({});
  CHECK(request_proof_digest("k", "ab", hash, 1, "c") != request_proof_digest("ka", "b", hash, 1, "c"));
  CHECK(request_proof_digest("k", "a", hash, 12, "3") != request_proof_digest("k", "a", hash, 1, "23"));
}
