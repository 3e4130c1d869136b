// Answers of JetStream as values: what is an error, what a stored message. Pure; jetstream.h asks the questions.
#pragma once

#include "transport/jetstream.h"

namespace trellis {

// An answer of `$JS.API.>`. `where`: the stream or subject, for errors.
Result<JsonDocument> read_api_answer(std::string_view payload, std::string_view where);
// The answer of DIRECT.GET: the message itself, with its origin in headers. nullopt: there is none.
Result<std::optional<StoredMessage>> read_direct_message(const Message &answer, std::string_view where);
// The answer of STREAM.MSG.GET: the message as JSON, header and payload in base64.
Result<StoredMessage> read_stored_message(const JsonDocument &answer, std::string_view where);
// "NATS/1.0\r\nName: value\r\n...\r\n\r\n"
Headers read_header_block(std::string_view block);

std::uint64_t unsigned_member(const JsonValue &object, std::string_view name); // 0 when it is none

} // namespace trellis
