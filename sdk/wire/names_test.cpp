#include "wire/names.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

using trellis::wire::trace_id_of;

namespace {

constexpr std::string_view kTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string with(std::size_t at, std::string_view text) {
  return std::string(kTraceparent).replace(at, text.size(), text);
}

} // namespace

TEST_CASE("the trace id is the second part of a valid traceparent") {
  CHECK(trace_id_of(kTraceparent) == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(trace_id_of(with(0, "cc")) == "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_CASE("an invalid traceparent has no trace id") {
  CHECK(trace_id_of("").empty());
  CHECK(trace_id_of(with(0, "ff")).empty());
  CHECK(trace_id_of(with(3, "4BF9")).empty());
  CHECK(trace_id_of(with(3, "g")).empty());
  CHECK(trace_id_of(with(53, "zz")).empty());
  CHECK(trace_id_of(with(3, std::string(32, '0'))).empty());
  CHECK(trace_id_of(with(36, std::string(16, '0'))).empty());
  CHECK(trace_id_of(with(2, "_")).empty());
  CHECK(trace_id_of(kTraceparent.substr(0, 54)).empty());
  CHECK(trace_id_of(std::string(kTraceparent) + "-00").empty());
}
