// The five contracts that are always known and always active (05 §1): core, auth, health, state, jobs.
//
// Their text is the plugin's own contract section, so the host's inspection, the catalog and the RPCs see the same
// bytes. Digests and everything under them are protocol data; display texts and docs are ours.
#pragma once

#include "contracts/manifest.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

// A JSON array of manifests.
std::string_view builtin_manifests_text();

// In the order above. An error would be a mistake in our own files.
Result<std::vector<Manifest>> builtin_contracts();

// Compact text of a built-in manifest as it is shipped, in particular with `internal` on Trellis.Bindings.Get, which
// Trellis.Contract.Get returns although normalization drops it (01 §14.4). "" for every other digest.
std::string shipped_manifest(std::string_view digest);

} // namespace trellis::auth
