// Reads one JSON record from outside by the words of its table in the chapter: text, time, integer, optional ...
//
// The first member that is not as its table says is kept with its JSON pointer, and everything after it reads as empty,
// so that a codec is a list of members and not a list of checks. Rejected: the manifest's ObjectReader
// (contracts/manifest_reader.h), whose words are those of 01 §3 (names, schema refs, no unknown members), and a Result
// per member, which buries the table in error forwarding. Internal to sdk/wire.
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <rapidjson/document.h>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace trellis {

enum class Nulls {
  are_values, // null is a value of the wrong kind
  are_absent, // a null optional member counts as absent, as Rust's decoders have it
};

using TextMap = std::map<std::string, std::string>;

// Borrows the document. The readers of one document share the first error.
class RecordReader {
public:
  explicit RecordReader(const JsonValue &root, Nulls nulls = Nulls::are_values);

  bool has(std::string_view name) const { return optional(name) != nullptr; }
  bool is_text(std::string_view name) const;          // there, and a string
  std::string text(std::string_view name) const;      // may be empty
  std::string non_empty(std::string_view name) const; // at least one character
  std::string time(std::string_view name) const;      // RFC 3339, kept as written
  std::int64_t integer(std::string_view name, std::int64_t minimum = 0) const;
  double number(std::string_view name) const; // finite
  bool flag(std::string_view name) const;
  std::string json(std::string_view name) const;        // any value, as compact text
  std::string json_object(std::string_view name) const; // an object, as compact text
  std::vector<std::string> texts(std::string_view name) const;
  std::vector<std::int64_t> integers(std::string_view name) const; // each at least 0
  TextMap text_map(std::string_view name) const;
  void literal(std::string_view name, std::string_view value) const; // exactly this text

  std::optional<std::string> optional_text(std::string_view name) const;
  std::optional<std::string> optional_non_empty(std::string_view name) const;
  std::optional<std::string> optional_time(std::string_view name) const;
  std::optional<std::int64_t> optional_integer(std::string_view name, std::int64_t minimum = 0) const;
  std::optional<bool> optional_flag(std::string_view name) const;
  std::optional<std::string> optional_json(std::string_view name) const; // null is a value here whatever Nulls says
  std::optional<std::string> optional_json_object(std::string_view name) const;
  std::optional<TextMap> optional_text_map(std::string_view name) const;

  // The value that `of(text)` knows.
  template <class Of>
  auto word(std::string_view name, const Of &of, std::string_view expected) const {
    const auto *value = required(name, "a string");
    const auto known = value ? of(text_of(*value)) : decltype(of(std::string_view()))();
    if (!known) report(name, expected);
    return known.value_or(typename std::decay_t<decltype(*known)>());
  }
  template <class Of>
  auto optional_word(std::string_view name, const Of &of, std::string_view expected) const
      -> decltype(of(std::string_view())) {
    if (!has(name)) return std::nullopt;
    return word(name, of, expected);
  }

  RecordReader object(std::string_view name) const;
  // The array `name` of objects, each read by `read(const RecordReader &)`.
  template <class Read>
  auto list(std::string_view name, const Read &read) const {
    std::vector<decltype(read(std::declval<const RecordReader &>()))> items;
    for (const auto &item : items_of(name)) {
      if (!ok()) break;
      items.push_back(read(item));
    }
    return items;
  }
  // The object `name` of objects, in the order of the document.
  template <class Read>
  auto members(std::string_view name, const Read &read) const {
    std::map<std::string, decltype(read(std::declval<const RecordReader &>()))> items;
    for (const auto &[key, item] : members_of(name)) {
      if (!ok()) break;
      items.emplace(key, read(item));
    }
    return items;
  }

  void report(std::string_view name, std::string_view expected) const;
  bool ok() const { return !*error_; }
  template <class T>
  Result<T> finish(T value) const {
    if (!ok()) return tl::unexpected<Error>(**error_);
    return Result<T>(std::move(value));
  }

private:
  using SharedError = std::shared_ptr<std::optional<Error>>;
  RecordReader(const JsonValue *value, std::string pointer, Nulls nulls, SharedError error);

  const JsonValue *optional(std::string_view name) const;
  const JsonValue *required(std::string_view name, std::string_view expected) const;
  std::vector<RecordReader> items_of(std::string_view name) const;
  std::vector<std::pair<std::string, RecordReader>> members_of(std::string_view name) const;
  void report_at(std::string pointer, std::string_view expected) const;

  const JsonValue *value_; // nullptr when it is no object
  std::string pointer_;
  Nulls nulls_;
  SharedError error_;
};

// Parses `text` and reads it by `read(const RecordReader &)`. Errors: those of parse_json, and "invalid_record" with
// the JSON pointer of the member and what was expected there.
template <class Read>
auto read_record(std::string_view text, const Read &read, Nulls nulls = Nulls::are_values)
    -> Result<decltype(read(std::declval<const RecordReader &>()))> {
  const auto document = parse_json(text);
  if (!document) return tl::unexpected<Error>(document.error());
  const RecordReader reader(*document, nulls);
  return reader.finish(read(reader));
}

} // namespace trellis
