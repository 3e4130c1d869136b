#include "contracts/result.h"

namespace trellis {

std::string Error::text() const {
  std::string out = where.empty() ? message : where + ": " + message;
  if (!expected.empty()) out += " (expected " + expected + ")";
  return out;
}

std::string_view Error::detail(std::string_view name) const {
  for (const auto &[key, value] : details)
    if (key == name) return value;
  return {};
}

tl::unexpected<Error> fail(std::string code, std::string where, std::string message, std::string expected) {
  return tl::make_unexpected(Error{std::move(code), std::move(where), std::move(message), std::move(expected), {}});
}

} // namespace trellis
