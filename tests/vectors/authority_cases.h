// What the vectors about authority share: contracts of a case, and results that a case may not lack.
#pragma once

#include "contracts/authority.h"
#include "contracts/authority_json.h"
#include "runner.h"
#include <stdexcept>
#include <string>
#include <vector>

namespace trellis::vectors {

// The value, or a failed case.
template <class T>
T value_of(Result<T> result, const std::string &what) {
  if (!result) throw std::runtime_error(what + ": " + result.error().text());
  return std::move(*result);
}

// The control plane's built-in contracts: known and active in every case.
const std::vector<Manifest> &builtin();
Manifest valid(const JsonValue &manifest);
// Those of a case and the built-in ones. `list`: [{digest, active?, manifest}].
KnownContracts known_contracts(const JsonValue &list);

void register_authority_plan(Registry &registry); // authority-plan without analyze

} // namespace trellis::vectors
