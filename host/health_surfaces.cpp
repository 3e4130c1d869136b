#include "health_surfaces.h"

#include "abi/abi_values.h"
#include "abi/health_table.h"
#include "contracts/json_write.h"
#include "generation.h"
#include "hosting/workers.h"
#include "nats/nats_transport.h"
#include "wire/ulid.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <utility>

namespace trellis::host {
namespace {

constexpr char kHealthContract[] = "trellis.health@v1";
constexpr char kHeartbeat[] = "Health.Heartbeat";

constexpr MetricInfo kCheckOk{MetricKind::gauge, "trellis.health.check", "",
                              "1 when the check was fine the last time, else 0."};
constexpr MetricInfo kHeartbeats{MetricKind::counter, "trellis.health.heartbeats", "{heartbeat}",
                                 "Heartbeats that were published, or failed to be."};

bool group_publishes(const std::optional<Named<Use>> &group) {
  return group && std::ranges::any_of(*group, [](const auto &entry) {
           const Use &use = entry.second;
           return use.contract == kHealthContract && use.events && use.events->publish &&
                  std::ranges::find(*use.events->publish, kHeartbeat) != use.events->publish->end();
         });
}

// The control plane owns the event, as every other contract of the platform.
bool publishes_heartbeat(const std::vector<Manifest> &contracts, PluginRole role) {
  return role == PluginRole::control_plane || std::ranges::any_of(contracts, [](const Manifest &manifest) {
           const auto &uses = manifest.model().uses;
           return uses && (group_publishes(uses->required) || group_publishes(uses->optional));
         });
}

trellis_sink collect(std::string &into) {
  return {&into, [](void *text, trellis_str piece) { *static_cast<std::string *>(text) += view(piece); }};
}

// What a check says besides its status.
void take_details(HealthCheck &check, const std::string &text) {
  const auto details = parse_json(text);
  if (!details || !details->IsObject()) return;
  if (const auto summary = string_member(*details, "summary"); !summary.empty()) check.summary = utf8_text(summary);
  if (const auto *info = find_member(*details, "info"); info && info->IsObject() && check.ok)
    check.info = to_json(*info);
}

HealthCheck run_check(void *self, decltype(trellis_health_check::check) check) {
  struct Problem {
    std::string type = "UnexpectedError", message;
  } problem;
  const auto report = [](void *kept, const trellis_error *error) {
    const auto read = read_error(error);
    auto &into = *static_cast<Problem *>(kept);
    if (!read.type.empty()) into.type = utf8_text(read.type);
    into.message = utf8_text(read.message);
  };
  std::string details;
  const auto status = check(self, collect(details), {&problem, report});
  if (problem.message.empty()) problem.message = "the check failed with status " + std::to_string(status);
  HealthCheck out = status == TRELLIS_OK ? HealthCheck{} : failed_check({}, problem.message, problem.type, {});
  take_details(out, details);
  return out;
}

} // namespace

HealthSurfaces::HealthSurfaces(SurfaceContext context, RpcSurfaces &rpcs, std::string_view program,
                               std::string_view version)
    : context_(std::move(context)), rpcs_(rpcs), rpc_names_(host_answered_rpcs(context_.config.name, program)),
      version_(utf8_text(version)) {}

Result<void> HealthSurfaces::open() {
  const bool beats = publishes_heartbeat(context_.contracts, context_.config.role);
  auto checks = plugin_checks();
  if (!checks) return tl::make_unexpected(checks.error());
  checks_ = std::make_shared<HealthChecks>(std::move(*checks));
  context_.workers.keep(checks_);
  HealthReporter::Options options{.service = service(),
                                  .heartbeats = beats,
                                  .post = [this](std::size_t index) { return post(index); },
                                  .info =
                                      [this] {
                                        const std::lock_guard lock(mutex_);
                                        return info_;
                                      },
                                  .on_checks = [this](const auto &results) { count(results); },
                                  .on_published = [this](const auto &done) { published(done); }};
  reporter_ = std::make_unique<HealthReporter>(context_.transport, checks_, has_info_ ? 1 : 0, std::move(options));
  const auto serves = serve_rpc();
  if (!serves) return tl::make_unexpected(serves.error());
  if (beats || *serves) reporter_->start();
  return {};
}

// Whether there is such an rpc without a handler.
Result<bool> HealthSurfaces::serve_rpc() {
  const auto has_handler = [&](const Manifest &manifest, const std::string &name) {
    for (std::uint32_t i = 0; i < context_.plugin.handler_count; ++i) {
      const auto &handler = *context_.plugin.handlers[i];
      if (handler.kind == TRELLIS_SURFACE_RPC && view(handler.contract_id) == manifest.id() &&
          view(handler.name) == name)
        return true;
    }
    return false;
  };
  for (const auto &manifest : context_.contracts)
    for (const auto &name : rpc_names_) {
      if (!manifest.rpc(name) || has_handler(manifest, name)) continue;
      if (auto served = rpcs_.serve(manifest, name, &HealthSurfaces::answer, this); !served)
        return tl::make_unexpected(served.error());
      return true;
    }
  return false;
}

// [worker] As a handler of the plugin's would: the report comes later, from the reporter's thread.
void HealthSurfaces::answer(void *self, const trellis_request *request) {
  auto &health = *static_cast<HealthSurfaces *>(self);
  health.reporter_->request([&calls = health.rpcs_.calls(), call = request->call](const std::string &report) {
    static_cast<void>(calls.complete(call, report)); // a deadline may have come first
  });
}

Result<std::vector<NamedCheck>> HealthSurfaces::plugin_checks() {
  const auto table = read_health_table(context_.plugin, context_.config.name);
  if (!table) return tl::make_unexpected(table.error());
  std::vector<NamedCheck> checks;
  for (const auto &[name, run] : table->checks)
    checks.push_back({name, [self = context_.plugin.self, run = run] { return run_check(self, run); }});
  has_info_ = table->info != nullptr;
  if (has_info_)
    checks.push_back({"health info", [this, info = table->info] {
                        read_info(info);
                        return HealthCheck{};
                      }});
  return checks;
}

void HealthSurfaces::read_info(decltype(trellis_health_v1::info) read) {
  std::string text;
  const auto status = read(context_.plugin.self, collect(text));
  const auto info = parse_json(text);
  const std::lock_guard lock(mutex_);
  info_.reset();
  if (status == TRELLIS_OK && info && info->IsObject()) info_ = unambiguous_json(text, *info);
}

HealthService HealthSurfaces::service() const {
  const bool is_control_plane = context_.config.role == PluginRole::control_plane;
  HealthService out;
  out.name = context_.service.name;
  out.instance_id = new_ulid();
  out.contract_id = is_control_plane ? "unknown" : context_.service.contract_id;
  out.contract_digest = context_.service.contract_digest;
  out.started_at = iso_time(unix_ms_now());
  out.publish_interval_ms = context_.host.config.health_interval.count();
  if (!version_.empty()) out.version = version_;
  if (is_control_plane) out.info = R"({"role":"control-plane"})";
  return out;
}

bool HealthSurfaces::post(std::size_t index) const {
  const auto run = [](void *owner, std::uint64_t argument) {
    static_cast<HealthChecks *>(owner)->execute(static_cast<std::size_t>(argument));
  };
  return context_.workers.post({run, checks_.get(), index, checks_->name(index)});
}

void HealthSurfaces::count(const std::vector<HealthCheck> &checks) const {
  for (const auto &check : checks) {
    const std::array<MetricAttribute, 1> attributes = {{{"trellis.check", check.name}}};
    if (const auto gauge = context_.metrics.runtime().gauge(kCheckOk, attributes)) (*gauge)->set(check.ok ? 1 : 0);
  }
}

void HealthSurfaces::published(const Result<void> &done) {
  const std::array<MetricAttribute, 1> attributes = {{{"trellis.outcome", done ? "ok" : "failed"}}};
  if (const auto counter = context_.metrics.runtime().counter(kHeartbeats, attributes)) (*counter)->count();
  const auto problem = done ? std::string() : done.error().message;
  if (std::exchange(last_problem_, problem) == problem) return;
  if (done)
    context_.host.log.info("heartbeats go out again", {{"plugin", context_.config.name}});
  else
    context_.host.log.warn(
        "heartbeat not published",
        {{"plugin", context_.config.name}, {"subject", kHeartbeatSubject}, {"detail", done.error().message}});
}

void HealthSurfaces::drain(std::function<void()> done) {
  if (reporter_) reporter_->end_heartbeats();
  done();
}

bool HealthSurfaces::wait_idle(Clock::time_point until) {
  return !reporter_ || reporter_->wait_idle(until);
}

void HealthSurfaces::stop(Clock::time_point) {
  if (reporter_) reporter_->stop();
}

} // namespace trellis::host
