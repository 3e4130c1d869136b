// JSON values as plain C++: what generated headers are made of. Light on purpose: no parser in sight, so that a header
// with hundreds of types costs its includers little. Reading and writing are in json_reader.h and json_writer.h.
//
// A generated struct has these functions beside its members, the first two if it is a schema of the contract:
//
//   trellis::json::Result<Stock> stock = Stock::from_json(text);   // or a Problem with the JSON pointer
//   trellis::json::Result<std::string> text = stock->to_json();
//   void read_json(trellis::json::Reader &);                       // how structs nest
//   void write_json(trellis::json::Writer &) const;
//
// Rejected: std::expected, which plugins built as C++20 don't have; exceptions, because a bad text is normal life.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// JSON that is passed on as text, unread.
struct RawJson {
  std::string text = "null";
  bool operator==(const RawJson &) const = default; // by text: 1.0 and 1 differ
};

// A value or JSON null. Not an optional, because a member may be absent, null or a value: optional<Nullable<T>>.
template <class T>
struct Nullable : std::optional<T> {
  using std::optional<T>::optional;

  friend bool operator==(const Nullable &a, const Nullable &b) {
    return static_cast<const std::optional<T> &>(a) == static_cast<const std::optional<T> &>(b);
  }
};

namespace json {

class Reader;
class Writer;

// Why a text is no such value, or a value no JSON.
struct Problem {
  std::string pointer; // JSON pointer of the offending place; "" is the whole value
  std::string message;

  std::string text() const { return pointer.empty() ? message : pointer + ": " + message; }
};

// Not a variant of the two: contracts have hundreds of types, and a variant of each costs its users' compilers dearly.
template <class T>
class [[nodiscard]] Result {
public:
  Result(T value) : value_(std::move(value)) {}
  Result(Problem problem) : problem_(std::move(problem)) {}

  explicit operator bool() const { return value_.has_value(); }
  // Only when it is true.
  T &operator*() { return *value_; }
  const T &operator*() const { return *value_; }
  T *operator->() { return &*value_; }
  const T *operator->() const { return &*value_; }
  // Only when it is false.
  const Problem &problem() const { return problem_; }

private:
  std::optional<T> value_;
  Problem problem_;
};

// Text to value and back for every type of this header, its standard containers, and structs as above. Defined in
// json_reader.h and json_writer.h.
template <class T>
Result<T> decode(std::string_view json);
template <class T>
Result<std::string> encode(const T &value);

// Nested arrays and objects in a text, as on every JSON reader of the protocol.
inline constexpr std::size_t kMaxDepth = 512;

// Where a value is. Lives on the stack of the walk that is there; becomes a JSON pointer only for a Problem.
struct Place {
  const Place *parent = nullptr;
  std::string_view name = {};

  std::string pointer() const {
    if (!parent) return {};
    std::string out = parent->pointer() + "/";
    for (const char c : name) {
      if (c == '~' || c == '/')
        out += c == '~' ? "~0" : "~1";
      else
        out += c;
    }
    return out;
  }
};

} // namespace json
} // namespace trellis
