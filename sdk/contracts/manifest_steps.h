// The steps of the validation pipeline (01 §2.1) between which Manifest::validate walks. Internal to sdk/contracts.
#pragma once

#include "contracts/manifest.h"
#include <optional>

namespace trellis {

// Steps 1 to 3: on the JSON as it came.
std::optional<Error> check_raw(const JsonValue &value);

// Steps 4 and 5: the typed model holds only what normalization keeps. Its schemas point into `value`.
Result<ManifestModel> read_model(const JsonValue &value);

// Step 6 (01 §3.11).
std::optional<Error> check_event_consumers(const ManifestModel &model);
// Step 7 (01 §4.1).
std::optional<Error> check_embedded_schemas(const ManifestModel &model);
// Step 8 (01 §2.2).
std::optional<Error> check_schema_refs(const ManifestModel &model);
// Step 9 (01 §8.2).
std::optional<Error> check_events(const ManifestModel &model);

struct ManifestTexts {
  std::string normalized; // 01 §5
  std::string projection; // 01 §7
};
ManifestTexts write_texts(const ManifestModel &model);

} // namespace trellis
