// ULIDs (00-index "Common formats") and the written form of time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trellis {

// [thread-safe] Strictly increasing within this process.
std::string new_ulid();
// 80 fresh random bits, for ids that work as a secret.
std::string new_secret_ulid();
// YYYY-MM-DDTHH:mm:ss.sssZ
std::string iso_time(std::int64_t unix_ms);
std::int64_t unix_ms_now();
// Reads RFC 3339 with zone; false when it is none.
bool parse_iso_time(std::string_view text, std::int64_t &unix_ms);

} // namespace trellis
