#include "policy/remote_policy_answers.h"
#include "contracts/json.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <rapidjson/document.h>

namespace trellis {
namespace {

// Beyond 04 §7.3, whose clients end at the last three: a host outlives them, and an operator who provisions or enables
// an instance is watching.
constexpr std::string_view kWaiting[] = {"authority_update_required",
                                         "authority_migration_required",
                                         "authority_reconciliation_pending",
                                         "contract_activation_pending",
                                         "contract_catalog_issue",
                                         "unknown_service",
                                         "service_disabled",
                                         "service_deployment_disabled"};

std::shared_ptr<const NatsCredentials> sentinel_of(const JsonValue &body) {
  const JsonValue *info = find_member(body, "connectInfo");
  const JsonValue *transport = info ? find_member(*info, "transport") : nullptr;
  const JsonValue *sentinel = transport ? find_member(*transport, "sentinel") : nullptr;
  if (!sentinel) return nullptr;
  const auto jwt = string_member(*sentinel, "jwt");
  auto seed = NkeySeed::parse(string_member(*sentinel, "seed"));
  if (jwt.empty() || !seed) return nullptr;
  return std::make_shared<const NatsCredentials>(NatsCredentials{std::string(jwt), std::move(*seed)});
}

RemoteVerdict ready(std::string_view text, const JsonValue &body) {
  auto sentinel = sentinel_of(body);
  if (string_member(body, "status") != "ready" || !sentinel)
    return {RemoteStep::no_answer,
            undecided_answer("policy_answer_invalid", "the control plane's answer isn't that of a service bootstrap"),
            {},
            nullptr};
  return {RemoteStep::ready, {200, std::string(text)}, server_time(body), std::move(sentinel)};
}

// A refusal keeps its body: the host shows its reason and message.
PolicyAnswer refused(int status, std::string_view text) {
  return {status == 202 || (status >= 400 && status < 500) ? status : 409, std::string(text)};
}

// The one refusal whose way out the control plane can't know: it has never heard of this key.
PolicyAnswer unknown_service(int status, std::string_view session_key) {
  const std::string key(session_key);
  return {status >= 400 && status < 500 ? status : 404,
          JsonObjectText()
              .text("reason", "unknown_service")
              .text("message", "the control plane doesn't know this plugin's key " + key +
                                   "; provision it with: trellis svc DEPLOYMENT provision --instance-key " + key)
              .str()};
}

RemoteVerdict with_reason(int status, std::string_view text, const JsonValue &body, std::string_view session_key) {
  const auto reason = string_member(body, "reason");
  if (reason == "iat_out_of_range")
    if (const auto now = server_time(body))
      return {RemoteStep::correct_clock, undecided_answer(reason, "this machine's clock is wrong"), now, nullptr};
  if (reason == "manifest_required") return {RemoteStep::send_manifest, refused(status, text), {}, nullptr};
  if (reason == "unknown_service") return {RemoteStep::wait, unknown_service(status, session_key), {}, nullptr};
  const bool waits = std::ranges::find(kWaiting, reason) != std::end(kWaiting);
  return {waits ? RemoteStep::wait : RemoteStep::refused, refused(status, text), {}, nullptr};
}

} // namespace

std::optional<std::int64_t> server_time(const JsonValue &body) {
  const JsonValue *value = find_member(body, "serverNow");
  if (!value || !value->IsNumber()) return std::nullopt;
  const double seconds = value->GetDouble();
  if (!(seconds > 0 && seconds < 1e11)) return std::nullopt; // no time that a clock could be set to
  return static_cast<std::int64_t>(std::floor(seconds));
}

PolicyAnswer undecided_answer(std::string_view reason, std::string_view message) {
  return {503, JsonObjectText().text("reason", reason).text("message", message).str()};
}

std::string clock_difference(double offset_ms) {
  const auto seconds = static_cast<std::int64_t>(std::llround(offset_ms / 1000));
  if (seconds == 0) return "the control plane refuses a time that agrees with its own";
  return "this machine's clock is " + std::to_string(std::abs(seconds)) + " s " +
         (seconds < 0 ? "ahead of" : "behind") + " the control plane's, whose time is used now";
}

RemoteVerdict judge_remote_answer(int status, std::string_view text, std::string_view session_key) {
  const auto body = parse_json(text, {std::size_t{16} << 20, 512});
  const bool is_answer = status < 500 && status != 429;
  if (is_answer && body && !string_member(*body, "reason").empty())
    return with_reason(status, text, *body, session_key);
  if (status == 200 && body) return ready(text, *body);
  return {RemoteStep::no_answer,
          undecided_answer("policy_unavailable", "the control plane answered with status " + std::to_string(status)),
          {},
          nullptr};
}

std::optional<std::chrono::milliseconds> retry_after(std::string_view value, std::int64_t now_ms) {
  constexpr std::int64_t kMost = 60'000;
  if (value.empty()) return std::nullopt;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (std::ranges::all_of(value, is_digit))
    return std::chrono::milliseconds(
        value.size() > 4 ? kMost : std::min<std::int64_t>(std::stoll(std::string(value)) * 1000, kMost));
  std::tm parts{};
  const std::string text(value);
  const char *end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (!end || *end) return std::nullopt;
  const std::int64_t at = static_cast<std::int64_t>(::timegm(&parts)) * 1000;
  return std::chrono::milliseconds(std::clamp<std::int64_t>(at - now_ms, 0, kMost));
}

} // namespace trellis
