// Result<T>: how everything that can go wrong in normal life is reported.
//
// An Error says what went wrong, where (JSON pointer, file:line, subject, TOML key) and what was expected, because the
// person who reads it is an operator with a broken file in front of them. `code` is the stable category that tests and
// programs compare; the other members are text for people. Exceptions are kept for bugs and out-of-memory.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace trellis {

struct Error {
  std::string code;     // stable category, e.g. "unknown_schema_ref"
  std::string where;    // what it is about: a JSON pointer, file:line, subject, key; may be empty
  std::string message;  // what is wrong with it
  std::string expected; // what would have been right; may be empty

  // Named facts that a program may need (alias, contractId, surface, key ...), in no particular order.
  std::vector<std::pair<std::string, std::string>> details;

  // "where: message (expected ...)", for a log line or a terminal.
  std::string text() const;
  // The detail called `name`, or "" when there is none.
  std::string_view detail(std::string_view name) const;
};

template <class T>
using Result = tl::expected<T, Error>;

tl::unexpected<Error> fail(std::string code, std::string where, std::string message, std::string expected = {});

} // namespace trellis
