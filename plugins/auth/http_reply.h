// Responses in the forms of 04 §3.2, and the request bodies that they answer.
#pragma once

#include "contracts/json.h"
#include "contracts/json_write.h"
#include "http_api.h"
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

// What a JSON body may be without any limit of ours being an "invalid JSON" for the client (04 §3.1).
Result<JsonDocument> parse_body(std::string_view body);

HttpResponse json_reply(int status, std::string body);
HttpResponse status_reply(std::string_view status);             // 200 {"status": …}
HttpResponse error_reply(int status, std::string_view code);    // form E
HttpResponse text_reply(int status, std::string_view text);     // form T
HttpResponse reason_reply(int status, std::string_view reason); // form R without message
HttpResponse stale_reply(std::int64_t server_now);              // form R iat_out_of_range
HttpResponse invalid_body();                                    // 400 E {"error":"Invalid JSON body"}
HttpResponse not_found();                                       // 404, unmatched
HttpResponse unexpected_failure();                              // 500
HttpResponse empty_reply(int status);

void set_header(HttpResponse &response, std::string name, std::string value);
bool has_header(const HttpResponse &response, std::string_view name); // exactly this spelling

// Members of a body. nullopt: absent or of another kind.
std::optional<std::string> nonempty_text(const JsonValue &body, std::string_view name);
std::optional<double> number_member(const JsonValue &body, std::string_view name); // finite

// Percent-decoding as decodeURIComponent does it; nullopt for a malformed escape or what is no UTF-8 afterwards.
std::optional<std::string> decode_component(std::string_view text);

} // namespace trellis::auth
