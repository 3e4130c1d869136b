// Structs to JSON and back, for plugin authors.
//
// A struct names its members once, in a constexpr tuple, and both directions follow from it:
//
//   struct Item {
//     std::string sku;
//     std::optional<int> quantity;
//     static constexpr auto fields = std::tuple(trellis::field("sku", &Item::sku),
//                                               trellis::field("quantity", &Item::quantity));
//   };
//
// Values have been checked against the contract's schema before a handler sees them, so reading is forgiving: unknown
// members are ignored and an absent optional stays empty. A mismatch between struct and schema throws
// std::invalid_argument that names the member. Rejected: a macro that lists the members; it hides them from tools.
#pragma once

#include <cmath>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace trellis {

// JSON that is passed through as text, unread.
struct RawJson {
  std::string text = "null";
};

// For an rpc whose schema holds nothing that the handler needs.
struct Nothing {
  static constexpr auto fields = std::tuple<>();
};

template <class Struct, class Member>
struct Field {
  std::string_view name;
  Member Struct::*member;
};

template <class Struct, class Member>
constexpr Field<Struct, Member> field(std::string_view name, Member Struct::*member) {
  return {name, member};
}

namespace codec {

using Value = rapidjson::Value;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

inline std::invalid_argument mismatch(std::string_view expected) {
  return std::invalid_argument("JSON value is not " + std::string(expected));
}

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

inline void text(Writer &out, std::string_view value) {
  out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

template <class T>
struct Codec; // one specialisation a family of types, below

template <class T>
T read(const Value &value) {
  return Codec<T>::read(value);
}
template <class T>
void write(Writer &out, const T &value) {
  Codec<T>::write(out, value);
}

template <>
struct Codec<std::string> {
  static std::string read(const Value &value) {
    if (!value.IsString()) throw mismatch("a string");
    return {value.GetString(), value.GetStringLength()};
  }
  static void write(Writer &out, const std::string &value) { text(out, value); }
};

template <>
struct Codec<bool> {
  static bool read(const Value &value) {
    if (!value.IsBool()) throw mismatch("a boolean");
    return value.GetBool();
  }
  static void write(Writer &out, bool value) { out.Bool(value); }
};

template <std::integral T>
struct Codec<T> {
  // 3.0 is an integer in JSON Schema, so a double without fraction is accepted when it fits.
  static T read(const Value &value) {
    if (value.IsInt64() && std::in_range<T>(value.GetInt64())) return static_cast<T>(value.GetInt64());
    if (value.IsUint64() && std::in_range<T>(value.GetUint64())) return static_cast<T>(value.GetUint64());
    if (value.IsDouble() && std::abs(value.GetDouble()) < 9007199254740992.0 &&
        std::trunc(value.GetDouble()) == value.GetDouble() &&
        std::in_range<T>(static_cast<std::int64_t>(value.GetDouble())))
      return static_cast<T>(value.GetDouble());
    throw mismatch("an integer that fits");
  }
  static void write(Writer &out, T value) {
    if constexpr (std::signed_integral<T>)
      out.Int64(value);
    else
      out.Uint64(value);
  }
};

template <std::floating_point T>
struct Codec<T> {
  static T read(const Value &value) {
    if (!value.IsNumber()) throw mismatch("a number");
    return static_cast<T>(value.GetDouble());
  }
  static void write(Writer &out, T value) { out.Double(static_cast<double>(value)); }
};

template <>
struct Codec<RawJson> {
  static RawJson read(const Value &value) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    value.Accept(writer);
    return {std::string(buffer.GetString(), buffer.GetSize())};
  }
  static void write(Writer &out, const RawJson &value) {
    out.RawValue(value.text.data(), value.text.size(), rapidjson::kObjectType);
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static std::vector<T> read(const Value &value) {
    if (!value.IsArray()) throw mismatch("an array");
    std::vector<T> items;
    items.reserve(value.Size());
    for (const auto &item : value.GetArray())
      items.push_back(codec::read<T>(item));
    return items;
  }
  static void write(Writer &out, const std::vector<T> &items) {
    out.StartArray();
    for (const auto &item : items)
      codec::write(out, item);
    out.EndArray();
  }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  static std::map<std::string, T> read(const Value &value) {
    if (!value.IsObject()) throw mismatch("an object");
    std::map<std::string, T> entries;
    for (const auto &member : value.GetObject())
      entries.insert_or_assign(codec::read<std::string>(member.name), codec::read<T>(member.value));
    return entries;
  }
  static void write(Writer &out, const std::map<std::string, T> &entries) {
    out.StartObject();
    for (const auto &[name, value] : entries) {
      text(out, name);
      codec::write(out, value);
    }
    out.EndObject();
  }
};

template <class T>
requires requires {
  T::fields;
}
struct Codec<T> {
  static T read(const Value &value) {
    if (!value.IsObject()) throw mismatch("an object");
    T result{};
    std::apply([&](const auto &...fields) { (read_field(value, result, fields), ...); }, T::fields);
    return result;
  }
  static void write(Writer &out, const T &value) {
    out.StartObject();
    std::apply([&](const auto &...fields) { (write_field(out, value, fields), ...); }, T::fields);
    out.EndObject();
  }

private:
  template <class Member>
  static void read_field(const Value &object, T &result, const Field<T, Member> &field) {
    const Value name(rapidjson::StringRef(field.name.data(), static_cast<rapidjson::SizeType>(field.name.size())));
    const auto found = object.FindMember(name);
    if (found == object.MemberEnd()) {
      if constexpr (IsOptional<Member>::value) return;
      throw std::invalid_argument("member \"" + std::string(field.name) + "\" is missing");
    }
    try {
      if constexpr (IsOptional<Member>::value)
        result.*field.member = codec::read<typename Member::value_type>(found->value);
      else
        result.*field.member = codec::read<Member>(found->value);
    } catch (const std::invalid_argument &problem) {
      throw std::invalid_argument("member \"" + std::string(field.name) + "\": " + problem.what());
    }
  }

  template <class Member>
  static void write_field(Writer &out, const T &value, const Field<T, Member> &field) {
    if constexpr (IsOptional<Member>::value) {
      if (!(value.*field.member)) return;
      text(out, field.name);
      codec::write(out, *(value.*field.member));
    } else {
      text(out, field.name);
      codec::write(out, value.*field.member);
    }
  }
};

} // namespace codec

// The value that a JSON text holds. Throws std::invalid_argument.
template <class T>
T from_json(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag>(json.data(), json.size());
  if (document.HasParseError()) throw std::invalid_argument("not a JSON text");
  return codec::read<T>(document);
}

template <class T>
std::string to_json(const T &value) {
  rapidjson::StringBuffer buffer;
  codec::Writer writer(buffer);
  codec::write(writer, value);
  return {buffer.GetString(), buffer.GetSize()};
}

} // namespace trellis
