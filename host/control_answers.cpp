// What the control socket answers: the operations of control_socket.h, and the JSON of a host's status.
#include "control_socket.h"

#include "contracts/canonical.h"
#include "contracts/json_write.h"
#include "runtime/metrics_text.h"
#include "wire/ulid.h"
#include <future>
#include <optional>
#include <rapidjson/document.h>

namespace trellis::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kStatusLimit{10'000};
constexpr std::chrono::milliseconds kLook{100}; // how often a wait looks whether the socket is to close

std::string refusal_line(std::string_view code, std::string_view reason) {
  return JsonObjectText().flag("ok", false).text("code", code).text("reason", reason).str();
}

std::string list_of(const std::vector<std::string> &items) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + item;
  return out + "]";
}

std::string calls_json(const Calls::Counts &counts) {
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  return JsonObjectText()
      .number("waiting", number(counts.waiting))
      .number("running", number(counts.running))
      .number("unanswered", number(counts.unanswered))
      .number("abandoned", number(counts.abandoned))
      .number("answered", number(counts.answered))
      .number("overloaded", number(counts.overloaded))
      .number("expired", number(counts.expired))
      .str();
}

std::string durations_json(const RpcDurations &durations) {
  std::vector<std::string> bounds, counts;
  for (const auto bound : durations.bounds)
    bounds.push_back(ecmascript_number(bound));
  for (const auto count : durations.counts)
    counts.push_back(std::to_string(count));
  return JsonObjectText().json("bounds", list_of(bounds)).json("counts", list_of(counts)).str();
}

std::string_view state_name(ConnectionState state) {
  switch (state) {
  case ConnectionState::connecting: return "connecting";
  case ConnectionState::connected: return "connected";
  case ConnectionState::disconnected: return "disconnected";
  case ConnectionState::closed: return "closed";
  }
  return "unknown";
}

std::string time_text(std::int64_t unix_ms) {
  return unix_ms == 0 ? std::string() : iso_time(unix_ms);
}

std::string connection_json(const Generation::Connection &connection) {
  const auto &counts = connection.counts;
  return JsonObjectText()
      .text("state", state_name(connection.state))
      .text("since", time_text(counts.connected_at))
      .text("credentialsExpire", time_text(counts.expires_at))
      .number("connects", static_cast<std::int64_t>(counts.connects))
      .number("rotations", static_cast<std::int64_t>(counts.rotations))
      .str();
}

std::string problem_json(const Problem &problem) {
  return JsonObjectText().text("time", time_text(problem.at)).text("text", problem.text).str();
}

std::string plugin_json(const PluginStatus &plugin) {
  JsonObjectText out;
  out.text("name", plugin.name)
      .text("role", plugin.role == PluginRole::control_plane ? "control-plane" : "service")
      .text("deployment", plugin.deployment)
      .text("phase", phase_name(plugin.phase))
      .text("detail", plugin.detail)
      .text("contractId", plugin.contract_id)
      .text("contractDigest", plugin.contract_digest)
      .text("sessionKey", plugin.session_key)
      .number("generations", static_cast<std::int64_t>(plugin.generations))
      .number("maxGenerations", static_cast<std::int64_t>(plugin.max_generations));
  if (plugin.isolation == Isolation::process) out.text("isolation", "process").text("lastCrash", plugin.last_crash);
  if (plugin.process)
    out.number("pid", plugin.process->pid).number("restarts", static_cast<std::int64_t>(plugin.process->restarts));
  if (plugin.counts) out.json("calls", calls_json(*plugin.counts));
  if (!plugin.durations.counts.empty()) out.json("durations", durations_json(plugin.durations));
  if (plugin.connection) out.json("connection", connection_json(*plugin.connection));
  if (plugin.last_problem) out.json("lastError", problem_json(*plugin.last_problem));
  return out.str();
}

std::string status_line(const HostStatus &status) {
  std::vector<std::string> plugins;
  for (const auto &plugin : status.plugins)
    plugins.push_back(plugin_json(plugin));
  return JsonObjectText()
      .flag("ok", true)
      .text("host", status.host)
      .flag("settled", status.settled)
      .json("plugins", list_of(plugins))
      .str();
}

std::string keys_line(const HostStatus &status) {
  std::vector<std::string> keys;
  for (const auto &plugin : status.plugins)
    if (plugin.role == PluginRole::service && !plugin.session_key.empty())
      keys.push_back(JsonObjectText()
                         .text("plugin", plugin.name)
                         .text("deployment", plugin.deployment)
                         .text("sessionKey", plugin.session_key)
                         .str());
  return JsonObjectText().flag("ok", true).json("keys", list_of(keys)).str();
}

// The value, or nullopt when it didn't come in time. The promise is shared with whoever keeps it.
template <class T>
std::optional<T> wait_for(std::future<T> &future, std::chrono::milliseconds limit,
                          const std::function<bool()> &stopping) {
  const auto until = Clock::now() + limit;
  while (future.wait_for(kLook) != std::future_status::ready)
    if (stopping() || Clock::now() >= until) return std::nullopt;
  return future.get();
}

std::string with_status(const ControlActions &actions, const std::function<bool()> &stopping,
                        std::string (*line)(const HostStatus &)) {
  const auto promise = std::make_shared<std::promise<std::string>>();
  auto future = promise->get_future();
  actions.status([promise, line](const HostStatus &status) { promise->set_value(line(status)); });
  return wait_for(future, kStatusLimit, stopping).value_or(refusal_line("unavailable", "the host doesn't answer"));
}

std::string reload_line(const ControlActions &actions, const std::function<bool()> &stopping) {
  const auto promise = std::make_shared<std::promise<std::string>>();
  auto future = promise->get_future();
  actions.reload([promise](const Result<void> &done) {
    promise->set_value(done ? JsonObjectText().flag("ok", true).flag("settled", true).str()
                            : refusal_line(done.error().code, done.error().text()));
  });
  if (auto line = wait_for(future, actions.reload_limit, stopping)) return *line;
  return JsonObjectText().flag("ok", true).flag("settled", false).str();
}

std::string metrics_line(const ControlActions &actions, bool as_text, const std::function<bool()> &stopping) {
  const auto promise = std::make_shared<std::promise<std::vector<MetricFamily>>>();
  auto future = promise->get_future();
  actions.metrics([promise](const std::vector<MetricFamily> &families) { promise->set_value(families); });
  const auto families = wait_for(future, kStatusLimit, stopping);
  if (!families) return refusal_line("unavailable", "the host doesn't answer");
  JsonObjectText out;
  out.flag("ok", true);
  if (as_text)
    out.text("text", prometheus_text(*families));
  else
    out.json("metrics", metrics_json(*families));
  const auto line = out.str();
  return line.size() < kMaxControlAnswer ? line : refusal_line("too_large", "the host has too many different metrics");
}

} // namespace

std::string answer_control_request(std::string_view line, const ControlActions &actions,
                                   const std::function<bool()> &stopping) {
  const auto request = parse_json(line, {.max_bytes = kMaxControlRequest, .max_depth = 8});
  const auto op = request ? string_member(*request, "op") : std::string_view{};
  if (op == "status") return with_status(actions, stopping, status_line);
  if (op == "keys") return with_status(actions, stopping, keys_line);
  if (op == "reload") return reload_line(actions, stopping);
  if (op == "metrics") return metrics_line(actions, string_member(*request, "format") == "prometheus", stopping);
  return refusal_line("invalid_request",
                      R"(one line of JSON with "op" = "status", "keys", "reload" or "metrics" is expected)");
}

} // namespace trellis::host
