// A copy that owns all its strings. RapidJSON's own copy borrows those that the source borrows, so it may outlive them.
// Internal to sdk/contracts: it includes RapidJSON.
#pragma once

#include "contracts/json.h"
#include <rapidjson/document.h>

namespace trellis {

JsonValue deep_copy(const JsonValue &value, JsonDocument::AllocatorType &allocator);

// A value that lives as long as a contract or a schema. A JsonDocument takes 64 KiB for its first byte and keeps them,
// which with a hundred contracts is most of their memory.
class KeptJson {
public:
  JsonValue &root() { return root_; }
  JsonDocument::AllocatorType &allocator() { return allocator_; }

private:
  JsonDocument::AllocatorType allocator_{2048}; // bytes at a time
  JsonValue root_;
};

} // namespace trellis
