// Manifest::parse on outside bytes. What it accepts has to survive its own normalization unchanged, since a store that
// loads a normalized text checks it against the digest (01 §1).

#include "contracts/manifest.h"
#include "require.h"

#include <cstddef>
#include <cstdint>
#include <set>

namespace {

// 01 §7.4: with several errors of one type, the first in document order supplies the reachable schema; the normalized
// text is sorted, so such a manifest may get another digest. The only exception the chapter makes.
bool repeats_error_type(const trellis::Manifest &manifest) {
  std::set<std::string> types;
  if (!manifest.model().errors) return false;
  for (const auto &[key, error] : *manifest.model().errors)
    if (!types.insert(error.type).second) return true;
  return false;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto manifest = trellis::Manifest::parse({reinterpret_cast<const char *>(data), size});
  if (!manifest) {
    trellis::fuzz::require(!manifest.error().code.empty() && !manifest.error().message.empty());
    return 0;
  }
  const auto again = trellis::Manifest::parse(manifest->normalized(), {.max_bytes = std::size_t{64} << 20});
  trellis::fuzz::require(again.has_value());
  trellis::fuzz::require(again->normalized() == manifest->normalized());
  trellis::fuzz::require(again->digest() == manifest->digest() || repeats_error_type(*manifest));
  return 0;
}
