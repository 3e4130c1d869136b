// Tables of keys: each key of a TOML file described once, as data. Reading, range checks, "did you mean" and the rows
// of docs/config.md all follow from that description, so a default or a range can't differ between code and docs.
//
// A Key binds a name to a place in a plain struct; its default is whatever a fresh struct holds. Problems are collected
// and the first in file order is reported: a person mends a file from top to bottom. Rejected: one lookup per key in
// code, where nobody sees a missing check.
#pragma once

#include "settings/config_tree.h"
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

// What is wrong in one file, in any order of finding.
class ConfigProblems {
public:
  explicit ConfigProblems(std::string file) : file_(std::move(file)) {}

  // `code`: one of those of load_config.
  void add(ConfigPlace place, std::string code, std::string message, std::string expected);
  // The first in file order.
  std::optional<Error> first() const;
  std::string where(ConfigPlace place) const { return file_ + ":" + std::to_string(place.line); }

private:
  std::string file_;
  std::vector<std::pair<ConfigPlace, Error>> found_;
};

// The most similar of `candidates`, or "" when none is close: for "did you mean".
std::string closest_name(std::string_view name, const std::vector<std::string> &candidates);

template <class Target>
struct Key {
  std::string name;
  std::string type;     // what the value has to be, also the "expected" of errors
  std::string fallback; // TOML text of the default; "" when there is none
  std::string meaning;
  bool required = false;
  // Stores the value. Returns what isn't of `type`: the value, one of its items, or nullptr when all is well.
  std::function<const ConfigNode *(Target &, const ConfigNode &)> store;
};

// "table.key", with quotes around a key that isn't bare.
std::string dotted_key(std::string_view table, std::string_view key);

void add_unknown_key(ConfigProblems &problems, std::string_view table, const ConfigEntry &entry,
                     const std::vector<std::string> &known);
void add_wrong_value(ConfigProblems &problems, const std::string &key, const ConfigNode &value,
                     const std::string &expected);
void add_missing_key(ConfigProblems &problems, const ConfigNode &table, const std::string &key,
                     const std::string &expected);

// Reads the table called `name` into `target`. `others`: keys that the caller reads itself.
template <class Target>
void read_keys(const ConfigNode &table, std::string_view name, const std::vector<Key<Target>> &keys, Target &target,
               ConfigProblems &problems, const std::vector<std::string> &others = {}) {
  std::vector<std::string> known = others;
  for (const auto &key : keys) {
    known.push_back(key.name);
    const auto full_name = dotted_key(name, key.name);
    if (const auto *value = table.find(key.name)) {
      const auto *wrong = key.store(target, *value);
      if (wrong) add_wrong_value(problems, (wrong == value ? "" : "an item of ") + full_name, *wrong, key.type);
    } else if (key.required) {
      add_missing_key(problems, table, full_name, key.type);
    }
  }
  for (const auto &entry : table.entries)
    if (std::ranges::find(known, entry.key) == known.end()) add_unknown_key(problems, name, entry, known);
}

// ---------------------------------------------------------------------------------------------------- kinds of keys
// `access`: pointer to member, or a function from Target & to a reference.

template <class Target, class Access>
Key<Target> number_key(std::string name, Access access, std::int64_t least, std::int64_t most, std::string meaning) {
  Target fresh{};
  return {std::move(name),
          "an integer from " + std::to_string(least) + " to " + std::to_string(most),
          std::to_string(std::invoke(access, fresh)),
          std::move(meaning),
          false,
          [access, least, most](Target &target, const ConfigNode &node) -> const ConfigNode * {
            if (node.kind != ConfigNode::Kind::integer || node.integer < least || node.integer > most) return &node;
            auto &into = std::invoke(access, target);
            into = static_cast<std::remove_reference_t<decltype(into)>>(node.integer);
            return nullptr;
          }};
}

template <class Target, class Access>
Key<Target> duration_key(std::string name, Access access, std::int64_t least, std::int64_t most, std::string meaning) {
  Target fresh{};
  return {std::move(name),
          "milliseconds from " + std::to_string(least) + " to " + std::to_string(most),
          std::to_string(std::invoke(access, fresh).count()),
          std::move(meaning),
          false,
          [access, least, most](Target &target, const ConfigNode &node) -> const ConfigNode * {
            if (node.kind != ConfigNode::Kind::integer || node.integer < least || node.integer > most) return &node;
            std::invoke(access, target) = std::chrono::milliseconds(node.integer);
            return nullptr;
          }};
}

template <class Target, class Access>
Key<Target> seconds_key(std::string name, Access access, std::int64_t least, std::int64_t most, std::string meaning) {
  Target fresh{};
  return {std::move(name),
          "seconds from " + std::to_string(least) + " to " + std::to_string(most),
          std::to_string(std::invoke(access, fresh).count()),
          std::move(meaning),
          false,
          [access, least, most](Target &target, const ConfigNode &node) -> const ConfigNode * {
            if (node.kind != ConfigNode::Kind::integer || node.integer < least || node.integer > most) return &node;
            std::invoke(access, target) = std::chrono::seconds(node.integer);
            return nullptr;
          }};
}

template <class Target, class Access>
Key<Target> flag_key(std::string name, Access access, std::string meaning) {
  Target fresh{};
  return {std::move(name),
          "true or false",
          std::invoke(access, fresh) ? "true" : "false",
          std::move(meaning),
          false,
          [access](Target &target, const ConfigNode &node) -> const ConfigNode * {
            if (node.kind != ConfigNode::Kind::flag) return &node;
            std::invoke(access, target) = node.flag;
            return nullptr;
          }};
}

// A text that `fits`. `type` says in words what fits.
template <class Target, class Access>
Key<Target> text_key(std::string name, Access access, std::string type, bool (*fits)(std::string_view),
                     std::string meaning) {
  Target fresh{};
  const std::string fallback = std::invoke(access, fresh);
  return {std::move(name),
          std::move(type),
          fallback.empty() ? std::string() : "\"" + fallback + "\"",
          std::move(meaning),
          false,
          [access, fits](Target &target, const ConfigNode &node) -> const ConfigNode * {
            if (node.kind != ConfigNode::Kind::text || !fits(node.text)) return &node;
            std::invoke(access, target) = node.text;
            return nullptr;
          }};
}

// A path as it is written; the reader resolves it.
template <class Target, class Access>
Key<Target> path_key(std::string name, Access access, std::string meaning) {
  auto key = text_key<Target>(
      std::move(name), [access](Target & target) -> auto & { return std::invoke(access, target); }, "a path",
      [](std::string_view text) { return !text.empty() && text.find('\0') == std::string_view::npos; },
      std::move(meaning));
  key.required = true;
  return key;
}

template <class Value>
using Choices = std::vector<std::pair<std::string, Value>>;

template <class Target, class Access, class Value>
Key<Target> choice_key(std::string name, Access access, const Choices<Value> &choices, std::string meaning) {
  Target fresh{};
  std::string type, fallback;
  for (const auto &[text, value] : choices) {
    type += (type.empty() ? "" : &text == &choices.back().first ? " or " : ", ");
    type += "\"" + text + "\"";
    if (value == std::invoke(access, fresh)) fallback = "\"" + text + "\"";
  }
  return {std::move(name),
          std::move(type),
          std::move(fallback),
          std::move(meaning),
          false,
          [access, choices](Target &target, const ConfigNode &node) -> const ConfigNode * {
            for (const auto &[text, value] : choices) {
              if (node.kind != ConfigNode::Kind::text || node.text != text) continue;
              std::invoke(access, target) = value;
              return nullptr;
            }
            return &node;
          }};
}

// At least `least` texts, each of which `fits`; a text alone is a list of one.
template <class Target, class Access>
Key<Target> list_key(std::string name, Access access, std::size_t least, std::string type,
                     bool (*fits)(std::string_view), std::string meaning) {
  return {std::move(name),
          std::move(type),
          "[]",
          std::move(meaning),
          least > 0,
          [access, least, fits](Target &target, const ConfigNode &node) -> const ConfigNode * {
            const bool alone = node.kind == ConfigNode::Kind::text;
            if (!alone && (node.kind != ConfigNode::Kind::list || node.items.size() < least)) return &node;
            const std::span items = alone ? std::span(&node, 1) : std::span(node.items);
            std::vector<std::string> texts;
            for (const auto &item : items) {
              if (item.kind != ConfigNode::Kind::text || !fits(item.text)) return &item;
              texts.push_back(item.text);
            }
            std::invoke(access, target) = std::move(texts);
            return nullptr;
          }};
}

// ------------------------------------------------------------------------------------------------------------- docs

// A heading and a row for each key, for docs/config.md.
template <class Target>
std::string keys_markdown(const std::string &table, const std::vector<Key<Target>> &keys) {
  std::string out = "## `" + table + "`\n\n| key | value | default | meaning |\n|---|---|---|---|\n";
  for (const auto &key : keys) {
    const auto fallback = key.required ? "required" : key.fallback.empty() ? "" : "`" + key.fallback + "`";
    out += "| `" + key.name + "` | " + key.type + " | " + fallback + " | " + key.meaning + " |\n";
  }
  return out + "\n";
}

} // namespace trellis
