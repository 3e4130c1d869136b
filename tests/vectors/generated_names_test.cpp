#include "generated_names.h"

#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <stdexcept>

using namespace trellis;
using namespace trellis::vectors;

namespace {

constexpr char kOne[] = "01aaaaaaaaaaaaaaaaaaaaaaaa", kTwo[] = "01bbbbbbbbbbbbbbbbbbbbbbbb"; // 26, as ULIDs are
constexpr char kFirst[] = "0001xxxxxxxxxxxxxxxxxxxxxx", kSecond[] = "0002xxxxxxxxxxxxxxxxxxxxxx";

std::string named(const std::string &result, const std::string &expected) {
  const auto ours = parse_json(result), theirs = parse_json(expected);
  REQUIRE(ours);
  REQUIRE(theirs);
  return to_json(with_expected_names(*ours, *theirs));
}

std::string bucket(const std::string &token) {
  return "\"tr_kv_" + token + "\"";
}

} // namespace

TEST_CASE("a generated name gets the expected one's token, wherever it stands") {
  const std::string expected = "{\"a\":" + bucket(kFirst) + ",\"KV_tr_kv_" + kFirst + "\":1}";
  CHECK(named("{\"a\":" + bucket(kOne) + ",\"KV_tr_kv_" + kOne + "\":1}", expected) == expected);
}

TEST_CASE("the order in which names were made doesn't matter") {
  const std::string expected = "[" + bucket(kFirst) + "," + bucket(kSecond) + "]";
  CHECK(named("[" + bucket(kTwo) + "," + bucket(kOne) + "]", expected) == expected);
}

TEST_CASE("a token that was cut stands for the same one, and stays cut") {
  const std::string cut_of_one(kOne, 24), cut_of_first(kFirst, 24);
  const std::string expected = "[\"tr_jobs_" + cut_of_first + "\"]";
  CHECK(named("[\"tr_jobs_" + cut_of_one + "\"]", expected) == expected);
  CHECK(named("[\"tr_jobs_" + std::string(kOne) + "\"]", expected) == "[\"tr_jobs_" + std::string(kOne) + "\"]");
}

TEST_CASE("another prefix or other text around a name is left to differ") {
  CHECK(named("[\"tr_obj_" + std::string(kOne) + "\"]", "[" + bucket(kFirst) + "]") ==
        "[\"tr_obj_" + std::string(kOne) + "\"]");
  CHECK(named("[\"x.tr_kv_" + std::string(kOne) + "\"]", "[" + bucket(kFirst) + "]") ==
        "[\"x.tr_kv_" + std::string(kOne) + "\"]");
}

TEST_CASE("one token can't become two, nor two become one") {
  CHECK_THROWS_AS(
      named("[" + bucket(kOne) + "," + bucket(kOne) + "]", "[" + bucket(kFirst) + "," + bucket(kSecond) + "]"),
      std::runtime_error);
  CHECK_THROWS_AS(
      named("[" + bucket(kOne) + "," + bucket(kTwo) + "]", "[" + bucket(kFirst) + "," + bucket(kFirst) + "]"),
      std::runtime_error);
}
