#include "resource_objects.h"
#include "contracts/json_write.h"
#include "platform_streams.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr char kConsumerExists[] = "jetstream_10148"; // with another configuration

std::string on_stream(const std::string &label, const std::string &stream) {
  return label + ", stream " + stream;
}

// The server's own words, with the resource before them.
tl::unexpected<Error> refused_at(const std::string &where, const Error &error, const std::string &expected = {}) {
  return fail(error.code, where, error.message, expected.empty() ? error.expected : expected);
}

tl::unexpected<Error> cannot_change(const std::string &where, const Error &error,
                                    const std::vector<ConfigDifference> &differences) {
  return fail(error.code, where,
              "exists and can't be changed: " + error.message + ": " + differences_text(differences));
}

// An error answer of the server: it did nothing. Everything else may have been done all the same.
bool is_refusal(const Error &error) {
  return error.code.starts_with("jetstream_") && error.code != jetstream_error::kInvalid;
}

// A stream that was made by somebody else between our look and our request isn't ours to delete.
bool is_ours(const Result<JsonDocument> &made) {
  if (!made) return !is_refusal(made.error());
  const JsonValue *created = find_member(*made, "did_create");
  return !created || !created->IsFalse();
}

tl::unexpected<Error> no_configuration(const std::string &where) {
  return fail(jetstream_error::kInvalid, where, "the server's description has no configuration");
}

const JsonValue *config_of(const JsonValue &info) {
  const JsonValue *config = find_member(info, "config");
  return config && config->IsObject() ? config : nullptr;
}

void set_number(JsonDocument &object, const char *name, std::int64_t number) {
  object.RemoveMember(name);
  object.AddMember(rapidjson::StringRef(name), number, object.GetAllocator());
}

// "$O.name." of "$O.name.C.>"
std::string_view own_part(std::string_view subject) {
  return subject.substr(0, subject.find('.', subject.find('.') + 1) + 1);
}

// 09 D1: a bucket has exactly our subject, a store one of its own.
Result<void> check_subjects(const std::string &where, const JsonValue &current, const JsonValue &wanted) {
  const JsonValue *has = find_member(current, "subjects"), *wants = find_member(wanted, "subjects");
  const bool store = wants && wants->IsArray() && wants->Size() > 1;
  const auto fits = [&](const JsonValue &existing) {
    const auto first = text_of((*wants)[0]);
    return store ? text_of(existing).starts_with(own_part(first)) : text_of(existing) == first;
  };
  if (has && has->IsArray() && wants && wants->IsArray() && !wants->Empty() &&
      std::any_of(has->Begin(), has->End(), fits))
    return {};
  return fail("resource_conflict", where, "exists with subjects " + (has ? to_json(*has) : "[]"),
              wants ? to_json(*wants) : "");
}

} // namespace

Result<void> ResourceObjects::ensure_bucket(const std::string &label, const StreamConfig &wanted) {
  return ensure_stream(label, wanted, Scope::own);
}

Result<void> ResourceObjects::ensure_shared(const std::string &label, const StreamConfig &wanted) {
  return ensure_stream(label, wanted, Scope::shared);
}

Result<void> ResourceObjects::ensure_stream(const std::string &label, const StreamConfig &wanted, Scope scope) {
  const std::string where = on_stream(label, wanted.name);
  const auto info = jetstream_.stream_info(wanted.name);
  if (info) return change_stream(where, wanted, *info, scope);
  if (info.error().code != jetstream_error::kStreamNotFound) return refused_at(where, info.error());
  return create_stream(where, wanted, scope);
}

Result<void> ResourceObjects::create_stream(const std::string &where, const StreamConfig &wanted, Scope scope) {
  const auto made = jetstream_.create_stream(wanted.name, wanted.config);
  if (scope == Scope::own && is_ours(made)) created_.push_back({wanted.name, ""});
  if (made) return {};
  if (made.error().code != jetstream_error::kStreamExists) return refused_at(where, made.error());
  const auto info = jetstream_.stream_info(wanted.name); // somebody was faster, with other settings
  if (!info) return refused_at(where, info.error());
  return change_stream(where, wanted, *info, scope);
}

// A shared stream follows the whole of its table, a bucket the members that a definition can change.
Result<void> ResourceObjects::change_stream(const std::string &where, const StreamConfig &wanted,
                                            const JsonDocument &info, Scope scope) {
  const JsonValue *current = config_of(info);
  auto config = parse_json(wanted.config);
  if (!current || !config) return no_configuration(where);
  if (scope == Scope::own)
    if (auto checked = check_subjects(where, *current, *config); !checked) return checked;
  set_number(*config, "num_replicas", kept_replicas(*current, replicas_.count, replicas_.configured));
  if (scope == Scope::own && stream_differences(*current, *config, bucket_members()).empty()) return {};
  const auto differences = stream_differences(*current, *config);
  if (differences.empty()) return {};
  const auto updated = jetstream_.update_stream(wanted.name, overlaid_stream(*current, *config));
  if (!updated) return cannot_change(where, updated.error(), differences);
  return {};
}

Result<void> ResourceObjects::ensure_consumer(const std::string &label, const ConsumerConfig &wanted) {
  const std::string where = on_stream(label, wanted.stream) + ", consumer " + wanted.name;
  const auto config = parse_json(wanted.config);
  if (!config) return tl::make_unexpected(config.error());
  const auto info = jetstream_.consumer_info(wanted.stream, wanted.name);
  if (info) {
    const JsonValue *current = config_of(*info);
    return current ? change_consumer(where, wanted, *current, *config) : no_configuration(where);
  }
  const Error &error = info.error();
  if (error.code == jetstream_error::kConsumerNotFound) return create_consumer(where, wanted, *config);
  const bool lacks_events = error.code == jetstream_error::kStreamNotFound && wanted.stream == kEventStream;
  return refused_at(where, error, lacks_events ? "the stream that the control plane makes when it starts" : "");
}

// Not JetStream::create_consumer, which changes an existing one without a word.
Result<JsonDocument> ResourceObjects::put_consumer(const ConsumerConfig &wanted, const char *action,
                                                   std::string_view config) {
  return jetstream_.api(
      "CONSUMER.DURABLE.CREATE." + wanted.stream + "." + wanted.name,
      JsonObjectText().text("stream_name", wanted.stream).json("config", config).text("action", action).str());
}

Result<void> ResourceObjects::create_consumer(const std::string &where, const ConsumerConfig &wanted,
                                              const JsonValue &config) {
  const auto made = put_consumer(wanted, "create", wanted.config);
  if (made || !is_refusal(made.error())) created_.push_back({wanted.stream, wanted.name});
  if (made) {
    const JsonValue *current = config_of(*made);
    if (!current) return no_configuration(where);
    const auto drift = consumer_differences(*current, config);
    return drift.empty() ? Result<void>()
                         : fail("resource_conflict", where, "was made otherwise: " + differences_text(drift));
  }
  if (made.error().code != kConsumerExists) return refused_at(where, made.error());
  const auto info = jetstream_.consumer_info(wanted.stream, wanted.name); // somebody was faster
  if (!info) return refused_at(where, info.error());
  const JsonValue *current = config_of(*info);
  return current ? change_consumer(where, wanted, *current, config) : no_configuration(where);
}

Result<void> ResourceObjects::change_consumer(const std::string &where, const ConsumerConfig &wanted,
                                              const JsonValue &current, const JsonValue &config) {
  const auto differences = consumer_differences(current, config);
  if (differences.empty()) return {};
  const auto updated = put_consumer(wanted, "update", overlaid_consumer(current, config));
  if (!updated) return cannot_change(where, updated.error(), differences);
  const auto read_back = jetstream_.consumer_info(wanted.stream, wanted.name);
  if (!read_back) return refused_at(where, read_back.error());
  const JsonValue *now = config_of(*read_back);
  if (!now) return no_configuration(where);
  if (const auto drift = consumer_differences(*now, config); !drift.empty())
    return fail("resource_conflict", where, "stays as it was: " + differences_text(drift));
  return {};
}

Result<void> ResourceObjects::remove(const std::string &label, const PhysicalName &name) {
  if (name.stream.empty()) return {};
  const auto removed = name.consumer.empty() ? jetstream_.delete_stream(name.stream)
                                             : jetstream_.delete_consumer(name.stream, name.consumer);
  if (removed) return {};
  const std::string &code = removed.error().code;
  if (code == jetstream_error::kStreamNotFound || code == jetstream_error::kConsumerNotFound) return {};
  std::string where = on_stream(label, name.stream);
  if (!name.consumer.empty()) where += ", consumer " + name.consumer;
  return refused_at(where, removed.error());
}

bool ResourceObjects::undo() {
  for (; !created_.empty(); created_.pop_back())
    if (const auto removed = remove("", created_.back()); !removed && !is_refusal(removed.error())) return false;
  return true;
}

} // namespace trellis::auth
