// What the control plane accepts in a contract and its author hardly meant: members that are dropped, names that lead
// nowhere, lists that are cut (01 §2.3, §2.4, §3, §8.1, §9, §15).
//
// Warnings and not errors, because 01 lets such contracts in and so must every tool that says "valid".
#pragma once

#include "contracts/json.h"
#include "contracts/manifest.h"
#include <string_view>
#include <vector>

namespace trellis::cli {

inline constexpr std::size_t kMaxWarnings = 100; // of one contract; more of them help nobody

// `written`: the JSON that became `manifest`. Each with a category and, in `where`, a JSON pointer into the manifest.
std::vector<Error> contract_warnings(const JsonValue &written, const Manifest &manifest);

// 01 §7.4: what gives the contract another digest in Rust clients than in the control plane, or makes them refuse it.
// Category "rust_differs".
std::vector<Error> portability_warnings(const JsonValue &written, const Manifest &manifest);

} // namespace trellis::cli
