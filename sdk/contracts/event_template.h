// Event subject templates: "events.v1.Order.Shipped.{/orderId}" (01 §8.1, 8.2 steps 1 to 3). See wildcard_subject in
// contracts/manifest.h for the form that permissions use.
#pragma once

#include "contracts/result.h"
#include <string_view>
#include <vector>

namespace trellis {

// Whether `text` is a JSON pointer into a payload: starts with "/", and "~" only as "~0" or "~1".
bool is_payload_pointer(std::string_view text);

// The pointers of a template in order, duplicates kept; they point into `subject`. Errors, the first in scan order:
// "event_template_malformed", "event_template_pointer" (without `where`).
Result<std::vector<std::string_view>> template_pointers(std::string_view subject);

} // namespace trellis
