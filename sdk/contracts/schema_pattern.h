// A regular expression of ECMAScript's Unicode mode, searched for in a text.
//
// It runs in PCRE2 after a translation (schema_regex.h). std::regex was rejected: no Unicode, and recursion as deep as
// the text is long. PCRE2's own limit counts steps, but a step may look through the whole text, so a search also has a
// limit of processor time. Both grow with the text and end patterns like (a+)+$ and \s+$ in time that is linear in it;
// a search that reaches one finds nothing. Processor time, so that a busy machine doesn't change an answer.
#pragma once

#include "contracts/result.h"
#include <memory>
#include <string_view>

struct pcre2_real_code_8;

namespace trellis::schema {

class Pattern {
public:
  // "schema_pattern": not a pattern of ECMAScript, or one that PCRE2 can't express (look-behind of unlimited length).
  static Result<Pattern> compile(std::string_view ecmascript);

  // [thread-safe] Allocates nothing, unless a search needs more than its place on the stack.
  bool found_in(std::string_view text) const;

private:
  struct Free {
    void operator()(pcre2_real_code_8 *code) const;
  };
  using Code = std::unique_ptr<pcre2_real_code_8, Free>;

  explicit Pattern(Code code) : code_(std::move(code)) {}

  Code code_;
};

} // namespace trellis::schema
