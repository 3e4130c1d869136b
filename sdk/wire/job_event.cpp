#include "wire/job_event.h"

#include "wire/job_codec.h"
#include <array>

namespace trellis {
namespace {

constexpr std::array<std::string_view, 12> kTypes = {"created", "started",   "progress", "logged",
                                                     "retry",   "completed", "failed",   "cancelled",
                                                     "expired", "dead",      "retried",  "dismissed"};
constexpr std::string_view kExpectedType = "created, started, progress, logged, retry, completed, failed, cancelled, "
                                           "expired, dead, retried or dismissed";

JobEvent read_event(const RecordReader &reader, JobEventReader who) {
  const JobChecks checks = who == JobEventReader::local_snapshot ? JobChecks::strict : JobChecks::types_only;
  const auto name = [&](std::string_view member) {
    return checks == JobChecks::strict ? reader.non_empty(member) : reader.text(member);
  };
  JobEvent event;
  event.job_id = name("jobId");
  event.service = name("service");
  event.job_type = name("jobType");
  event.type = reader.word("eventType", job_event_type_of, kExpectedType);
  event.state = reader.word("state", job_state_of, kJobStates);
  event.previous_state = reader.optional_word("previousState", job_state_of, kJobStates);
  event.context = read_job_context(reader.object("context"), checks);
  event.tries = reader.integer("tries");
  event.max_tries = reader.optional_integer("maxTries", checks == JobChecks::strict ? 1 : 0);
  event.payload = reader.optional_json("payload");
  event.deadline = read_optional_job_time(reader, "deadline", checks);
  event.result = reader.optional_json("result");
  event.error = reader.optional_text("error");
  if (reader.has("progress")) event.progress = read_job_progress(reader.object("progress"));
  if (reader.has("logs"))
    event.logs = reader.list("logs", [&](const RecordReader &log) { return read_job_log(log, checks); });
  event.timestamp = read_job_time(reader, "timestamp", checks);
  if (who == JobEventReader::projection && event.payload == "null") event.payload.reset();
  if (who != JobEventReader::local_snapshot && event.result == "null") event.result.reset();
  return event;
}

// An event of a running or otherwise known job, with the state that its type brings.
JobEvent event_of(const Job &job, JobEventType type, JobState state, std::string now) {
  JobEvent event;
  event.job_id = job.id;
  event.service = job.service;
  event.job_type = job.type;
  event.type = type;
  event.state = state;
  event.previous_state = job.state;
  event.context = job.context;
  event.tries = job.tries;
  event.timestamp = std::move(now);
  return event;
}

void carry_work(JobEvent &event, const Job &job) {
  event.tries = 0;
  event.max_tries = job.max_tries;
  event.payload = job.payload;
  event.deadline = job.deadline;
}

std::string joined(std::initializer_list<std::string_view> tokens) {
  std::string out;
  for (const auto token : tokens) {
    if (!out.empty()) out += '.';
    out += token;
  }
  return out;
}

} // namespace

std::string_view job_event_type_name(JobEventType type) {
  return kTypes.at(static_cast<std::size_t>(type));
}

std::optional<JobEventType> job_event_type_of(std::string_view name) {
  for (std::size_t i = 0; i < kTypes.size(); ++i)
    if (kTypes.at(i) == name) return static_cast<JobEventType>(i);
  return std::nullopt;
}

std::string to_json(const JobEvent &event) {
  JsonObjectText out;
  out.text("jobId", event.job_id).text("service", event.service).text("jobType", event.job_type);
  out.text("eventType", job_event_type_name(event.type)).text("state", job_state_name(event.state));
  if (event.previous_state) out.text("previousState", job_state_name(*event.previous_state));
  out.json("context", to_json(event.context)).number("tries", event.tries);
  add_number(out, "maxTries", event.max_tries);
  add_json(out, "payload", event.payload);
  add_text(out, "deadline", event.deadline);
  add_json(out, "result", event.result);
  add_text(out, "error", event.error);
  if (event.progress) out.json("progress", to_json(*event.progress));
  if (event.logs) out.json("logs", to_json(*event.logs));
  return out.text("timestamp", event.timestamp).str();
}

Result<JobEvent> parse_job_event(std::string_view text, JobEventReader who) {
  const Nulls nulls = who == JobEventReader::local_snapshot ? Nulls::are_values : Nulls::are_absent;
  return read_record(
      text, [who](const RecordReader &reader) { return read_event(reader, who); }, nulls);
}

Job pending_job(const NewJob &job) {
  Job out;
  out.id = job.id;
  out.service = job.service;
  out.type = job.type;
  out.context = job.context;
  out.payload = job.payload;
  out.created_at = job.now;
  out.updated_at = job.now;
  out.max_tries = job.max_tries;
  out.deadline = job.deadline;
  return out;
}

JobEvent created_event(const Job &job) {
  JobEvent event = event_of(job, JobEventType::created, JobState::pending, job.created_at);
  event.previous_state.reset();
  carry_work(event, job);
  return event;
}

JobEvent started_event(const Job &job, std::string now) {
  JobEvent event = event_of(job, JobEventType::started, JobState::active, std::move(now));
  ++event.tries;
  return event;
}

JobEvent progress_event(const Job &job, JobProgress progress, std::string now) {
  JobEvent event = event_of(job, JobEventType::progress, JobState::active, std::move(now));
  event.progress = std::move(progress);
  return event;
}

JobEvent logged_event(const Job &job, JobLogLevel level, std::string message, std::string now) {
  JobEvent event = event_of(job, JobEventType::logged, JobState::active, now);
  event.logs = {{std::move(now), level, std::move(message)}};
  return event;
}

JobEvent retry_event(const Job &job, std::string error, std::string now) {
  JobEvent event = event_of(job, JobEventType::retry, JobState::retry, std::move(now));
  event.error = std::move(error);
  return event;
}

JobEvent completed_event(const Job &job, std::optional<std::string> result, std::string now) {
  JobEvent event = event_of(job, JobEventType::completed, JobState::completed, std::move(now));
  event.result = std::move(result);
  return event;
}

JobEvent failed_event(const Job &job, std::string error, std::string now) {
  JobEvent event = event_of(job, JobEventType::failed, JobState::failed, std::move(now));
  event.error = std::move(error);
  return event;
}

JobEvent cancelled_event(const Job &job, std::optional<std::string> error, std::string now) {
  JobEvent event = event_of(job, JobEventType::cancelled, JobState::cancelled, std::move(now));
  event.error = std::move(error);
  return event;
}

JobEvent expired_event(const Job &job, std::string now) {
  JobEvent event = event_of(job, JobEventType::expired, JobState::expired, std::move(now));
  event.error = "job exceeded deadline";
  return event;
}

JobEvent retried_event(const Job &job, std::string now) {
  JobEvent event = event_of(job, JobEventType::retried, JobState::pending, std::move(now));
  carry_work(event, job);
  return event;
}

JobEvent dismissed_event(const Job &job, std::string now) {
  JobEvent event = event_of(job, JobEventType::dismissed, JobState::dismissed, std::move(now));
  event.error = job.last_error;
  return event;
}

std::optional<Job> job_of_work(const JobEvent &event) {
  const bool is_work = event.type == JobEventType::created || event.type == JobEventType::retried;
  if (!is_work || !event.payload) return std::nullopt;
  Job job = pending_job({event.job_id, event.service, event.job_type, event.context, *event.payload,
                         event.max_tries.value_or(1), event.deadline, event.timestamp});
  job.state = event.state;
  job.tries = event.tries;
  return job;
}

std::string lifecycle_subject(std::string_view publish_prefix, const JobEvent &event) {
  return joined({publish_prefix, event.job_id, job_event_type_name(event.type)});
}

std::string canonical_subject(const JobEvent &event) {
  return joined({"trellis.jobs", event.service, event.job_type, event.job_id, job_event_type_name(event.type)});
}

std::string lifecycle_filter(std::string_view publish_prefix, std::string_view job_id) {
  return joined({publish_prefix, job_id, "*"});
}

std::string canonical_filter(std::string_view service, std::string_view job_type, std::string_view job_id) {
  return joined({"trellis.jobs", service, job_type, job_id, "*"});
}

std::string lifecycle_prefix_of(std::string_view subject) {
  std::size_t end = 0;
  for (int dots = 0; dots < 4; ++dots) {
    end = subject.find('.', end);
    if (end == std::string_view::npos) return {};
    if (dots < 3) ++end;
  }
  return std::string(subject.substr(0, end));
}

} // namespace trellis
