// Structs to JSON and back, for plugin authors who write their structs by hand.
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
// std::invalid_argument that names the place. trellis-generate writes structs from the contract instead
// (docs/generate). Rejected: a macro that lists the members; it hides them from tools.
#pragma once

#include "trellis/json_reader.h"
#include "trellis/json_writer.h"
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace trellis {

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

namespace json {

template <class T>
requires requires {
  T::fields;
}
void read_json(Reader &in, T &out) {
  in.object();
  std::apply([&](const auto &...fields) { (in.member(fields.name, out.*fields.member), ...); }, T::fields);
}

template <class T>
requires requires {
  T::fields;
}
void write_json(Writer &out, const T &value) {
  out.begin_object();
  std::apply([&](const auto &...fields) { (out.member(fields.name, value.*fields.member), ...); }, T::fields);
  out.end_object();
}

} // namespace json

// The value that a JSON text holds. Throws std::invalid_argument.
template <class T>
T from_json(std::string_view json) {
  auto value = json::decode<T>(json);
  if (!value) throw std::invalid_argument(value.problem().text());
  return std::move(*value);
}

// Throws std::invalid_argument for what JSON can't hold.
template <class T>
std::string to_json(const T &value) {
  auto text = json::encode(value);
  if (!text) throw std::invalid_argument(text.problem().text());
  return std::move(*text);
}

} // namespace trellis
