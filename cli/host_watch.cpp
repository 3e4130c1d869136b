#include "host_watch.h"

#include "contracts/json_write.h"
#include "host_durations.h"
#include "wire/ulid.h"
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <ostream>
#include <rapidjson/document.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace trellis::cli {
namespace {

std::optional<std::int64_t> number_at(const JsonValue &object, std::string_view name) {
  const JsonValue *value = find_member(object, name);
  return value && value->IsInt64() ? std::optional(value->GetInt64()) : std::nullopt;
}

std::string number_text(const JsonValue &object, std::string_view name) {
  const auto value = number_at(object, name);
  return value ? std::to_string(*value) : std::string();
}

const JsonValue &member_or_null(const JsonValue &object, std::string_view name) {
  static const JsonValue null;
  const JsonValue *value = find_member(object, name);
  return value ? *value : null;
}

const JsonValue *plugin_named(const JsonValue *answer, std::string_view name) {
  const JsonValue *plugins = answer ? find_member(*answer, "plugins") : nullptr;
  if (!plugins || !plugins->IsArray()) return nullptr;
  for (const JsonValue &plugin : plugins->GetArray())
    if (string_member(plugin, "name") == name) return &plugin;
  return nullptr;
}

// Answered requests a second. A new generation counts from zero: no rate until the next answer.
std::optional<double> rate_of(const JsonValue &plugin, const JsonValue *before, double seconds) {
  if (!before || seconds <= 0) return std::nullopt;
  const auto now = number_at(member_or_null(plugin, "calls"), "answered");
  const auto then = number_at(member_or_null(*before, "calls"), "answered");
  if (!now || !then || *now < *then) return std::nullopt;
  return static_cast<double>(*now - *then) / seconds;
}

// Of the requests that were answered between two answers of the host; nullopt when there is no telling.
std::optional<Durations> recent_durations(const JsonValue &plugin, const JsonValue *before) {
  const auto now = read_durations(plugin);
  const auto then = before ? read_durations(*before) : std::nullopt;
  return now && then ? durations_since(*now, *then) : std::nullopt;
}

std::string quantile_of(const std::optional<Durations> &durations, double share) {
  return durations ? quantile_text(*durations, share) : "";
}

std::string rate_text(std::optional<double> rate) {
  if (!rate) return "";
  char text[32];
  std::snprintf(text, sizeof text, *rate < 10 ? "%.1f" : "%.0f", *rate);
  return text;
}

// "12:00:05" today, else the day.
std::string short_time(std::string_view iso, std::int64_t now) {
  constexpr std::size_t kDay = 10, kTime = 11;
  if (iso.size() < 19) return std::string(iso);
  const std::string today = iso_time(now).substr(0, kDay);
  return std::string(iso.starts_with(today) ? iso.substr(kTime, 8) : iso.substr(0, kDay));
}

// Why it isn't running, else what went wrong last.
std::string remark(const JsonValue &plugin, std::int64_t now) {
  std::string detail(string_member(plugin, "detail")), crash(string_member(plugin, "lastCrash"));
  const JsonValue &problem = member_or_null(plugin, "lastError");
  if (string_member(plugin, "phase") != "running") return detail;
  if (!problem.IsObject()) return crash.empty() ? detail : crash;
  return short_time(string_member(problem, "time"), now) + " " + std::string(string_member(problem, "text"));
}

std::string flag_text(const JsonValue &answer, std::string_view name) {
  const JsonValue &flag = member_or_null(answer, name);
  return flag.IsBool() && flag.GetBool() ? "true" : "false";
}

std::string number_or_null(std::optional<double> value, const char *format) {
  char number[48] = "null";
  if (value) std::snprintf(number, sizeof number, format, *value);
  return number;
}

// What follows from two answers.
std::string with_rates(const JsonValue &plugin, const JsonValue *before, double seconds) {
  std::string text = to_json(plugin);
  text.pop_back();
  const auto durations = recent_durations(plugin, before);
  const auto ms = [&](double share) {
    const auto value = durations ? quantile(*durations, share) : std::nullopt;
    return number_or_null(value ? std::optional(*value * 1000) : std::nullopt, "%.2f");
  };
  if (text.size() > 1) text += ',';
  return text + "\"requestsPerSecond\":" + number_or_null(rate_of(plugin, before, seconds), "%.1f") +
         ",\"p50Ms\":" + ms(0.5) + ",\"p99Ms\":" + ms(0.99) + "}";
}

std::string json_of(const JsonValue &answer, const JsonValue *before, double seconds) {
  std::string plugins = "[";
  const JsonValue &list = member_or_null(answer, "plugins");
  if (list.IsArray())
    for (const JsonValue &plugin : list.GetArray())
      if (plugin.IsObject())
        plugins += (plugins.size() > 1 ? "," : "") +
                   with_rates(plugin, plugin_named(before, string_member(plugin, "name")), seconds);
  return JsonObjectText()
      .flag("reachable", true)
      .text("host", string_member(answer, "host"))
      .flag("settled", flag_text(answer, "settled") == "true")
      .json("plugins", plugins + "]")
      .str();
}

// The cursor to the corner, each line's old rest away, then what is below.
std::string redrawn(const std::string &text) {
  std::string out = "\x1b[H";
  for (const char c : text)
    out += c == '\n' ? std::string("\x1b[K\n") : std::string(1, c);
  return out + "\x1b[J";
}

} // namespace

HostWatch::~HostWatch() = default;

Table watch_table(const JsonValue &answer, const JsonValue *before, double seconds, std::int64_t now) {
  Table table{{"plugin", "phase", "copies", "req/s", "p50", "p99", "waiting", "running", "overloaded", "connection",
               "since", "credentials until", "isolation", "restarts", "remark"},
              {}};
  const JsonValue &plugins = member_or_null(answer, "plugins");
  if (!plugins.IsArray()) return table;
  for (const JsonValue &plugin : plugins.GetArray()) {
    const std::string name(string_member(plugin, "name"));
    const JsonValue &calls = member_or_null(plugin, "calls");
    const JsonValue &connection = member_or_null(plugin, "connection");
    const JsonValue *then = plugin_named(before, name);
    const auto durations = recent_durations(plugin, then);
    table.rows.push_back(
        {name, std::string(string_member(plugin, "phase")),
         number_text(plugin, "generations") + "/" + number_text(plugin, "maxGenerations"),
         rate_text(rate_of(plugin, then, seconds)), quantile_of(durations, 0.5), quantile_of(durations, 0.99),
         number_text(calls, "waiting"), number_text(calls, "running"), number_text(calls, "overloaded"),
         std::string(string_member(connection, "state")), short_time(string_member(connection, "since"), now),
         short_time(string_member(connection, "credentialsExpire"), now),
         std::string(string_member(plugin, "isolation")), number_text(plugin, "restarts"), remark(plugin, now)});
  }
  return table;
}

std::string HostWatch::seen(const JsonValue &answer, std::optional<double> since_last, std::int64_t now) const {
  const JsonValue *before = since_last ? last_.get() : nullptr;
  if (form_ == Form::json) return json_of(answer, before, since_last.value_or(0));
  return "host=" + printable(string_member(answer, "host")) + "  settled=" + flag_text(answer, "settled") + "\n" +
         box_table(watch_table(answer, before, since_last.value_or(0), now));
}

std::string HostWatch::unseen(const Error &problem) const {
  if (form_ == Form::json) return JsonObjectText().flag("reachable", false).text("reason", problem.text()).str();
  return "no host answers; waiting for it (" + printable(problem.text()) + ")\n";
}

std::string HostWatch::next(const Result<JsonDocument> &answer, double seconds, std::int64_t now) {
  std::string fresh;
  if (answer) {
    fresh = seen(*answer, last_ ? std::optional(seconds - last_seconds_) : std::nullopt, now);
    last_ = std::make_unique<JsonDocument>();
    last_->CopyFrom(*answer, last_->GetAllocator());
    last_seconds_ = seconds;
  } else {
    fresh = unseen(answer.error());
    last_.reset(); // what comes back has counted anew
  }
  const bool changed = std::exchange(shown_, fresh) != fresh;
  const std::string time = iso_time(now);
  if (form_ == Form::screen)
    return redrawn(time + "  every " + std::to_string(interval_.count()) + " s, Ctrl-C ends\n" + fresh);
  if (!changed) return {};
  return form_ == Form::json ? R"({"time":")" + time + R"(",)" + fresh.substr(1) + "\n" : time + "\n" + fresh;
}

int watch_host(const std::function<Result<JsonDocument>()> &ask, std::chrono::seconds interval, Output &out) {
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  const auto form = out.format() == Output::Format::json ? HostWatch::Form::json
                    : terminal                           ? HostWatch::Form::screen
                                                         : HostWatch::Form::text;
  // Waited for instead of handled: a signal then ends the loop between two answers, never in the middle of a line.
  sigset_t ends, before;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, &before);

  HostWatch watch(form, interval);
  if (form == HostWatch::Form::screen) out.out() << "\x1b[2J\x1b[?25l";
  const timespec pause{interval.count(), 0};
  do {
    const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
    out.out() << watch.next(ask(), now.count(), unix_ms_now()) << std::flush;
  } while (out.out() && ::sigtimedwait(&ends, nullptr, &pause) < 0);
  if (form == HostWatch::Form::screen) out.out() << "\x1b[?25h" << std::flush;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return 0;
}

} // namespace trellis::cli
