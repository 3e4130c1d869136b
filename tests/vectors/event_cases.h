// The procedures of event-wire, one a kind, and what they share: the fixtures' events and a connected participant.
#pragma once

#include "contracts/manifest.h"
#include "runner.h"
#include "runtime/event_type.h"
#include <memory>
#include <stdexcept>

namespace trellis::vectors::events {

JsonDocument prepare(const Input &input, const CaseContext &context);
JsonDocument publish(const Input &input, const CaseContext &context);
JsonDocument ephemeral(const Input &input, const CaseContext &context);
JsonDocument durable(const Input &input, const CaseContext &context);
JsonDocument outbox(const Input &input, const CaseContext &context);
JsonDocument inbox(const Input &input, const CaseContext &context);

Manifest fixture_contract(const CaseContext &context);
std::shared_ptr<const EventType> fixture_event(const CaseContext &context, std::string_view name);

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + " " + result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

} // namespace trellis::vectors::events
