// Values to JSON text, member by member.
//
//   void Stock::write_json(trellis::json::Writer &out) const {
//     out.begin_object();
//     out.member("sku", sku);
//     out.member("label", label); // an optional without value is left out
//     out.end_object();
//   }
//
// The first thing that can't be written is kept with its place, and what follows is written for nothing: so a
// write_json is a list of members and not a list of checks. What can go wrong: a text that isn't UTF-8, a number that
// isn't finite, a RawJson that isn't JSON, an enumerator that doesn't exist.
#pragma once

#include "trellis/json.h"
#include "trellis/json_text.h"
#include <cmath>
#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace trellis::json {

class Writer {
public:
  void value(std::nullptr_t) { out_ += "null"; }
  void value(bool flag) { out_ += flag ? "true" : "false"; }
  void value(double number) {
    if (!std::isfinite(number)) return fail("the number is not finite");
    out_ += number_text(number);
  }
  void value(std::string_view text) {
    if (!append_string(out_, text)) fail("the text is not UTF-8");
  }
  void value(const std::string &text) { value(std::string_view(text)); }
  void value(const RawJson &raw) {
    if (!is_json(raw.text)) return fail("the RawJson is not JSON");
    out_ += raw.text;
  }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void value(T integer) { out_ += std::to_string(integer); }
  void value(float number) { value(static_cast<double>(number)); }

  template <class T>
  void value(const Nullable<T> &nullable) {
    if (nullable)
      value(*nullable);
    else
      value(nullptr);
  }
  template <class T>
  void value(const std::vector<T> &items) {
    out_ += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out_ += ',';
      const std::string index = problem_ ? std::string() : std::to_string(i);
      const Step step(*this, index);
      const T &item = items[i]; // std::vector<bool> has no elements to refer to
      value(item);
    }
    out_ += ']';
  }
  template <class T>
  void value(const std::map<std::string, T> &entries) {
    begin_object();
    for (const auto &[name, entry] : entries)
      member(name, entry);
    end_object();
  }
  // A struct, or an enum class with to_text, which has no data for what is no enumerator.
  template <class T>
  requires std::is_class_v<T> || std::is_enum_v<T>
  void value(const T &other) {
    if constexpr (std::is_enum_v<T>) {
      const std::string_view text = to_text(other);
      if (!text.data()) return fail("the enumerator doesn't exist");
      value(text);
    } else if constexpr (requires { other.write_json(*this); }) {
      other.write_json(*this);
    } else {
      write_json(*this, other);
    }
  }

  void begin_object() { out_ += '{'; }
  void end_object() { out_ += '}'; }
  template <class T>
  void member(std::string_view name, const T &member_value) {
    const Step step(*this, name);
    if (out_.back() != '{') out_ += ',';
    value(name);
    out_ += ':';
    value(member_value);
  }
  template <class T>
  void member(std::string_view name, const std::optional<T> &optional) {
    if (optional) member(name, *optional);
  }
  template <class T>
  void member(std::string_view name, const Nullable<T> &nullable) {
    member<Nullable<T>>(name, nullable);
  }
  // The members that no schema names. None of them may be one of `declared`.
  template <class T>
  void rest(std::span<const std::string_view> declared, const std::map<std::string, T> &entries) {
    for (const auto &[name, entry] : entries) {
      for (const auto taken : declared)
        if (name == taken) {
          const Step step(*this, name);
          fail("the member exists already");
        }
      member(name, entry);
    }
  }

  void fail(std::string message) {
    if (!problem_) problem_ = Problem{place_->pointer(), std::move(message)};
  }

  Result<std::string> finish() {
    if (problem_) return std::move(*problem_);
    return std::move(out_);
  }

private:
  // The writer is at `name` as long as this lives.
  class Step {
  public:
    Step(Writer &writer, std::string_view name) : writer_(writer), place_{writer.place_, name} {
      writer_.place_ = &place_;
    }
    ~Step() { writer_.place_ = place_.parent; }
    Step(const Step &) = delete;
    Step &operator=(const Step &) = delete;

  private:
    Writer &writer_;
    const Place place_;
  };

  std::string out_;
  const Place root_{};
  const Place *place_ = &root_;
  std::optional<Problem> problem_;
};

template <class T>
Result<std::string> encode(const T &value) {
  Writer out;
  out.value(value);
  return out.finish();
}

} // namespace trellis::json
