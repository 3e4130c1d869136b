// Reads the definition of a resource need (02 §2.4), checking what reconciliation must not take (02 §7.3): definitions
// come from plans, which were derived from manifests of any numbers. The first mistake is kept, so that a reader reads
// all members and asks once. Internal to sdk/contracts: it includes RapidJSON.
#pragma once

#include "contracts/authority.h"
#include <cstdint>
#include <optional>
#include <rapidjson/document.h>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

inline constexpr std::int64_t kMostMs = 9'223'372'036'854;         // int64 nanoseconds
inline constexpr std::int64_t kMostInt32 = 2'147'483'647;          // a stream's max_msg_size
inline constexpr std::int64_t kMostNumber = 9'007'199'254'740'991; // what JSON readers agree on

class ResourceDefinition {
public:
  explicit ResourceDefinition(const ResourceNeed &need);

  std::optional<std::int64_t> number(const char *name, std::int64_t most = kMostNumber);
  std::int64_t number_or(const char *name, std::int64_t otherwise, std::int64_t most = kMostNumber);
  std::optional<std::vector<std::int64_t>> durations(const char *name);
  bool flag_or(const char *name, bool otherwise);
  std::string text_or(const char *name, std::string_view otherwise);
  std::vector<std::string> texts(const char *name); // required, not empty
  std::string required_text(const char *name);
  std::string ref(const char *name, bool required); // {"schema": name} as JSON, "" when there is none

  // A mistake that the caller found.
  void refuse(const char *member, std::string what, std::string expected);
  const std::optional<Error> &mistake() const { return mistake_; }

private:
  const JsonValue *find(const char *name) const { return find_member(document_, name); }
  std::optional<std::int64_t> whole(const char *name, const JsonValue &value, std::int64_t most);

  std::string where_;
  JsonDocument document_;
  std::optional<Error> mistake_;
};

} // namespace trellis
