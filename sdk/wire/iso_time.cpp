// The written form of time (00-index "Common formats"). Declared in wire/ulid.h and wire/instant.h.
#include "wire/instant.h"
#include "wire/ulid.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <optional>

namespace trellis {
namespace {

using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::sys_days;

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits can say.
constexpr std::int64_t kFirstMs = -62'167'219'200'000;
constexpr std::int64_t kLastMs = 253'402'300'799'999;

void put(std::string &out, std::int64_t value, int width) {
  const std::string digits = std::to_string(value);
  out.append(static_cast<std::size_t>(std::max(0, width - static_cast<int>(digits.size()))), '0').append(digits);
}

// Reads a text from its front; any mismatch makes every later step fail too.
class Reader {
public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }

  bool accept(char lower, char upper) {
    if (rest_.empty() || (rest_.front() != lower && rest_.front() != upper)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool accept(char c) { return accept(c, c); }

  // Exactly `width` digits of a value from `low` to `high`.
  std::optional<int> number(std::size_t width, int low, int high) {
    if (rest_.size() < width) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, width)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(width);
    return value >= low && value <= high ? std::optional(value) : std::nullopt;
  }

  // "." and one to nine digits as nanoseconds; 0 when there is no point.
  std::optional<int> fraction() {
    if (!accept('.')) return 0;
    const auto size = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (size < 1 || size > 9) return std::nullopt;
    std::string digits(rest_.substr(0, size));
    digits.resize(9, '0');
    rest_.remove_prefix(size);
    return std::stoi(digits);
  }

private:
  std::string_view rest_;
};

std::optional<std::int64_t> read_date(Reader &reader) {
  const auto year = reader.number(4, 0, 9999);
  if (!year || !reader.accept('-')) return std::nullopt;
  const auto month = reader.number(2, 1, 12);
  if (!month || !reader.accept('-')) return std::nullopt;
  const auto day = reader.number(2, 1, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return sys_days(date).time_since_epoch().count() * kSecondsPerDay;
}

struct TimeOfDay {
  std::int64_t seconds = 0;
  int nanoseconds = 0;
  bool leap_second = false;
};

std::optional<TimeOfDay> read_time(Reader &reader) {
  const auto hour = reader.number(2, 0, 23);
  if (!hour || !reader.accept(':')) return std::nullopt;
  const auto minute = reader.number(2, 0, 59);
  if (!minute || !reader.accept(':')) return std::nullopt;
  const auto second = reader.number(2, 0, 60);
  if (!second) return std::nullopt;
  const auto nanoseconds = reader.fraction();
  if (!nanoseconds) return std::nullopt;
  return TimeOfDay{(*hour * 60 + *minute) * 60 + *second, *nanoseconds, *second == 60};
}

std::optional<std::int64_t> read_offset_minutes(Reader &reader) {
  if (reader.accept('z', 'Z')) return 0;
  const bool west = reader.accept('-');
  if (!west && !reader.accept('+')) return std::nullopt;
  const auto hours = reader.number(2, 0, 23);
  if (!hours || !reader.accept(':')) return std::nullopt;
  const auto minutes = reader.number(2, 0, 59);
  if (!minutes) return std::nullopt;
  return (west ? -1 : 1) * (*hours * 60 + *minutes);
}

// RFC 3339 knows leap seconds only as the last second of a UTC day; they count as the instant that follows.
bool is_end_of_day(std::int64_t unix_seconds) {
  return unix_seconds % kSecondsPerDay == 0;
}

struct Instant {
  std::int64_t unix_seconds = 0;
  int nanoseconds = 0; // behind them
};

std::optional<Instant> read_instant(std::string_view text) {
  Reader reader(text);
  const auto date = read_date(reader);
  if (!date || !reader.accept('t', 'T')) return std::nullopt;
  const auto time = read_time(reader);
  if (!time) return std::nullopt;
  const auto offset = read_offset_minutes(reader);
  if (!offset || !reader.at_end()) return std::nullopt;
  const std::int64_t seconds = *date + time->seconds - *offset * std::int64_t{60};
  if (time->leap_second && !is_end_of_day(seconds)) return std::nullopt;
  return Instant{seconds, time->nanoseconds};
}

} // namespace

std::string iso_time(std::int64_t unix_ms) {
  const auto instant = std::chrono::sys_time<milliseconds>(milliseconds(std::clamp(unix_ms, kFirstMs, kLastMs)));
  const auto day = std::chrono::floor<days>(instant);
  const std::chrono::year_month_day date{day};
  const std::int64_t in_day = (instant - day).count();
  std::string out;
  out.reserve(24);
  put(out, static_cast<int>(date.year()), 4);
  out += '-';
  put(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  put(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  put(out, in_day / 3'600'000, 2);
  out += ':';
  put(out, in_day / 60'000 % 60, 2);
  out += ':';
  put(out, in_day / 1000 % 60, 2);
  out += '.';
  put(out, in_day % 1000, 3);
  out += 'Z';
  return out;
}

bool parse_iso_time(std::string_view text, std::int64_t &unix_ms) {
  const auto instant = read_instant(text);
  if (!instant) return false;
  unix_ms = instant->unix_seconds * 1000 + instant->nanoseconds / 1'000'000;
  return true;
}

std::int64_t unix_nanoseconds(std::string_view text) {
  const auto instant = read_instant(text);
  if (!instant) return 0;
  constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max() / kNsPerSecond; // seconds that fit
  if (instant->unix_seconds >= kLast) return std::numeric_limits<std::int64_t>::max();
  if (instant->unix_seconds < -kLast) return std::numeric_limits<std::int64_t>::min();
  return instant->unix_seconds * kNsPerSecond + instant->nanoseconds;
}

bool is_written_time(std::string_view text) {
  std::int64_t ms = 0;
  return parse_iso_time(text, ms) && iso_time(ms) == text;
}

} // namespace trellis
