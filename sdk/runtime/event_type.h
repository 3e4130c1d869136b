// What a runtime knows of one event, compiled once from the contract that owns it and then shared by all threads.
#pragma once

#include "contracts/schema.h"
#include <string>
#include <string_view>

namespace trellis {

class Manifest;

struct EventType {
  std::string contract_id; // whose event it is
  std::string name;        // "Billing.Paid"
  std::string subject;     // the template: "events.v1.Billing.Paid.{/account/region}"
  Schema payload;          // of the whole payload, `header` included (06 §6.1)
};

// Compiles the event called `name`. Errors: "unknown_event", "unknown_schema_ref", and those of Schema::compile with
// the schema's pointer.
Result<EventType> compile_event(const Manifest &manifest, std::string_view name);

} // namespace trellis
