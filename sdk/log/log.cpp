#include "log/log.h"

#include "contracts/json_write.h"
#include "contracts/plain_text.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace trellis {
namespace {

constexpr std::string_view level_name(LogLevel level) {
  switch (level) {
  case LogLevel::trace: return "trace";
  case LogLevel::debug: return "debug";
  case LogLevel::info: return "info";
  case LogLevel::warn: return "warn";
  case LogLevel::error: return "error";
  }
  return "info";
}

std::string now_text() {
  using namespace std::chrono;
  const auto ms = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[40];
  const auto size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(ms % 1000));
  return text;
}

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

// Texts of plugins and servers needn't be UTF-8; a line has to be, or nobody can read it.
void string(Writer &out, std::string_view given) {
  const std::string replaced = is_utf8(given) ? std::string{} : utf8_text(given);
  const std::string_view text = replaced.empty() ? given : std::string_view(replaced);
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

// A JSON text may have line ends between its tokens; a log line has one, at its end.
void raw(Writer &out, std::string_view json) {
  std::string line(json);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  out.RawValue(line.data(), line.size(), rapidjson::kObjectType);
}

void value(Writer &out, const LogField &field) {
  if (field.is_number)
    out.Int64(field.number);
  else if (field.is_json && !field.text.empty())
    raw(out, field.text);
  else
    string(out, field.text);
}

// A field that says nothing isn't written.
bool is_blank(const LogField &field) {
  return !field.is_number && field.text.empty();
}

std::string json_line(std::string_view time, LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.StartObject();
  string(out, "time");
  string(out, time);
  string(out, "level");
  string(out, level_name(level));
  string(out, "message");
  string(out, message);
  for (const auto &field : fields) {
    if (is_blank(field)) continue;
    string(out, field.name);
    value(out, field);
  }
  out.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

std::string console_line(std::string_view time, LogLevel level, std::string_view message,
                         std::initializer_list<LogField> fields) {
  std::string line(time.substr(11, 12));
  line += ' ';
  line += level_name(level);
  line.append(6 - level_name(level).size(), ' ');
  line += plain_text(message, ' '); // a text from outside must not forge lines on a terminal
  for (const auto &field : fields) {
    if (is_blank(field)) continue;
    line += "  ";
    line += field.name;
    line += '=';
    if (field.is_number)
      line += std::to_string(field.number);
    else
      line += plain_text(field.text, ' ');
  }
  return line;
}

} // namespace

struct Log::Sink {
  explicit Sink(Format chosen) : format(chosen), logger("host", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {}

  Format format;
  spdlog::logger logger;
};

Log::Log(Format format, LogLevel least) : sink_(std::make_unique<Sink>(format)) {
  sink_->logger.set_pattern("%v");
  sink_->logger.set_level(static_cast<spdlog::level::level_enum>(least));
  sink_->logger.flush_on(spdlog::level::trace);
}

Log::~Log() = default;

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) const {
  const auto spdlog_level = static_cast<spdlog::level::level_enum>(level);
  if (!sink_->logger.should_log(spdlog_level)) return;
  sink_->logger.log(spdlog_level, "{}", format_log_line(sink_->format, now_text(), level, message, fields));
}

std::string format_log_line(Log::Format format, std::string_view time, LogLevel level, std::string_view message,
                            std::initializer_list<LogField> fields) {
  return format == Log::Format::json ? json_line(time, level, message, fields)
                                     : console_line(time, level, message, fields);
}

} // namespace trellis
