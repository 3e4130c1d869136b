#include "wire/ulid.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <thread>
#include <vector>

using namespace trellis;

TEST_CASE("a ULID is 26 characters of upper-case Crockford base32") {
  const std::string ulid = new_ulid();
  CHECK(ulid.size() == 26);
  CHECK(ulid.find_first_not_of("0123456789ABCDEFGHJKMNPQRSTVWXYZ") == std::string::npos);
  CHECK(ulid[0] <= '7');
}

TEST_CASE("ULIDs increase within one thread") {
  std::vector<std::string> ulids(5000);
  std::generate(ulids.begin(), ulids.end(), new_ulid);
  CHECK(std::is_sorted(ulids.begin(), ulids.end()));
  CHECK(std::adjacent_find(ulids.begin(), ulids.end()) == ulids.end());
}

TEST_CASE("ULIDs increase in each of several threads and never repeat") {
  std::vector<std::vector<std::string>> of_thread(4, std::vector<std::string>(5000));
  {
    std::vector<std::jthread> threads;
    for (auto &ulids : of_thread)
      threads.emplace_back([&ulids] { std::generate(ulids.begin(), ulids.end(), new_ulid); });
  }
  std::set<std::string> all;
  for (const auto &ulids : of_thread) {
    CHECK(std::is_sorted(ulids.begin(), ulids.end()));
    all.insert(ulids.begin(), ulids.end());
  }
  CHECK(all.size() == std::size_t{4} * 5000);
}

TEST_CASE("a ULID begins with the time") {
  const std::int64_t before = unix_ms_now();
  const std::string ulid = new_secret_ulid();
  const std::int64_t after = unix_ms_now();
  std::int64_t ms = 0;
  for (const char c : ulid.substr(0, 10))
    ms = ms * 32 + static_cast<std::int64_t>(std::string_view("0123456789ABCDEFGHJKMNPQRSTVWXYZ").find(c));
  CHECK(before <= ms);
  CHECK(ms <= after);
}

TEST_CASE("a secret ULID can't be guessed from the one before") {
  const std::string first = new_secret_ulid();
  const std::string second = new_secret_ulid();
  CHECK(first.substr(10, 12) != second.substr(10, 12));
}
