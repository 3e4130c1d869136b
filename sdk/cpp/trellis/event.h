// Listening to events in C++: what Service::on_event takes.
//
//   service.on_event<acme::orders::events::OrderPlaced>("ledger",       // a group of eventConsumers: durable
//       [](const acme::orders::OrderPlaced &order, trellis::Event &event) { ... });
//   service.on_live_event<Placed>([](const Order &order, trellis::Event &) { ... });
//
// A handler runs on a worker of the plugin. A durable event is acknowledged when its handler returns; when it throws,
// the event comes again after the group's backoff, to all handlers of the event, up to the group's maxDeliver. So a
// handler either can run twice, or remembers what it has seen (trellis/inbox.h). A live event whose handler throws is
// lost with a log line.
#pragma once

#include "trellis/call.h"
#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace trellis {

// One event that arrived. As an RpcCaller and EventPublisher it works in the event's trace. Lives during the handler.
class Event final : public HostCaller {
public:
  Event(const trellis_host *host, const trellis_event_delivery &delivery)
      : HostCaller(host, delivery.traceparent, delivery.tracestate), delivery_(delivery) {}

  std::string_view contract_id() const { return view(delivery_.contract_id); }
  std::string_view name() const { return view(delivery_.name); }
  std::string_view payload() const { return view(delivery_.payload); } // JSON object, `header` included
  std::string_view subject() const { return view(delivery_.subject); }
  std::string_view id() const { return view(delivery_.id); } // header.id, or ""
  std::int64_t time_unix_ms() const { return delivery_.time_unix_ms; }
  std::string_view group() const { return view(delivery_.group); } // "": live
  std::uint64_t sequence() const { return delivery_.sequence; }    // of the stream; live: 0
  std::uint32_t delivery() const { return delivery_.delivery; }    // durable: 1 = the first
  bool is_durable() const { return delivery_.group.size > 0; }

private:
  const trellis_event_delivery &delivery_;
};

// The listeners of one Service, and their entries in its table. Each gets a C function of its own, because a delivery
// doesn't say which listener it is for.
class EventListeners {
public:
  using Handler = std::function<void(Event &)>;
  static constexpr std::size_t kMost = 64;

  // `group` "": live, and then `subject_data`, a JSON object, may fix tokens of the subject.
  void add(const EventName &event, std::string group, std::string subject_data, Handler handler) {
    if (listeners_.size() == kMost) throw std::length_error("a service has at most 64 event listeners");
    listeners_.push_back({std::string(event.contract_id), std::string(event.name), std::move(group),
                          std::move(subject_data), std::move(handler)});
  }

  // `Owner` is what the table's self points to; its event_listeners() and host() are used.
  template <class Owner>
  void add_entries(std::deque<trellis_handler> &entries) const {
    static constexpr auto kFunctions = functions<Owner>(std::make_index_sequence<kMost>());
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
      const auto &listener = listeners_[i];
      trellis_handler &entry = entries.emplace_back();
      entry.size = sizeof(trellis_handler);
      entry.kind = TRELLIS_SURFACE_EVENT;
      entry.contract_id = str(listener.contract_id);
      entry.name = str(listener.name);
      entry.event = kFunctions[i];
      entry.group = str(listener.group);
      entry.subject_data = str(listener.subject_data);
    }
  }

private:
  struct Listener {
    std::string contract_id, name, group, subject_data;
    Handler handler;
  };

  template <class Owner, std::size_t... Index>
  static constexpr std::array<trellis_event_fn, kMost> functions(std::index_sequence<Index...>) {
    return {&EventListeners::run<Owner, Index>...};
  }

  template <class Owner, std::size_t Index>
  static trellis_status run(void *self, const trellis_event_delivery *delivery, trellis_error_sink error) noexcept {
    auto &owner = *static_cast<Owner *>(self);
    try {
      Event event(owner.host(), *delivery);
      owner.event_listeners().listeners_[Index].handler(event);
      return TRELLIS_OK;
    } catch (const std::exception &problem) {
      report(error, problem.what());
    } catch (...) {
      report(error, "the handler threw something that is no std::exception");
    }
    return TRELLIS_E_FAILED;
  }

  static void report(trellis_error_sink sink, std::string_view message) {
    const trellis_error error{sizeof(trellis_error), 0, str("UnexpectedError"), str(message), {}, {}};
    if (sink.report) sink.report(sink.context, &error);
  }

  std::deque<Listener> listeners_;
};

} // namespace trellis
