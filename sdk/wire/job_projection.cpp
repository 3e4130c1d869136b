#include "wire/job_projection.h"

#include <array>

namespace trellis {
namespace {

bool is_legal(JobState from, JobEventType type) {
  using enum JobState;
  switch (type) {
  case JobEventType::created: return false;
  case JobEventType::started: return from == pending || from == retry;
  case JobEventType::progress:
  case JobEventType::logged:
  case JobEventType::retry:
  case JobEventType::completed:
  case JobEventType::failed: return from == active;
  case JobEventType::cancelled:
  case JobEventType::expired: return from == pending || from == retry || from == active;
  case JobEventType::dead: return from == active || from == retry || from == failed || from == expired;
  case JobEventType::retried: return from == failed || from == dead;
  case JobEventType::dismissed: return from == dead;
  }
  return false;
}

void append_logs(Job &job, const JobEvent &event) {
  if (!job.logs) job.logs.emplace();
  if (event.logs) job.logs->insert(job.logs->end(), event.logs->begin(), event.logs->end());
}

void restart(Job &job, const JobEvent &event) {
  if (event.payload) job.payload = *event.payload;
  if (event.deadline) job.deadline = event.deadline;
  job.result.reset();
  job.completed_at.reset();
  job.started_at.reset();
  job.last_error.reset();
  job.progress.reset();
  job.logs.reset();
  job.tries = 0;
}

// What the type changes beyond state, time and tries.
void apply_type(Job &job, const JobEvent &event) {
  switch (event.type) {
  case JobEventType::created: break;
  case JobEventType::started: job.started_at = event.timestamp; break;
  case JobEventType::progress: job.progress = event.progress; break;
  case JobEventType::logged: append_logs(job, event); break;
  case JobEventType::completed:
    job.result = event.result;
    job.completed_at = event.timestamp;
    break;
  case JobEventType::failed:
  case JobEventType::cancelled:
  case JobEventType::expired:
  case JobEventType::dead:
  case JobEventType::dismissed:
    job.last_error = event.error;
    job.completed_at = event.timestamp;
    break;
  case JobEventType::retry: job.last_error = event.error; break;
  case JobEventType::retried: restart(job, event); break;
  }
}

void apply_common(Job &job, const JobEvent &event) {
  job.state = event.state;
  job.updated_at = event.timestamp;
  job.tries = event.tries;
  if (event.max_tries) job.max_tries = *event.max_tries;
}

// As apply_type, but nothing is ever cleared and only a completion completes.
void follow_type(Job &job, const JobEvent &event) {
  switch (event.type) {
  case JobEventType::created:
  case JobEventType::retried:
    if (event.payload) job.payload = *event.payload;
    break;
  case JobEventType::started: job.started_at = event.timestamp; break;
  case JobEventType::progress:
    if (event.progress) job.progress = event.progress;
    break;
  case JobEventType::logged:
    if (event.logs) append_logs(job, event);
    break;
  case JobEventType::completed:
    job.completed_at = event.timestamp;
    if (event.result) job.result = event.result;
    break;
  case JobEventType::failed:
  case JobEventType::cancelled:
  case JobEventType::expired:
  case JobEventType::dead:
  case JobEventType::dismissed:
    if (event.error) job.last_error = event.error;
    break;
  case JobEventType::retry: break;
  }
}

} // namespace

std::optional<Job> project_event(const Job *row, const JobEvent &event) {
  if (!row) return event.type == JobEventType::created ? job_of_work(event) : std::nullopt;
  if (!is_legal(row->state, event.type) || event.previous_state != row->state) return std::nullopt;
  Job job = *row;
  apply_common(job, event);
  apply_type(job, event);
  return job;
}

std::string_view local_step_name(LocalStep step) {
  constexpr std::array<std::string_view, 5> kNames = {"applied", "ignored", "undecodable", "subject-mismatch",
                                                      "not-tracked"};
  return kNames.at(static_cast<std::size_t>(step));
}

LocalStep follow_event(Job &snapshot, std::string_view publish_prefix, std::string_view subject,
                       std::string_view message) {
  const auto event = parse_job_event(message, JobEventReader::local_snapshot);
  if (!event) return LocalStep::undecodable;
  if (subject != lifecycle_subject(publish_prefix, *event)) return LocalStep::subject_mismatch;
  if (event->job_id != snapshot.id || event->service != snapshot.service || event->job_type != snapshot.type)
    return LocalStep::not_tracked;
  return follow_event(snapshot, *event) ? LocalStep::applied : LocalStep::ignored;
}

bool follow_event(Job &snapshot, const JobEvent &event) {
  if (is_terminal(snapshot.state)) return false;
  apply_common(snapshot, event);
  if (event.deadline) snapshot.deadline = event.deadline;
  follow_type(snapshot, event);
  return true;
}

} // namespace trellis
