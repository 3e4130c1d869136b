#include "runtime/event_type.h"

#include "contracts/manifest.h"
#include <utility>

namespace trellis {

Result<EventType> compile_event(const Manifest &manifest, std::string_view name) {
  const auto &events = manifest.model().events;
  const auto *surface = events ? find_named(*events, name) : nullptr;
  if (!surface)
    return fail("unknown_event", std::string(name), "the contract has no such event", "an event of " + manifest.id());
  const auto pointer = json_pointer("schemas", surface->event);
  const auto *schema = manifest.schema(surface->event);
  if (!schema) return fail("unknown_schema_ref", pointer, "there is no such schema", "a schema of the contract");
  auto compiled = Schema::compile(*schema);
  if (!compiled) {
    compiled.error().where.insert(0, pointer);
    return tl::make_unexpected(std::move(compiled.error()));
  }
  return EventType{manifest.id(), std::string(name), surface->subject, std::move(*compiled)};
}

} // namespace trellis
