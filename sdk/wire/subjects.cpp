#include "wire/subjects.h"

namespace trellis {
namespace {

// The first token of `rest`, which is shortened by it and its dot; `more` says whether something may follow.
std::string_view take_token(std::string_view &rest, bool &more) {
  const auto dot = rest.find('.');
  const auto token = rest.substr(0, dot);
  more = dot != std::string_view::npos;
  rest = more ? rest.substr(dot + 1) : std::string_view();
  return token;
}

} // namespace

bool subject_matches(std::string_view pattern, std::string_view subject) {
  bool more_pattern = true, more_subject = true;
  while (more_pattern) {
    const auto expected = take_token(pattern, more_pattern);
    if (expected == ">") return true;
    if (!more_subject) return false;
    const auto token = take_token(subject, more_subject);
    if (expected != "*" && expected != token) return false;
  }
  return !more_subject;
}

} // namespace trellis
