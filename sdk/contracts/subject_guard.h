// Which subjects a contract may own, beyond 01 §13: whoever subscribes a subject under a queue group of its own gets
// the requests that were meant for another.
//
// The install check compares a contract with those that it uses only (01 §10). These two checks close what is left: the
// names of the platform's own contracts are out of reach for everybody else, and so is every subject that another
// contract already serves. Feeds and control subjects count here as well.
#pragma once

#include "contracts/manifest.h"
#include <string_view>
#include <vector>

namespace trellis {

// Whether one subject can match both patterns ("*" is one token; there is no ">" in an owned subject).
bool subjects_overlap(std::string_view a, std::string_view b);

// The id isn't one of `builtin`, every subject is well-formed and starts with its section and version, and none lies in
// a namespace (third token) of `builtin`. A manifest of `builtin` itself passes. Codes "contract_id_reserved",
// "subject_invalid", "subject_reserved"; where = a JSON pointer.
Result<void> check_own_subjects(const Manifest &contract, const std::vector<Manifest> &builtin);

// The same for whoever hasn't the platform's manifests (a host decides without a control plane too): ids that start
// with "trellis." and the namespaces of its five contracts (05 §1) are out of reach for every contract.
Result<void> check_own_subjects(const Manifest &contract);

// No subject overlaps one of a contract with another id. Code "subject_owned".
Result<void> check_subjects_free(const Manifest &contract, const std::vector<const Manifest *> &others);

} // namespace trellis
