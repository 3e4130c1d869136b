#include "event_surfaces.h"

#include "abi/abi_values.h"
#include "generation.h"
#include "hosting/contract_directory.h"
#include "hosting/host_api.h"
#include "hosting/workers.h"
#include "log/log.h"
#include "nats/nats_transport.h"
#include "runtime/metrics_surfaces.h"
#include "wire/session_key.h"

namespace trellis::host {
namespace {

CallEvent::Kind kind_of(EventReport::Kind kind) {
  switch (kind) {
  case EventReport::Kind::undecodable: return CallEvent::Kind::event_undecodable;
  case EventReport::Kind::given_up: return CallEvent::Kind::event_lost;
  case EventReport::Kind::dropped: return CallEvent::Kind::event_dropped;
  case EventReport::Kind::crowded: return CallEvent::Kind::event_waits;
  case EventReport::Kind::restarting: return CallEvent::Kind::group_restarting;
  default: return CallEvent::Kind::event_failed;
  }
}

Result<void> call(const trellis_handler &handler, void *self, const EventDelivery &event) {
  const trellis_event_delivery out{sizeof(trellis_event_delivery),
                                   event.delivery,
                                   str(event.type->contract_id),
                                   str(event.type->name),
                                   str(event.payload),
                                   str(event.subject),
                                   str(event.id),
                                   event.time_unix_ms,
                                   str(event.group),
                                   event.sequence,
                                   str(event.traceparent),
                                   str(event.tracestate)};
  ErrorText words;
  const auto status = handler.event(self, &out, words.sink());
  if (status == TRELLIS_OK) return {};
  return fail("handler_failed", event.id, words.text("the handler failed with status " + std::to_string(status)));
}

std::vector<EventRegistration> registrations_of(const trellis_plugin &plugin) {
  std::vector<EventRegistration> out;
  for (std::uint32_t i = 0; i < plugin.handler_count; ++i) {
    const auto &handler = *plugin.handlers[i];
    if (handler.kind != TRELLIS_SURFACE_EVENT) continue;
    const bool has_group = TRELLIS_HAS(trellis_handler, &handler, group);
    const bool has_data = TRELLIS_HAS(trellis_handler, &handler, subject_data);
    out.push_back({std::string(view(handler.contract_id)), std::string(view(handler.name)),
                   std::string(has_group ? view(handler.group) : std::string_view{}),
                   std::string(has_data ? view(handler.subject_data) : std::string_view{}),
                   [&handler, self = plugin.self](const EventDelivery &event) { return call(handler, self, event); }});
  }
  return out;
}

void report(const SurfaceContext &context, const EventReport &report) {
  const auto &log = context.host.log;
  if (report.kind == EventReport::Kind::listening)
    return log.info("consumer group started",
                    {{"plugin", context.config.name}, {"group", report.name}, {"detail", report.detail}});
  if (report.kind == EventReport::Kind::not_started)
    return log.warn("event listener not started",
                    {{"plugin", context.config.name}, {"surface", report.name}, {"detail", report.detail}});
  count_listener_error(context.metrics.errors(), report);
  for (std::uint64_t i = 0; i < report.times; ++i)
    context.report({kind_of(report.kind), report.name, report.detail});
}

EventWiringConfig wiring_config(const SurfaceContext &context, std::string bindings) {
  return {context.contracts,
          find_in(context.host.contracts),
          registrations_of(context.plugin),
          std::move(bindings),
          context.key.inbox_prefix(),
          context.config.limits.queue,
          [&workers = context.workers](const EventTask &task) {
            return workers.post({task.run, task.owner, task.argument, task.name});
          },
          [context](const EventReport &event) { report(context, event); },
          &context.metrics.runtime()};
}

} // namespace

EventSurfaces::EventSurfaces(const SurfaceContext &context, std::string bindings)
    : wiring_(context.transport, wiring_config(context, std::move(bindings))) {}

} // namespace trellis::host
