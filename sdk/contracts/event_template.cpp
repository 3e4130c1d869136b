#include "contracts/event_template.h"

#include "contracts/canonical.h"
#include "contracts/manifest.h"
#include <algorithm>
#include <string>

namespace trellis {
namespace {

tl::unexpected<Error> malformed(std::size_t at, std::string what) {
  return fail("event_template_malformed", {}, std::move(what) + " at byte " + std::to_string(at),
              "tokens of the form {/pointer}");
}

} // namespace

bool is_payload_pointer(std::string_view text) {
  if (text.empty() || text[0] != '/') return false;
  for (auto at = text.find('~'); at != std::string_view::npos; at = text.find('~', at + 1))
    if (at + 1 == text.size() || (text[at + 1] != '0' && text[at + 1] != '1')) return false;
  return true;
}

Result<std::vector<std::string_view>> template_pointers(std::string_view subject) {
  std::vector<std::string_view> pointers;
  std::size_t at = 0;
  while (true) {
    const auto brace = subject.find_first_of("{}", at);
    if (brace == std::string_view::npos) return pointers;
    if (subject[brace] == '}') return malformed(brace, "\"}\" without a \"{\" before it");
    const auto close = subject.find_first_of("{}", brace + 1);
    if (close == std::string_view::npos) return malformed(brace, "\"{\" without a \"}\" after it");
    if (subject[close] == '{') return malformed(close, "\"{\" inside a token");
    const auto token = subject.substr(brace + 1, close - brace - 1);
    if (!is_payload_pointer(token))
      return fail("event_template_pointer", {}, canonical_string(token) + " is not a JSON pointer",
                  "a pointer that starts with \"/\" and has \"~\" only as \"~0\" or \"~1\"");
    pointers.push_back(token);
    at = close + 1;
  }
}

std::string wildcard_subject(std::string_view subject) {
  std::string out;
  std::size_t at = 0;
  while (at < subject.size()) {
    const auto open = subject.find('{', at);
    const auto close = open == std::string_view::npos ? open : subject.find('}', open);
    if (close == std::string_view::npos) break;
    out += subject.substr(at, open - at);
    out += close == open + 1 ? std::string_view("{}") : std::string_view("*");
    at = close + 1;
  }
  return out + std::string(subject.substr(std::min(at, subject.size())));
}

} // namespace trellis
