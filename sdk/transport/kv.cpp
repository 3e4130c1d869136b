#include "transport/kv.h"
#include "contracts/json_write.h"
#include "contracts/resource_configs.h"
#include "transport/jetstream_messages.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis {
namespace {

using std::chrono::nanoseconds;

constexpr char kOperation[] = "KV-Operation";
constexpr char kExpectedSequence[] = "Nats-Expected-Last-Subject-Sequence";

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '/' ||
         c == '=' || c == '_';
}
bool is_key_token(std::string_view token) {
  return !token.empty() && std::all_of(token.begin(), token.end(), is_key_character);
}

// Whether every token of `text` is one of a key, or one that `wild(token, is_last)` allows.
template <class Wild>
bool tokens_hold(std::string_view text, Wild wild) {
  for (;;) {
    const auto dot = text.find('.');
    const auto token = text.substr(0, dot);
    const bool last = dot == std::string_view::npos;
    if (!is_key_token(token) && !wild(token, last)) return false;
    if (last) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_bucket(std::string_view name) {
  return is_key_token(name) && name.find_first_of("/=") == std::string_view::npos;
}

tl::unexpected<Error> bad_key(std::string_view key) {
  return fail(kv_error::kInvalidKey, std::string(key), "is no key of a bucket", "tokens of A-Za-z0-9-/=_ with dots");
}

bool is_refused_sequence(const Error &error) {
  return error.code == jetstream_error::kWrongLastSequence || error.code == jetstream_error::kWrongLastSequenceConstant;
}

// What a delete, a purge or the server's own expiry leaves behind.
bool is_marker(const StoredMessage &message) {
  const auto operation = header_of(message, kOperation);
  return operation == "DEL" || operation == "PURGE" || !header_of(message, "Nats-Marker-Reason").empty();
}

Headers expecting(std::uint64_t revision) {
  return {{kExpectedSequence, std::to_string(revision)}};
}

std::int64_t in_nanoseconds(std::chrono::milliseconds time) {
  return std::chrono::duration_cast<nanoseconds>(time).count();
}

std::int64_t integer_of(const JsonValue &config, const char *name) {
  const JsonValue *value = find_member(config, name);
  return value != nullptr && value->IsInt64() ? value->GetInt64() : 0;
}

void set_integer(JsonDocument &config, const char *name, std::int64_t number) {
  config.RemoveMember(name);
  config.AddMember(rapidjson::StringRef(name), number, config.GetAllocator());
}

// Makes 02 §7.7's changes to an existing bucket's configuration; false when there are none.
bool adjust(JsonDocument &config, const KvConfig &wanted) {
  bool changed = false;
  const std::int64_t age = integer_of(config, "max_age");
  const std::int64_t wanted_age = in_nanoseconds(wanted.ttl);
  if (age != 0 && (wanted_age == 0 || age < wanted_age)) {
    set_integer(config, "max_age", wanted_age);
    changed = true;
  }
  const std::int64_t replicas = integer_of(config, "num_replicas");
  if (replicas < wanted.replicas || (wanted.lower_replicas && replicas != wanted.replicas)) {
    set_integer(config, "num_replicas", wanted.replicas);
    changed = true;
  }
  return changed;
}

Result<void> adjust_existing(JetStream &jetstream, const std::string &stream, const JsonDocument &info,
                             const KvConfig &wanted) {
  const JsonValue *current = find_member(info, "config");
  if (current == nullptr || !current->IsObject())
    return fail(jetstream_error::kInvalid, stream, "the stream's description has no configuration");
  JsonDocument config;
  config.CopyFrom(*current, config.GetAllocator());
  if (!adjust(config, wanted)) return {};
  const auto updated = jetstream.update_stream(stream, to_json(config));
  if (!updated) return tl::make_unexpected(updated.error());
  return {};
}

} // namespace

std::string kv_stream_config(const KvConfig &config) {
  KvBinding bucket;
  bucket.bucket = config.bucket;
  bucket.history = config.history;
  bucket.ttl_ms = config.ttl.count();
  if (config.max_value_bytes >= 0) bucket.max_value_bytes = config.max_value_bytes;
  return kv_stream(bucket, config.replicas).config;
}

bool is_kv_key(std::string_view text) {
  return tokens_hold(text, [](std::string_view, bool) { return false; });
}

bool is_kv_filter(std::string_view text) {
  return tokens_hold(text, [](std::string_view token, bool last) { return token == "*" || (last && token == ">"); });
}

Kv::Kv(Transport &transport, std::string bucket, std::chrono::milliseconds timeout)
    : jetstream_(transport, timeout), bucket_(std::move(bucket)), stream_("KV_" + bucket_),
      prefix_("$KV." + bucket_ + ".") {}

Result<void> Kv::ensure(Transport &transport, const KvConfig &config) {
  if (!is_bucket(config.bucket))
    return fail(kv_error::kInvalidKey, config.bucket, "is no name of a bucket", "A-Za-z0-9-_");
  JetStream jetstream(transport);
  const std::string stream = "KV_" + config.bucket;
  auto info = jetstream.stream_info(stream);
  if (!info && info.error().code == jetstream_error::kStreamNotFound) {
    const auto created = jetstream.create_stream(stream, kv_stream_config(config));
    if (created) return {};
    if (created.error().code != jetstream_error::kStreamExists) return tl::make_unexpected(created.error());
    info = jetstream.stream_info(stream); // somebody was faster, with other settings
  }
  if (!info) return tl::make_unexpected(info.error());
  return adjust_existing(jetstream, stream, *info, config);
}

Result<std::optional<KvEntry>> Kv::get(std::string_view key) {
  if (!is_kv_key(key)) return bad_key(key);
  auto last = jetstream_.last_on_leader(stream_, prefix_ + std::string(key));
  if (!last) return tl::make_unexpected(last.error());
  if (!*last || is_marker(**last)) return std::nullopt;
  return KvEntry{std::string(key), std::move((**last).payload), (**last).sequence};
}

Result<std::uint64_t> Kv::store(std::string_view key, std::string_view value, const Headers &headers) {
  if (!is_kv_key(key)) return bad_key(key);
  const auto ack = jetstream_.publish(prefix_ + std::string(key), value, headers.empty() ? nullptr : &headers);
  if (ack) return ack->sequence;
  if (is_refused_sequence(ack.error()))
    return fail(kv_error::kChanged, std::string(key), "was changed by somebody else: " + ack.error().message);
  return tl::make_unexpected(ack.error());
}

Result<std::uint64_t> Kv::put(std::string_view key, std::string_view value) {
  return store(key, value, {});
}

Result<std::uint64_t> Kv::update(std::string_view key, std::string_view value, std::uint64_t revision) {
  return store(key, value, expecting(revision));
}

// A marker counts as no key, but the server compares sequences only: the second attempt replaces that very marker.
Result<std::uint64_t> Kv::create(std::string_view key, std::string_view value) {
  const auto refused = [](const Result<std::uint64_t> &stored) {
    return !stored && stored.error().code == kv_error::kChanged;
  };
  const auto exists = [&] { return fail(kv_error::kExists, std::string(key), "exists already"); };
  auto stored = store(key, value, expecting(0));
  if (!refused(stored)) return stored;
  const auto last = jetstream_.last_on_leader(stream_, prefix_ + std::string(key));
  if (!last) return tl::make_unexpected(last.error());
  if (*last && !is_marker(**last)) return exists();
  stored = store(key, value, expecting(*last ? (**last).sequence : 0));
  if (refused(stored)) return exists(); // somebody else's create came in between
  return stored;
}

Result<void> Kv::erase(std::string_view key) {
  const auto stored = store(key, {}, {{kOperation, "DEL"}});
  if (!stored) return tl::make_unexpected(stored.error());
  return {};
}

Result<void> Kv::erase(std::string_view key, std::uint64_t revision) {
  Headers headers = expecting(revision);
  headers.push_back({kOperation, "DEL"});
  const auto stored = store(key, {}, headers);
  if (!stored) return tl::make_unexpected(stored.error());
  return {};
}

Result<std::vector<std::string>> Kv::keys(std::string_view filter) {
  auto found = entries(filter);
  if (!found) return tl::make_unexpected(found.error());
  std::vector<std::string> out;
  out.reserve(found->size());
  for (auto &entry : *found)
    out.push_back(std::move(entry.key));
  return out;
}

// Through the list of subjects and not a consumer: that needs no inbox of ours, leaves nothing behind on the server,
// and the few keys of one session cost two round trips.
Result<std::vector<KvEntry>> Kv::entries(std::string_view filter) {
  if (!is_kv_filter(filter)) return bad_key(filter);
  const auto subjects = jetstream_.subjects(stream_, prefix_ + std::string(filter));
  if (!subjects) return tl::make_unexpected(subjects.error());
  auto messages = jetstream_.last_on_each(stream_, *subjects);
  if (!messages) return tl::make_unexpected(messages.error());
  std::vector<KvEntry> out;
  for (auto &message : *messages) {
    if (is_marker(message) || !message.subject.starts_with(prefix_)) continue;
    out.push_back({message.subject.substr(prefix_.size()), std::move(message.payload), message.sequence});
  }
  return out; // sorted: the subjects were, and all have the same prefix
}

} // namespace trellis
