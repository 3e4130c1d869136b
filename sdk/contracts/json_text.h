// Strings written as JSON text by hand, for the few texts whose member order is fixed (JWT claims, connect tokens,
// envelopes, activation payloads). Building a document only to write it again would cost more than it explains.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trellis {

// Appends `text` quoted and escaped as ECMAScript does it. Bytes that are no UTF-8 become U+FFFD, so that the result
// is always JSON; unpaired surrogates (contracts/json.h) become escapes again.
void append_json_string(std::string &out, std::string_view text);
// Appends `,"name":"text"`, without the comma directly after an opening brace.
void append_json_member(std::string &out, std::string_view name, std::string_view text);
// The same for a value that is JSON text already.
void append_json_raw_member(std::string &out, std::string_view name, std::string_view json);

// Length of the UTF-8 sequence that starts at `at`, 0 when there is none.
std::size_t utf8_sequence(std::string_view text, std::size_t at);
// 3 when an unpaired surrogate in the form of contracts/json.h starts at `at`, else 0.
std::size_t surrogate_sequence(std::string_view text, std::size_t at);

} // namespace trellis
