// Step 9 of the pipeline: events' subjects, params, and the places in their schemas that they point to (01 §8.2).
#include "contracts/canonical.h"
#include "contracts/event_pointers.h"
#include "contracts/event_template.h"
#include "contracts/manifest_steps.h"
#include "contracts/name_index.h"

namespace trellis {
namespace {

struct EventPointers {
  std::string_view event, schema;
  std::vector<std::string_view> pointers;
};

std::string quoted_list(const std::vector<std::string_view> &texts) {
  std::string out;
  for (const auto text : texts)
    out += (out.empty() ? "" : ", ") + canonical_string(text);
  return texts.empty() ? "no pointer" : out;
}

// 8.2 steps 1 to 3 for one event.
Result<EventPointers> check_template(const std::string &name, const EventSurface &event) {
  auto pointers = template_pointers(event.subject);
  if (!pointers) {
    pointers.error().where = json_pointer("events", name, "subject");
    return tl::make_unexpected(pointers.error());
  }
  const std::vector<std::string_view> params(names_in(event.params).begin(), names_in(event.params).end());
  for (std::size_t i = 0; i < params.size(); ++i)
    if (!is_payload_pointer(params[i]))
      return fail("event_param_pointer", json_pointer("events", name, "params", std::to_string(i)),
                  canonical_string(params[i]) + " is not a JSON pointer", "\"~\" only as \"~0\" or \"~1\"");
  if (params != *pointers)
    return fail("event_params_mismatch", json_pointer("events", name, "params"),
                "lists " + quoted_list(params) + " while the subject has " + quoted_list(*pointers),
                "the pointers of the subject, in their order");
  return EventPointers{name, event.event, std::move(*pointers)};
}

std::optional<Error> judge(const EventPointers &event, std::string_view pointer, const PointerVerdicts &verdicts) {
  const auto found = verdicts.find(pointer);
  const std::string where = json_pointer("events", event.event, "subject");
  const std::string what = canonical_string(pointer) + " in schema " + canonical_string(event.schema);
  if (found == verdicts.end())
    return Error{"event_pointer_missing",
                 where,
                 what + " does not exist",
                 "a path through properties (arrays are not followed)",
                 {}};
  if (!found->second)
    return Error{"event_pointer_not_tokenable",
                 where,
                 what + " is not always a string or a number",
                 "type string, number or integer in every alternative",
                 {}};
  return std::nullopt;
}

} // namespace

std::optional<Error> check_events(const ManifestModel &model) {
  std::vector<EventPointers> events;
  std::optional<Error> template_error; // of the event after the last of `events`
  std::unordered_map<std::string_view, std::vector<std::string_view>> by_schema;
  for (const auto &[name, event] : entries_of(model.events)) {
    auto checked = check_template(name, event);
    if (!checked) {
      template_error = std::move(checked.error());
      break;
    }
    auto &pointers = by_schema[checked->schema];
    pointers.insert(pointers.end(), checked->pointers.begin(), checked->pointers.end());
    events.push_back(std::move(*checked));
  }
  const NameIndex schemas(model.schemas);
  std::unordered_map<std::string_view, PointerVerdicts> verdicts;
  for (auto &[schema, pointers] : by_schema)
    verdicts.emplace(schema, resolve_pointers(**schemas.find(schema), std::move(pointers)));
  for (const auto &event : events)
    for (const auto pointer : event.pointers)
      if (auto error = judge(event, pointer, verdicts.at(event.schema))) return error;
  return template_error;
}

} // namespace trellis
