// Which subjects a contract may own (ARCHITECTURE §3, 01 §13): an accepted plugin must not be able to join the queue
// group of another contract's surface, least of all of the platform's own.
//
// The install check compares a contract with its dependencies only; here it is compared with every contract that the
// host knows, and with the namespaces that belong to the control plane whether one runs or not.
#pragma once

#include "contracts/manifest.h"
#include "contracts/result.h"
#include <string_view>
#include <vector>

namespace trellis::host {

// Whether two subjects (wildcard form, "*" only) have a subject in common.
bool subjects_overlap(std::string_view a, std::string_view b);

// The contract's own part: its id isn't reserved, its subjects are well-formed, belong to their section, and lie
// outside the namespaces of the built-in contracts. Errors: "contract_id_reserved", "subject_invalid",
// "subject_reserved".
Result<void> check_own_subjects(const Manifest &contract);

// Error "subject_owned" when a contract in `others` with another id has a surface on one of its subjects.
Result<void> check_subjects_free(const Manifest &contract, const std::vector<const Manifest *> &others);

} // namespace trellis::host
