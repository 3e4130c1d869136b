#include "wire/job_codec.h"

#include "wire/names.h"
#include <algorithm>
#include <array>

namespace trellis {
namespace {

constexpr std::array<std::pair<JobState, std::string_view>, 9> kStates = {{{JobState::pending, "pending"},
                                                                           {JobState::active, "active"},
                                                                           {JobState::retry, "retry"},
                                                                           {JobState::completed, "completed"},
                                                                           {JobState::failed, "failed"},
                                                                           {JobState::cancelled, "cancelled"},
                                                                           {JobState::expired, "expired"},
                                                                           {JobState::dead, "dead"},
                                                                           {JobState::dismissed, "dismissed"}}};
constexpr std::array<std::pair<JobLogLevel, std::string_view>, 3> kLevels = {
    {{JobLogLevel::info, "info"}, {JobLogLevel::warn, "warn"}, {JobLogLevel::error, "error"}}};

std::optional<JobLogLevel> level_of(std::string_view name) {
  for (const auto &[level, text] : kLevels)
    if (text == name) return level;
  return std::nullopt;
}

std::string_view level_name(JobLogLevel level) {
  return kLevels.at(static_cast<std::size_t>(level)).second;
}

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Its parts, not whether they are zero: that only matters to tracing.
bool is_traceparent(std::string_view text) {
  return text.size() == 55 && text[2] == '-' && text[35] == '-' && text[52] == '-' && is_lower_hex(text.substr(0, 2)) &&
         is_lower_hex(text.substr(3, 32)) && is_lower_hex(text.substr(36, 16)) && is_lower_hex(text.substr(53));
}

void check_patterns(const RecordReader &reader, const JobContext &context) {
  if (context.request_id.empty()) reader.report("requestId", "a non-empty string");
  if (context.trace_id.size() != 32 || !is_lower_hex(context.trace_id))
    reader.report("traceId", "32 lower-case hex digits");
  if (!is_traceparent(context.traceparent)) reader.report("traceparent", "a W3C traceparent");
  if (context.tracestate && context.tracestate->empty()) reader.report("tracestate", "a non-empty string");
}

Job read_job(const RecordReader &reader) {
  Job job;
  job.id = reader.text("id");
  job.service = reader.text("service");
  job.type = reader.text("type");
  job.state = reader.word("state", job_state_of, kJobStates);
  job.context = read_job_context(reader.object("context"), JobChecks::types_only);
  job.payload = reader.json("payload");
  job.result = reader.optional_json("result");
  job.created_at = reader.text("createdAt");
  job.updated_at = reader.text("updatedAt");
  job.started_at = reader.optional_text("startedAt");
  job.completed_at = reader.optional_text("completedAt");
  job.tries = reader.integer("tries");
  job.max_tries = reader.integer("maxTries");
  job.last_error = reader.optional_text("lastError");
  job.deadline = reader.optional_text("deadline");
  if (reader.has("progress")) job.progress = read_job_progress(reader.object("progress"));
  if (reader.has("logs"))
    job.logs = reader.list("logs", [](const RecordReader &log) { return read_job_log(log, JobChecks::types_only); });
  return job;
}

} // namespace

std::string_view job_state_name(JobState state) {
  return kStates.at(static_cast<std::size_t>(state)).second;
}

std::optional<JobState> job_state_of(std::string_view name) {
  for (const auto &[state, text] : kStates)
    if (text == name) return state;
  return std::nullopt;
}

bool is_terminal(JobState state) {
  return state != JobState::pending && state != JobState::active && state != JobState::retry;
}

JobContext read_job_context(const RecordReader &reader, JobChecks checks) {
  JobContext context{reader.text("requestId"), reader.text("traceId"), reader.text("traceparent"),
                     reader.optional_text("tracestate")};
  if (checks == JobChecks::strict) check_patterns(reader, context);
  return context;
}

JobProgress read_job_progress(const RecordReader &reader) {
  return {reader.optional_text("step"), reader.optional_text("message"), reader.optional_integer("current"),
          reader.optional_integer("total")};
}

JobLog read_job_log(const RecordReader &reader, JobChecks checks) {
  return {read_job_time(reader, "timestamp", checks), reader.word("level", level_of, "info, warn or error"),
          reader.text("message")};
}

std::string read_job_time(const RecordReader &reader, std::string_view name, JobChecks checks) {
  return checks == JobChecks::strict ? reader.time(name) : reader.text(name);
}

std::optional<std::string> read_optional_job_time(const RecordReader &reader, std::string_view name, JobChecks checks) {
  return checks == JobChecks::strict ? reader.optional_time(name) : reader.optional_text(name);
}

std::string to_json(const JobContext &context) {
  JsonObjectText out;
  out.text("requestId", context.request_id).text("traceId", context.trace_id).text("traceparent", context.traceparent);
  add_text(out, "tracestate", context.tracestate);
  return out.str();
}

std::string to_json(const JobProgress &progress) {
  JsonObjectText out;
  add_text(out, "step", progress.step);
  add_text(out, "message", progress.message);
  add_number(out, "current", progress.current);
  add_number(out, "total", progress.total);
  return out.str();
}

std::string to_json(const std::vector<JobLog> &logs) {
  return json_array(logs, [](const JobLog &log) {
    return JsonObjectText()
        .text("timestamp", log.timestamp)
        .text("level", level_name(log.level))
        .text("message", log.message)
        .str();
  });
}

std::string to_json(const Job &job) {
  JsonObjectText out;
  out.text("id", job.id).text("service", job.service).text("type", job.type);
  out.text("state", job_state_name(job.state)).json("context", to_json(job.context)).json("payload", job.payload);
  add_json(out, "result", job.result);
  out.text("createdAt", job.created_at).text("updatedAt", job.updated_at);
  add_text(out, "startedAt", job.started_at);
  add_text(out, "completedAt", job.completed_at);
  out.number("tries", job.tries).number("maxTries", job.max_tries);
  add_text(out, "lastError", job.last_error);
  add_text(out, "deadline", job.deadline);
  if (job.progress) out.json("progress", to_json(*job.progress));
  if (job.logs) out.json("logs", to_json(*job.logs));
  return out.str();
}

Result<Job> parse_job(std::string_view text) {
  return read_record(text, read_job, Nulls::are_absent);
}

std::vector<std::pair<std::string, std::string>> job_headers(const JobContext &context) {
  std::vector<std::pair<std::string, std::string>> headers = {{wire::kRequestId, context.request_id},
                                                              {wire::kTraceparent, context.traceparent}};
  if (context.tracestate) headers.emplace_back(wire::kTracestate, *context.tracestate);
  return headers;
}

} // namespace trellis
