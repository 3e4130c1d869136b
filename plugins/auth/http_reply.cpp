#include "http_reply.h"

#include "wire/url_encoding.h"
#include <algorithm>
#include <cmath>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

HttpResponse plain(int status, std::string_view type, std::string_view text) {
  HttpResponse out;
  out.status = status;
  set_header(out, "Content-Type", std::string(type));
  out.body = text;
  return out;
}

// What the routes write themselves (04 §3.2 form T), and what stands for no route: two spellings of one type, because
// existing servers have both.
constexpr std::string_view kText = "text/plain;charset=UTF-8";
constexpr std::string_view kServerText = "text/plain; charset=UTF-8";

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

} // namespace

Result<JsonDocument> parse_body(std::string_view body) {
  return parse_json(body, {.max_bytes = body.size() + 1});
}

HttpResponse json_reply(int status, std::string body) {
  HttpResponse out;
  out.status = status;
  set_header(out, "Content-Type", "application/json");
  out.body = std::move(body);
  return out;
}

HttpResponse status_reply(std::string_view status) {
  return json_reply(200, JsonObjectText().text("status", status).str());
}

HttpResponse error_reply(int status, std::string_view code) {
  return json_reply(status, JsonObjectText().text("error", code).str());
}

HttpResponse text_reply(int status, std::string_view text) {
  return plain(status, kText, text);
}

HttpResponse reason_reply(int status, std::string_view reason) {
  return json_reply(status, JsonObjectText().text("reason", reason).str());
}

HttpResponse stale_reply(std::int64_t server_now) {
  return json_reply(400, JsonObjectText().text("reason", "iat_out_of_range").number("serverNow", server_now).str());
}

HttpResponse invalid_body() {
  return error_reply(400, "Invalid JSON body");
}

HttpResponse not_found() {
  return plain(404, kServerText, "404 Not Found");
}

HttpResponse unexpected_failure() {
  return plain(500, kServerText, "Internal Server Error");
}

HttpResponse empty_reply(int status) {
  HttpResponse out;
  out.status = status;
  return out;
}

void set_header(HttpResponse &response, std::string name, std::string value) {
  for (auto &[known, held] : response.headers) {
    if (known != name) continue;
    held = std::move(value);
    return;
  }
  response.headers.emplace_back(std::move(name), std::move(value));
}

bool has_header(const HttpResponse &response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto &header) { return header.first == name; });
}

std::optional<std::string> nonempty_text(const JsonValue &body, std::string_view name) {
  const auto text = string_member(body, name);
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

std::optional<double> number_member(const JsonValue &body, std::string_view name) {
  const auto *value = find_member(body, name);
  if (!value || !value->IsNumber() || !std::isfinite(value->GetDouble())) return std::nullopt;
  return value->GetDouble();
}

std::optional<std::string> decode_component(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1))
    if (at + 2 >= text.size() || !is_hex(text[at + 1]) || !is_hex(text[at + 2])) return std::nullopt;
  auto out = url::percent_decode(text);
  if (!is_utf8(out)) return std::nullopt;
  return out;
}

std::string_view HttpRequest::header(std::string_view lower_case_name) const {
  for (const auto &[name, value] : headers)
    if (name == lower_case_name) return value;
  return {};
}

} // namespace trellis::auth
