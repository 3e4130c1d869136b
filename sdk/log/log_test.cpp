#include "log/log.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {
constexpr auto kTime = "2026-01-02T03:04:05.678Z";
}

TEST_CASE("a JSON line holds time, level, message and the fields in order") {
  CHECK(
      format_log_line(Log::Format::json, kTime, LogLevel::warn, "plugin ready",
                      {{"plugin", "echo"}, {"queue", 256}, LogField::json("fields", R"({"a":[1]})")}) ==
      R"({"time":"2026-01-02T03:04:05.678Z","level":"warn","message":"plugin ready","plugin":"echo","queue":256,"fields":{"a":[1]}})");
}

TEST_CASE("a console line is for people") {
  CHECK(format_log_line(Log::Format::console, kTime, LogLevel::info, "plugin ready", {{"plugin", "echo"}}) ==
        "03:04:05.678 info  plugin ready  plugin=echo");
}

TEST_CASE("text from outside can't forge a line") {
  CHECK(format_log_line(Log::Format::console, kTime, LogLevel::info, "a\nb", {{"x", "\x1b[31m"}}) ==
        "03:04:05.678 info  a b  x= [31m");
  CHECK(format_log_line(Log::Format::console, kTime, LogLevel::info,
                        "a\xC2\x85"
                        "b",
                        {{"x", "\xC2\x9B"
                               "31m"}}) == "03:04:05.678 info  a b  x= 31m"); // controls beyond ASCII
  CHECK(format_log_line(Log::Format::json, kTime, LogLevel::info, "a\n\"b", {}).find('\n') == std::string::npos);
}

TEST_CASE("a line is UTF-8 and one line, whatever a plugin gave to it") {
  const auto json = format_log_line(Log::Format::json, kTime, LogLevel::info, "a\xFF",
                                    {{"x", "\xC3("}, LogField::json("fields", "{\n\"a\":\r\n1}")});
  CHECK(json == "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"message\":\"a\xEF\xBF\xBD\","
                "\"x\":\"\xEF\xBF\xBD(\",\"fields\":{ \"a\":  1}}");
  CHECK(format_log_line(Log::Format::console, kTime, LogLevel::info, "a\xFF", {}) ==
        "03:04:05.678 info  a\xEF\xBF\xBD");
}
