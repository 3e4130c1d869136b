#include "wire/credentials.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

constexpr std::string_view kSeed = "SUANWUFDKUASTFQGJW4IQLXMO2D4HG5SDMMVLHHXWUBCC736NEHVCPJ5EY";
constexpr std::string_view kJwtBlock =
    "-----BEGIN NATS USER JWT-----\nhead.claims.sig\n------END NATS USER JWT------\n";
constexpr std::string_view kSeedBlock =
    "-----BEGIN USER NKEY SEED-----\nSUANWUFDKUASTFQGJW4IQLXMO2D4HG5SDMMVLHHXWUBCC736NEHVCPJ5EY\n"
    "------END USER NKEY SEED------\n";

std::string joined(std::string_view a, std::string_view b) {
  return std::string(a).append(b);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::string error_of(std::string_view text) {
  const auto credentials = parse_credentials(text);
  return credentials ? "" : credentials.error().code;
}

void check_read(std::string_view text) {
  const auto credentials = parse_credentials(text);
  REQUIRE(credentials);
  CHECK(credentials->jwt == "head.claims.sig");
  CHECK(credentials->seed.text().reveal() == kSeed);
}

} // namespace

TEST_CASE("credentials are read whatever stands around their blocks") {
  check_read(joined(kJwtBlock, kSeedBlock));
  check_read(joined("***** IMPORTANT *****\n", joined(kSeedBlock, kJwtBlock)));
  check_read(replaced(joined(kJwtBlock, kSeedBlock), "\n", "\r\n"));
  check_read(replaced(joined(kJwtBlock, kSeedBlock), "\n", "\n\n  "));
}

TEST_CASE("the last line needs no line end") {
  const std::string text = joined(kJwtBlock, kSeedBlock);
  check_read(text.substr(0, text.size() - 1));
}

TEST_CASE("written credentials read back") {
  const auto credentials = parse_credentials(joined(kJwtBlock, kSeedBlock));
  check_read(format_credentials(*credentials).reveal());
}

TEST_CASE("credentials that were cut anywhere are refused") {
  const std::string text = joined(kJwtBlock, kSeedBlock);
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(parse_credentials(text.substr(0, size)));
  }
}

TEST_CASE("credentials without a block say which one") {
  const auto without_seed = parse_credentials(kJwtBlock);
  REQUIRE_FALSE(without_seed);
  CHECK(without_seed.error().code == "credentials_invalid");
  CHECK(without_seed.error().where == "-----BEGIN USER NKEY SEED-----");
  CHECK(parse_credentials(kSeedBlock).error().where == "-----BEGIN NATS USER JWT-----");
}

TEST_CASE("a block that holds nothing or several words is refused") {
  CHECK(error_of(joined("-----BEGIN NATS USER JWT-----\n------END NATS USER JWT------\n", kSeedBlock)) ==
        "credentials_invalid");
  CHECK(error_of(replaced(joined(kJwtBlock, kSeedBlock), "head.claims.sig", "head.claims.sig other")) ==
        "credentials_invalid");
}

TEST_CASE("marks inside other lines are no marks") {
  CHECK(error_of(replaced(joined(kJwtBlock, kSeedBlock), "-----BEGIN NATS", "# -----BEGIN NATS")) ==
        "credentials_invalid");
}

TEST_CASE("a file of unreasonable size is refused") {
  CHECK(error_of(joined(joined(kJwtBlock, kSeedBlock), std::string(64 << 10, '-'))) == "credentials_invalid");
}

TEST_CASE("an error never carries the seed") {
  const auto broken = parse_credentials(replaced(joined(kJwtBlock, kSeedBlock), "SUANWUFD", "SUANWUFE"));
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == "nkey_checksum");
  CHECK(broken.error().text().find("KUASTFQG") == std::string::npos);
}

TEST_CASE("a seed that is no user's is refused") {
  const auto account = NkeySeed::generate(NkeyType::account).text();
  CHECK(error_of(replaced(joined(kJwtBlock, kSeedBlock), kSeed, account.reveal())) == "nkey_type");
}
