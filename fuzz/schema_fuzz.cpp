// Schema on outside bytes, the first half a schema and the second a value: both ways to check it agree.

#include "contracts/json.h"
#include "contracts/schema.h"
#include "require.h"

#include <cstddef>
#include <cstdint>
#include <rapidjson/document.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  const auto source = trellis::parse_json(text.substr(0, size / 2));
  const auto value = trellis::parse_json(text.substr(size / 2));
  if (!source) return 0;
  const auto schema = trellis::Schema::compile(*source);
  if (!schema) return 0;
  // The schema itself is a value too, which halves that don't fit each other still reach.
  const trellis::JsonValue &checked = value ? static_cast<const trellis::JsonValue &>(*value) : *source;
  const auto issues = schema->check(checked);
  trellis::fuzz::require(schema->valid(checked) == issues.empty());
  trellis::fuzz::require(issues.size() <= trellis::kMaxSchemaIssues);
  return 0;
}
