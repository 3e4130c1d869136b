// The host's log: one structured line per state change, as JSON lines for machines or as text for people.
//
// Fields are name and value pairs, so that nothing has to be parsed out of a sentence again. Secrets have no way in:
// the types that hold one convert to none of the field types. spdlog writes the lines; its headers stay in log.cpp.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace trellis {

enum class LogLevel { trace, debug, info, warn, error };

struct LogField {
  LogField(std::string_view field, std::string_view value) : name(field), text(value) {}
  LogField(std::string_view field, const char *value) : name(field), text(value) {}
  LogField(std::string_view field, const std::string &value) : name(field), text(value) {}
  template <std::integral T>
  LogField(std::string_view field, T value) : name(field), number(static_cast<std::int64_t>(value)), is_number(true) {}

  // A JSON value that stands as it is: a plugin's own fields.
  static LogField json(std::string_view field, std::string_view value) {
    LogField out(field, value);
    out.is_json = true;
    return out;
  }

  std::string_view name;
  std::string_view text;
  std::int64_t number = 0;
  bool is_number = false;
  bool is_json = false;
};

class Log {
public:
  enum class Format { json, console };

  // Lines go to stderr.
  Log(Format format, LogLevel least);
  ~Log();

  // [thread-safe]
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void info(std::string_view message, std::initializer_list<LogField> fields = {}) const {
    write(LogLevel::info, message, fields);
  }
  void warn(std::string_view message, std::initializer_list<LogField> fields = {}) const {
    write(LogLevel::warn, message, fields);
  }
  void error(std::string_view message, std::initializer_list<LogField> fields = {}) const {
    write(LogLevel::error, message, fields);
  }

private:
  struct Sink;
  std::unique_ptr<Sink> sink_;
};

// The line without its end: pure, for tests. `time` as 00-index "time, written".
std::string format_log_line(Log::Format format, std::string_view time, LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields);

} // namespace trellis
