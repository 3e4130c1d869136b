#include "contracts/schema_grammars.h"
#include "contracts/schema_text.h"

#include <optional>

namespace trellis::schema {
namespace {

// Reads a text from its start; each read either takes what it names or leaves everything.
class Reader {
public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::size_t skip_digits() {
    std::size_t count = 0;
    while (count < rest_.size() && is_ascii_digit(static_cast<unsigned char>(rest_[count])))
      ++count;
    rest_.remove_prefix(count);
    return count;
  }
  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (!is_ascii_digit(static_cast<unsigned char>(c))) return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

private:
  std::string_view rest_;
};

int days_in(int year, int month) {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool skip_date(Reader &reader) {
  const auto year = reader.digits(4);
  if (!year || !reader.skip('-')) return false;
  const auto month = reader.digits(2);
  if (!month || *month < 1 || *month > 12 || !reader.skip('-')) return false;
  const auto day = reader.digits(2);
  return day && *day >= 1 && *day <= days_in(*year, *month);
}

// Minutes of an hour and a minute with a colon between them.
std::optional<int> skip_clock(Reader &reader) {
  const auto hour = reader.digits(2);
  if (!hour || *hour > 23 || !reader.skip(':')) return std::nullopt;
  const auto minute = reader.digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  return *hour * 60 + *minute;
}

// Minutes east of UTC.
std::optional<int> skip_zone(Reader &reader) {
  if (reader.skip('Z') || reader.skip('z')) return 0;
  const bool east = reader.skip('+');
  if (!east && !reader.skip('-')) return std::nullopt;
  const auto offset = skip_clock(reader);
  if (!offset) return std::nullopt;
  return east ? *offset : -*offset;
}

bool skip_time(Reader &reader) {
  constexpr int kDay = 24 * 60;
  const auto clock = skip_clock(reader);
  if (!clock || !reader.skip(':')) return false;
  const auto second = reader.digits(2);
  if (!second || *second > 60) return false;
  if (reader.skip('.') && reader.skip_digits() == 0) return false;
  const auto zone = skip_zone(reader);
  if (!zone) return false;
  return *second < 60 || (*clock - *zone + 2 * kDay) % kDay == kDay - 1;
}

// Numbers with the units named, of which the first ones and the last ones may be absent, but none between: 1H3S isn't
// a duration. Returns how many there are, or nothing when a number has no unit of these.
std::optional<int> skip_amounts(Reader &reader, std::string_view units) {
  int count = 0;
  while (reader.skip_digits() > 0) {
    std::size_t unit = 0;
    while (unit < units.size() && !reader.skip(units[unit]))
      ++unit;
    if (unit == units.size() || (count > 0 && unit > 0)) return std::nullopt;
    units.remove_prefix(unit + 1);
    ++count;
  }
  return count;
}

} // namespace

bool is_date(std::string_view text) {
  Reader reader(text);
  return skip_date(reader) && reader.done();
}

bool is_time(std::string_view text) {
  Reader reader(text);
  return skip_time(reader) && reader.done();
}

bool is_date_time(std::string_view text) {
  Reader reader(text);
  if (!skip_date(reader) || (!reader.skip('T') && !reader.skip('t'))) return false;
  return skip_time(reader) && reader.done();
}

bool is_duration(std::string_view text) {
  Reader weeks(text);
  if (!weeks.skip('P')) return false;
  Reader days = weeks;
  if (weeks.skip_digits() > 0 && weeks.skip('W')) return weeks.done();
  const auto dates = skip_amounts(days, "YMD");
  if (!dates) return false;
  if (!days.skip('T')) return *dates > 0 && days.done();
  const auto times = skip_amounts(days, "HMS");
  return times && *times > 0 && days.done();
}

} // namespace trellis::schema
