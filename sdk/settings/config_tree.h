// TOML text as a tree of plain values that remember their place in the file.
//
// It stands between toml++ and the readers of our files for two reasons: toml++ costs seconds in every translation unit
// that includes it, so one does; and its tables are sorted by name, while errors are reported in the order of the file.
#pragma once

#include "contracts/result.h"
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

inline constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxConfigKeyParts = 64; // of one dotted key

// Where something stands in its file; both count from 1, columns in code points.
struct ConfigPlace {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  auto operator<=>(const ConfigPlace &) const = default;
};

struct ConfigEntry;

struct ConfigNode {
  enum class Kind { text, integer, real, flag, date, list, table };

  Kind kind = Kind::table;
  ConfigPlace place;
  std::string text; // of a text; of a date in ISO form
  std::int64_t integer = 0;
  double real = 0;
  bool flag = false;
  std::vector<ConfigNode> items;    // of a list
  std::vector<ConfigEntry> entries; // of a table, in file order

  // The value of `key` in a table, or nullptr.
  const ConfigNode *find(std::string_view key) const;
};

struct ConfigEntry {
  std::string key;
  ConfigPlace place; // of the key
  ConfigNode value;
};

// `file` is only for messages. Errors: "config_syntax" with where = "file:line", "config_too_large".
Result<ConfigNode> parse_config_tree(std::string_view text, const std::string &file);

// The value in words, for "found": the number 3, the text "abc", a list.
std::string describe(const ConfigNode &node);

} // namespace trellis
