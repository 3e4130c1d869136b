// JSON text to values, member by member.
//
//   void Stock::read_json(trellis::json::Reader &in) {
//     in.member("sku", sku);
//     in.member("label", label); // std::optional: may be absent
//   }
//
// Unknown members are passed over. The first thing that doesn't fit is kept with its JSON pointer and everything after
// it is left as it was. Numbers are doubles, as the protocol has it: 3.0 is an integer, and integers beyond 2^53 are
// rounded. Of repeated members the last one counts.
#pragma once

#include "trellis/json.h"
#include "trellis/json_text.h"
#include "trellis/json_writer.h"
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <rapidjson/document.h>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace trellis::json {

class Reader {
public:
  using Value = rapidjson::Value;

  bool ok() const { return !problem_; }
  bool is_null() const { return value_.IsNull(); }
  bool is_boolean() const { return value_.IsBool(); }
  bool is_number() const { return value_.IsNumber(); }
  bool is_string() const { return value_.IsString(); }
  bool is_array() const { return value_.IsArray(); }
  bool is_object() const { return value_.IsObject(); }
  // Whether this is an object whose member `name` is that constant.
  bool has(std::string_view name, std::string_view text) const {
    const auto *found = find(name);
    return found && found->IsString() && view(*found) == text;
  }
  bool has(std::string_view name, const char *text) const { return has(name, std::string_view(text)); }
  template <class T>
  requires std::is_arithmetic_v<T>
  bool has(std::string_view name, T constant) const {
    const auto *found = find(name);
    if constexpr (std::same_as<T, bool>)
      return found && found->IsBool() && found->GetBool() == constant;
    else
      return found && found->IsNumber() && std::equal_to<double>()(found->GetDouble(), static_cast<double>(constant));
  }

  void value(std::nullptr_t &) {
    if (!value_.IsNull()) fail("not null");
  }
  void value(bool &out) {
    if (!value_.IsBool()) return fail("not a boolean");
    out = value_.GetBool();
  }
  void value(std::string &out) {
    if (!value_.IsString()) return fail("not a string");
    out = view(value_);
  }
  template <std::floating_point T>
  void value(T &out) {
    if (!value_.IsNumber()) return fail("not a number");
    out = static_cast<T>(value_.GetDouble());
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void value(T &out) {
    if (!value_.IsNumber()) return fail("not an integer");
    const double number = value_.GetDouble();
    if (std::trunc(number) < number || std::trunc(number) > number) return fail("not an integer");
    // The upper end as a power of two, which is exact; max() itself may round up to it.
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    if (number >= end || number < (std::is_signed_v<T> ? -end : 0)) return fail("not an integer that fits");
    out = static_cast<T>(number);
  }
  void value(RawJson &out) {
    Writer text;
    copy(text, value_);
    if (auto written = text.finish())
      out.text = std::move(*written);
    else
      fail(written.problem().message);
  }
  template <class T>
  void value(Nullable<T> &out) {
    if (value_.IsNull()) return out.reset();
    value(out.emplace());
  }
  template <class T>
  void value(std::vector<T> &out) {
    if (!value_.IsArray()) return fail("not an array");
    out.clear();
    out.reserve(value_.Size());
    for (rapidjson::SizeType i = 0; i < value_.Size() && ok(); ++i) {
      const std::string index = std::to_string(i);
      T item{};
      read_at(value_[i], index, item);
      out.push_back(std::move(item));
    }
  }
  template <class T>
  void value(std::map<std::string, T> &out) {
    rest({}, out);
  }
  // A struct, or an enum class with from_text.
  template <class T>
  requires std::is_class_v<T> || std::is_enum_v<T>
  void value(T &out) {
    if constexpr (std::is_enum_v<T>) {
      if (!value_.IsString()) return fail("not a string");
      if (!from_text(view(value_), out)) fail("not one of the texts that are allowed here");
    } else if constexpr (requires { out.read_json(*this); }) {
      out.read_json(*this);
    } else {
      read_json(*this, out);
    }
  }

  // What every struct begins with.
  void object() {
    if (!value_.IsObject()) fail("not an object");
  }
  template <class T>
  void member(std::string_view name, T &out) {
    if (!ok()) return;
    if (const auto *found = find(name)) return read_at(*found, name, out);
    const Place place{place_, name};
    problem_ = Problem{place.pointer(), "the member is missing"};
  }
  template <class T>
  void member(std::string_view name, std::optional<T> &out) {
    if (!ok()) return;
    out.reset();
    if (const auto *found = find(name)) read_at(*found, name, out.emplace());
  }
  template <class T>
  void member(std::string_view name, Nullable<T> &out) {
    member<Nullable<T>>(name, out);
  }
  // A member that can only be this.
  template <class Constant>
  void constant(std::string_view name, const Constant &expected) {
    if (!ok() || has(name, expected)) return;
    const Place place{place_, name};
    problem_ =
        Problem{place.pointer(), find(name) ? "not the one value that is allowed here" : "the member is missing"};
  }
  // All members but the `declared` ones.
  template <class T>
  void rest(std::span<const std::string_view> declared, std::map<std::string, T> &out) {
    if (!ok()) return;
    if (!value_.IsObject()) return fail("not an object");
    out.clear();
    for (const auto &entry : value_.GetObject()) {
      const auto name = view(entry.name);
      if (std::find(declared.begin(), declared.end(), name) != declared.end()) continue;
      T item{};
      read_at(entry.value, name, item);
      if (!ok()) return;
      out.insert_or_assign(std::string(name), std::move(item));
    }
  }

  void fail(std::string message) {
    if (!problem_) problem_ = Problem{place_->pointer(), std::move(message)};
  }

private:
  template <class T>
  friend Result<T> decode(std::string_view json);

  Reader(const Value &value, const Place &place, std::optional<Problem> &problem)
      : value_(value), place_(&place), problem_(problem) {}

  static std::string_view view(const Value &text) { return {text.GetString(), text.GetStringLength()}; }

  const Value *find(std::string_view name) const {
    if (!value_.IsObject()) return nullptr;
    for (auto entry = value_.MemberEnd(); entry != value_.MemberBegin();)
      if (view((--entry)->name) == name) return &entry->value;
    return nullptr;
  }

  template <class T>
  void read_at(const Value &value, std::string_view name, T &out) {
    const Place place{place_, name};
    Reader(value, place, problem_).value(out);
  }

  static void copy(Writer &out, const Value &value) {
    if (value.IsObject()) {
      out.begin_object();
      for (const auto &entry : value.GetObject())
        out.member(view(entry.name), Copied{entry.value});
      out.end_object();
    } else if (value.IsArray()) {
      std::vector<Copied> items;
      items.reserve(value.Size());
      for (const auto &item : value.GetArray())
        items.push_back(Copied{item});
      out.value(items);
    } else if (value.IsString()) {
      out.value(view(value));
    } else if (value.IsInt64()) {
      out.value(value.GetInt64());
    } else if (value.IsNumber()) {
      out.value(value.GetDouble());
    } else if (value.IsBool()) {
      out.value(value.GetBool());
    } else {
      out.value(nullptr);
    }
  }
  struct Copied {
    const Value &value;
    void write_json(Writer &out) const { copy(out, value); }
  };

  const Value &value_;
  const Place *place_;
  std::optional<Problem> &problem_;
};

// What is wrong with `json`, or nullptr.
inline const char *parse(std::string_view json, rapidjson::Document &document) {
  return read_text(json, [&](std::string_view text) {
    return !document.Parse<kParseFlags>(text.data(), text.size()).HasParseError();
  });
}

template <class T>
Result<T> decode(std::string_view json) {
  rapidjson::Document document;
  if (const char *wrong = parse(json, document)) return Problem{{}, wrong};
  std::optional<Problem> problem;
  const Place root{};
  T value{};
  Reader(document, root, problem).value(value);
  if (problem) return std::move(*problem);
  return value;
}

} // namespace trellis::json
