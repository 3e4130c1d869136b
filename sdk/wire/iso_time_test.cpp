#include "wire/instant.h"
#include "wire/ulid.h"

#include <catch2/catch_test_macros.hpp>
#include <limits>

using namespace trellis;

namespace {

constexpr std::int64_t kBad = std::numeric_limits<std::int64_t>::min();

std::int64_t parsed(std::string_view text) {
  std::int64_t ms = 0;
  return parse_iso_time(text, ms) ? ms : kBad;
}

} // namespace

TEST_CASE("time is written with three fraction digits in UTC") {
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso_time(1767225600123) == "2026-01-01T00:00:00.123Z");
  CHECK(iso_time(951782399999) == "2000-02-28T23:59:59.999Z");
  CHECK(iso_time(951782400000) == "2000-02-29T00:00:00.000Z");
  CHECK(iso_time(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("time beyond four digits of year is written as the nearest that fits") {
  CHECK(iso_time(std::numeric_limits<std::int64_t>::max()) == "9999-12-31T23:59:59.999Z");
  CHECK(iso_time(std::numeric_limits<std::int64_t>::min()) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("written time reads back") {
  CHECK(parsed(iso_time(1767225600123)) == 1767225600123);
  CHECK(parsed(iso_time(-12345678901)) == -12345678901);
}

TEST_CASE("any RFC 3339 time is read as its instant") {
  CHECK(parsed("2026-01-01T00:00:00Z") == 1767225600000);
  CHECK(parsed("2026-01-01t00:00:00z") == 1767225600000);
  CHECK(parsed("2026-01-01T01:30:00+01:30") == 1767225600000);
  CHECK(parsed("2025-12-31T19:00:00-05:00") == 1767225600000);
  CHECK(parsed("2026-01-01T00:00:00-00:00") == 1767225600000);
}

TEST_CASE("a fraction is cut to milliseconds") {
  CHECK(parsed("2026-01-01T00:00:00.1Z") == 1767225600100);
  CHECK(parsed("2026-01-01T00:00:00.12Z") == 1767225600120);
  CHECK(parsed("2026-01-01T00:00:00.123999999Z") == 1767225600123);
  CHECK(parsed("2026-01-01T00:00:00.1234567890Z") == kBad);
  CHECK(parsed("2026-01-01T00:00:00.Z") == kBad);
}

TEST_CASE("days that the calendar lacks are refused") {
  CHECK(parsed("2024-02-29T00:00:00Z") != kBad);
  CHECK(parsed("2026-02-29T00:00:00Z") == kBad);
  CHECK(parsed("2100-02-29T00:00:00Z") == kBad);
  CHECK(parsed("2026-04-31T00:00:00Z") == kBad);
  CHECK(parsed("2026-00-01T00:00:00Z") == kBad);
  CHECK(parsed("2026-13-01T00:00:00Z") == kBad);
  CHECK(parsed("2026-01-00T00:00:00Z") == kBad);
}

TEST_CASE("times that the clock lacks are refused") {
  CHECK(parsed("2026-01-01T24:00:00Z") == kBad);
  CHECK(parsed("2026-01-01T00:60:00Z") == kBad);
  CHECK(parsed("2026-01-01T00:00:61Z") == kBad);
  CHECK(parsed("2026-01-01T00:00:00+24:00") == kBad);
  CHECK(parsed("2026-01-01T00:00:00+00:60") == kBad);
}

TEST_CASE("a leap second is the end of a UTC day") {
  CHECK(parsed("2016-12-31T23:59:60Z") == parsed("2017-01-01T00:00:00Z"));
  CHECK(parsed("2016-12-31T18:59:60.5-05:00") == parsed("2017-01-01T00:00:00.5Z"));
  CHECK(parsed("2016-12-31T22:59:60Z") == kBad);
}

TEST_CASE("texts of other shapes are no times") {
  CHECK(parsed("") == kBad);
  CHECK(parsed("2026-01-01") == kBad);
  CHECK(parsed("2026-01-01T00:00:00") == kBad);
  CHECK(parsed("2026-01-01 00:00:00Z") == kBad);
  CHECK(parsed("2026-01-01T00:00:00Z ") == kBad);
  CHECK(parsed("2026-01-01T00:00:00+0100") == kBad);
  CHECK(parsed("2026-1-1T00:00:00Z") == kBad);
  CHECK(parsed("+2026-01-01T00:00:00Z") == kBad);
  CHECK(parsed("20260101T000000Z") == kBad);
}

TEST_CASE("instants of job records keep nanoseconds") {
  CHECK(unix_nanoseconds("2026-01-01T00:00:00.123456789Z") == 1767225600123456789);
  CHECK(unix_nanoseconds("2026-01-01T01:00:00.5+01:00") == 1767225600500000000);
  CHECK(unix_nanoseconds("1969-12-31T23:59:59.9Z") == -100000000);
}

TEST_CASE("an instant that doesn't fit is clamped and one that can't be read is the epoch") {
  CHECK(unix_nanoseconds("9999-12-31T23:59:59Z") == std::numeric_limits<std::int64_t>::max());
  CHECK(unix_nanoseconds("0000-01-01T00:00:00Z") == std::numeric_limits<std::int64_t>::min());
  CHECK(unix_nanoseconds("yesterday") == 0);
}

TEST_CASE("only the written form of time counts as written") {
  CHECK(is_written_time("2026-03-01T10:00:00.000Z"));
  CHECK_FALSE(is_written_time("2026-03-01T10:00:00Z"));
  CHECK_FALSE(is_written_time("2026-03-01T10:00:00.000+00:00"));
  CHECK_FALSE(is_written_time("2026-03-01t10:00:00.000Z"));
  CHECK_FALSE(is_written_time("2026-02-30T10:00:00.000Z"));
}
