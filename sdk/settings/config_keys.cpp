#include "settings/config_keys.h"

#include "contracts/plain_text.h"
#include <algorithm>

namespace trellis {
namespace {

bool is_bare(std::string_view key) {
  return !key.empty() && std::ranges::all_of(key, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

std::string quoted(std::string_view key) {
  return "\"" + plain_text(key, ' ') + "\"";
}

std::string joined(const std::vector<std::string> &names) {
  std::string out;
  for (const auto &name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j)
    above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

} // namespace

void ConfigProblems::add(ConfigPlace place, std::string code, std::string message, std::string expected) {
  found_.emplace_back(place, Error{std::move(code), where(place), std::move(message), std::move(expected), {}});
}

std::optional<Error> ConfigProblems::first() const {
  const auto first = std::ranges::min_element(found_, {}, [](const auto &problem) { return problem.first; });
  if (first == found_.end()) return {};
  return first->second;
}

std::string dotted_key(std::string_view table, std::string_view key) {
  const std::string name = is_bare(key) ? std::string(key) : quoted(key);
  return table.empty() ? name : std::string(table) + "." + name;
}

void add_unknown_key(ConfigProblems &problems, std::string_view table, const ConfigEntry &entry,
                     const std::vector<std::string> &known) {
  std::string message = "unknown key " + dotted_key(table, entry.key);
  const auto close = closest_name(entry.key, known);
  if (!close.empty()) message += ", did you mean " + close + "?";
  problems.add(entry.place, "config_unknown_key", std::move(message), "one of " + joined(known));
}

void add_wrong_value(ConfigProblems &problems, const std::string &key, const ConfigNode &value,
                     const std::string &expected) {
  problems.add(value.place, "config_value", key + " is " + describe(value), expected);
}

void add_missing_key(ConfigProblems &problems, const ConfigNode &table, const std::string &key,
                     const std::string &expected) {
  problems.add(table.place, "config_missing", key + " is missing", expected);
}

std::string closest_name(std::string_view name, const std::vector<std::string> &candidates) {
  constexpr std::size_t kLongest = 64; // of names that are worth comparing
  if (name.size() > kLongest) return {};
  std::string_view best;
  std::size_t least = std::clamp<std::size_t>(name.size() / 3, 1, 3) + 1;
  for (const auto &candidate : candidates) {
    const auto distance = edit_distance(name, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return std::string(best);
}

} // namespace trellis
