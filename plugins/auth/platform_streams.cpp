#include "platform_streams.h"
#include "contracts/json_write.h"
#include "transport/kv.h"
#include "wire/presence.h"
#include <algorithm>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr char kEvents[] = "events.>";

// Longer than a century is a century: nanoseconds, JetStream's unit, end at 292 years.
std::chrono::milliseconds milliseconds_of(double number) {
  constexpr double kCentury = 100.0 * 365 * 24 * 3600 * 1000;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(number, 0.0, kCentury)));
}

std::string event_stream_config(Replicas replicas) {
  return JsonObjectText()
      .text("name", kEventStream)
      .texts("subjects", {kEvents})
      .text("retention", "limits")
      .text("storage", "file")
      .number("num_replicas", replicas.count)
      .str();
}

bool captures_events(const JsonDocument &info) {
  const JsonValue *config = find_member(info, "config");
  const JsonValue *subjects = config == nullptr ? nullptr : find_member(*config, "subjects");
  if (subjects == nullptr || !subjects->IsArray()) return false;
  return std::any_of(subjects->Begin(), subjects->End(),
                     [](const JsonValue &subject) { return pattern_covers(text_of(subject), kEvents); });
}

// An existing stream is left as it is, whoever made it.
Result<void> ensure_event_stream(Core &core, Transport &trellis, Replicas replicas) {
  JetStream jetstream(trellis);
  auto info = jetstream.stream_info(kEventStream);
  if (!info && info.error().code == jetstream_error::kStreamNotFound) {
    const auto created = jetstream.create_stream(kEventStream, event_stream_config(replicas));
    if (created) return {};
    if (created.error().code != jetstream_error::kStreamExists) return tl::make_unexpected(created.error());
    info = jetstream.stream_info(kEventStream); // somebody was faster, with other settings
  }
  if (!info) return tl::make_unexpected(info.error());
  if (!captures_events(*info))
    core.log(Level::warn, "stream trellis doesn't capture events.>: events may be lost",
             JsonObjectText().text("stream", kEventStream).text("expected", kEvents).str());
  return {};
}

std::string_view next_token(std::string_view &rest) {
  const auto dot = rest.find('.');
  const auto token = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  return token;
}

} // namespace

bool pattern_covers(std::string_view outer, std::string_view inner) {
  while (!outer.empty() && !inner.empty()) {
    const auto wide = next_token(outer);
    const auto narrow = next_token(inner);
    if (wide == ">") return true;
    if (narrow == ">" || (wide != "*" && wide != narrow)) return false;
  }
  return outer.empty() && inner.empty();
}

Replicas choose_replicas(Core &core, Transport &system) {
  if (core.config.replicas) return {static_cast<int>(*core.config.replicas), true};
  const auto probed = probe_replicas(system);
  if (probed) return {*probed, false};
  core.log(Level::warn, "the JetStream cluster's size is unknown: new streams get one replica",
           JsonObjectText().text("error", probed.error().text()).str());
  return {};
}

Result<void> ensure_platform_streams(Core &core, Transport &auth, Transport &trellis, Replicas replicas) {
  if (auto made = ensure_event_stream(core, trellis, replicas); !made) return made;
  const auto &ttl = core.config.ttl_ms;
  const struct {
    const char *bucket;
    double ttl;
  } buckets[] = {
      {kOauthStatesBucket, ttl.oauth},
      {kPendingAuthBucket, ttl.pending_auth},
      {kBrowserFlowsBucket, std::max(ttl.oauth, ttl.device_flow)},
      {kConnectionsBucket, ttl.connections},
      {kStateBucket, 0},
  };
  for (const auto &[bucket, bucket_ttl] : buckets) {
    auto made = Kv::ensure(auth, {.bucket = bucket,
                                  .ttl = milliseconds_of(bucket_ttl),
                                  .replicas = replicas.count,
                                  .lower_replicas = replicas.configured});
    if (!made) return made;
  }
  return {};
}

} // namespace trellis::auth
