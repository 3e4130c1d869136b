// Reads one JSON object of a manifest by the words of the field tables of 01 §3: text, names, schema ref, integer ...
//
// The first thing that is not as its table says is kept in a Structure and everything after it reads as empty, so that
// parsing a table is a list of fields and not a list of checks. Nothing is converted, defaulted or trimmed, and null is
// never taken for absence (01 §2.1). Rejected: a Result per field, which buries the tables in error forwarding.
#pragma once

#include "contracts/manifest.h"
#include <initializer_list>
#include <optional>
#include <rapidjson/document.h>
#include <string>
#include <string_view>

namespace trellis {

// Where a value is. Lives on the stack of the walk that is there; becomes a JSON pointer only for an error.
struct Place {
  const Place *parent = nullptr;
  std::string_view name = {};

  Place at(std::string_view member) const { return {this, member}; }
  std::string pointer() const;
};

// The first structural problem of a manifest.
class Structure {
public:
  bool ok() const { return !error_; }
  const Error &error() const { return *error_; }
  void report(const Place &place, std::string message, std::string expected);

private:
  std::optional<Error> error_;
};

class ObjectReader {
public:
  // Reports when `value` is no object.
  ObjectReader(const JsonValue &value, const Place &place, Structure &structure);

  std::string text(std::string_view name) const;                             // string+
  std::optional<std::string> optional_text(std::string_view name) const;     // string+
  std::optional<std::string> optional_any_text(std::string_view name) const; // may be empty
  std::string pointer(std::string_view name) const;                          // string starting with "/"
  std::optional<std::string> optional_pointer(std::string_view name) const;
  std::string version() const; // ^v[0-9]+$
  std::string one_of(std::string_view name, std::initializer_list<std::string_view> words) const;
  std::optional<std::string> optional_one_of(std::string_view name,
                                             std::initializer_list<std::string_view> words) const;
  std::string schema_ref(std::string_view name) const; // the name in {"schema": name}
  std::optional<std::string> optional_schema_ref(std::string_view name) const;
  std::optional<bool> flag(std::string_view name) const;
  std::optional<double> integer(std::string_view name, double minimum) const;
  std::optional<std::vector<double>> integers(std::string_view name, double minimum) const;
  std::optional<NameList> names(std::string_view name) const;    // array of string+
  std::optional<NameList> pointers(std::string_view name) const; // array of strings starting with "/"
  std::optional<Docs> docs() const;

  // The object `name`, read by `read(const ObjectReader &)`.
  template <class Read>
  auto object(std::string_view name, const Read &read) const
      -> std::optional<decltype(read(std::declval<const ObjectReader &>()))> {
    const auto *value = optional(name);
    if (!value) return std::nullopt;
    const Place place = place_.at(name);
    return read(ObjectReader(*value, place, structure_));
  }

  // The map `name`; each value read by `read(const JsonValue &, const Place &)`.
  template <class Read>
  auto map(std::string_view name, const Read &read) const
      -> std::optional<Named<decltype(read(std::declval<const JsonValue &>(), std::declval<const Place &>()))>> {
    const auto *value = optional(name);
    if (!value) return std::nullopt;
    const Place place = place_.at(name);
    Named<decltype(read(*value, place))> entries;
    if (!is_object(*value, place)) return entries;
    for (const auto &[key, entry] : value->GetObject()) {
      if (!structure_.ok()) break;
      const std::string_view entry_name = text_of(key);
      entries.emplace_back(entry_name, read(entry, place.at(entry_name)));
    }
    return entries;
  }

  // The map `name` of objects; each read by `read(const ObjectReader &)`.
  template <class Read>
  auto objects(std::string_view name, const Read &read) const {
    return map(
        name, [&](const JsonValue &entry, const Place &place) { return read(ObjectReader(entry, place, structure_)); });
  }

  // The array `name` of objects; each read by `read(const ObjectReader &)`.
  template <class Read>
  auto list(std::string_view name, const Read &read) const
      -> std::optional<std::vector<decltype(read(std::declval<const ObjectReader &>()))>> {
    const auto *value = optional(name);
    if (!value) return std::nullopt;
    std::vector<decltype(read(std::declval<const ObjectReader &>()))> items;
    each_item(*value, place_.at(name), [&](const JsonValue &item, const Place &place) {
      items.push_back(read(ObjectReader(item, place, structure_)));
    });
    return items;
  }

  // Reports the first member that is none of `names`.
  void only_members(std::initializer_list<std::string_view> names) const;

  // The single values of which maps and fields are made.
  std::string schema_ref_of(const JsonValue &value, const Place &place) const;
  NameList names_of(const JsonValue &value, const Place &place) const;

  const JsonValue *optional(std::string_view name) const; // nullptr when absent
  Place place_of(std::string_view name) const { return place_.at(name); }
  void report(const Place &place, std::string message, std::string expected) const;
  // "is missing" or "is a number", for report.
  static std::string what_is(const JsonValue *value);

private:
  bool is_object(const JsonValue &value, const Place &place) const;
  bool is_integer(const JsonValue &value, const Place &place, double minimum) const;
  template <class Visit>
  void each_item(const JsonValue &array, const Place &place, const Visit &visit) const {
    if (!array.IsArray()) return report(place, what_is(&array), "an array");
    for (rapidjson::SizeType i = 0; i < array.Size() && structure_.ok(); ++i) {
      const std::string index = std::to_string(i);
      visit(array[i], place.at(index));
    }
  }

  const JsonValue *object_; // nullptr when it is none
  const Place &place_;
  Structure &structure_;
};

} // namespace trellis
