#include "wire/worker_heartbeat.h"

#include "wire/instant.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"

namespace trellis {
namespace {

WorkerHeartbeat read_heartbeat(const RecordReader &reader) {
  WorkerHeartbeat heartbeat;
  heartbeat.service = reader.non_empty("service");
  heartbeat.job_type = reader.non_empty("jobType");
  heartbeat.instance_id = reader.non_empty("instanceId");
  heartbeat.concurrency = reader.optional_integer("concurrency", 1);
  heartbeat.version = reader.optional_non_empty("version");
  heartbeat.timestamp = reader.text("timestamp");
  return heartbeat;
}

bool is_token(std::string_view text) {
  return !text.empty() && text.find('.') == std::string_view::npos;
}

} // namespace

std::string heartbeat_subject(const WorkerHeartbeat &heartbeat) {
  return "trellis.jobs.workers." + heartbeat.service + "." + heartbeat.job_type + "." + heartbeat.instance_id +
         ".heartbeat";
}

std::string to_json(const WorkerHeartbeat &heartbeat) {
  JsonObjectText out;
  out.text("service", heartbeat.service).text("jobType", heartbeat.job_type).text("instanceId", heartbeat.instance_id);
  add_number(out, "concurrency", heartbeat.concurrency);
  add_text(out, "version", heartbeat.version);
  return out.text("timestamp", heartbeat.timestamp).str();
}

Result<WorkerHeartbeat> parse_heartbeat(std::string_view text) {
  return read_record(text, read_heartbeat, Nulls::are_absent);
}

// Seven tokens, so that "a.b" as service and "c" as job type can't pass for "a" and "b.c".
Result<WorkerHeartbeat> parse_heartbeat(std::string_view subject, std::string_view text) {
  auto heartbeat = parse_heartbeat(text);
  if (!heartbeat) return heartbeat;
  const bool tokens = is_token(heartbeat->service) && is_token(heartbeat->job_type) && is_token(heartbeat->instance_id);
  if (tokens && subject == heartbeat_subject(*heartbeat)) return heartbeat;
  return fail("subject_mismatch", std::string(subject), "a heartbeat of another worker than its subject says",
              heartbeat_subject(*heartbeat));
}

bool replaces(const WorkerHeartbeat &next, const WorkerHeartbeat &stored) {
  return unix_nanoseconds(stored.timestamp) <= unix_nanoseconds(next.timestamp);
}

bool is_fresh_worker(const WorkerHeartbeat &heartbeat, std::int64_t now_ns) {
  return unix_nanoseconds(heartbeat.timestamp) >= now_ns - kHeartbeatFreshMs * 1'000'000;
}

} // namespace trellis
