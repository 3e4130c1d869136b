#include "wire/job_admin.h"

#include "wire/record_reader.h"
#include "wire/record_writer.h"
#include <algorithm>

namespace trellis {
namespace {

DeliveryAdvisory read_advisory(const RecordReader &reader) {
  DeliveryAdvisory advisory;
  advisory.timestamp = reader.text("timestamp");
  advisory.stream = reader.text("stream");
  advisory.consumer = reader.text("consumer");
  advisory.stream_seq = reader.integer(reader.has("stream_seq") ? "stream_seq" : "streamSeq");
  advisory.deliveries = reader.integer(reader.has("deliveries") ? "deliveries" : "num_deliveries");
  return advisory;
}

bool is_allowed(JobMutation mutation, JobState state) {
  switch (mutation) {
  case JobMutation::cancel: return !is_terminal(state);
  case JobMutation::retry: return state == JobState::failed;
  case JobMutation::replay:
  case JobMutation::dismiss: return state == JobState::dead;
  }
  return false;
}

JobEvent event_of(const Job &job, JobMutation mutation, const std::string &now) {
  switch (mutation) {
  case JobMutation::cancel: return cancelled_event(job, std::nullopt, now);
  case JobMutation::retry:
  case JobMutation::replay: return retried_event(job, now);
  case JobMutation::dismiss: return dismissed_event(job, now);
  }
  return {};
}

} // namespace

std::string to_json(const DeliveryAdvisory &advisory) {
  return JsonObjectText()
      .text("timestamp", advisory.timestamp)
      .text("stream", advisory.stream)
      .text("consumer", advisory.consumer)
      .number("stream_seq", advisory.stream_seq)
      .number("deliveries", advisory.deliveries)
      .str();
}

Result<DeliveryAdvisory> parse_delivery_advisory(std::string_view text) {
  return read_record(text, read_advisory);
}

std::optional<JobEvent> dead_letter(const Job *row, const JobEvent &work, const DeliveryAdvisory &advisory) {
  if (row && is_terminal(row->state)) return std::nullopt;
  const auto from_message = job_of_work(work);
  if (!from_message || from_message->payload == "null") return std::nullopt;
  const Job &job = row ? *row : *from_message;
  JobEvent event;
  event.job_id = job.id;
  event.service = job.service;
  event.job_type = job.type;
  event.type = JobEventType::dead;
  event.state = JobState::dead;
  event.previous_state = job.state;
  event.context = job.context;
  event.tries = std::max(job.tries, advisory.deliveries);
  event.error = "max deliveries exceeded: stream=" + advisory.stream + " consumer=" + advisory.consumer +
                " deliveries=" + std::to_string(advisory.deliveries);
  event.timestamp = advisory.timestamp;
  return event;
}

std::string_view allowed_states(JobMutation mutation) {
  switch (mutation) {
  case JobMutation::cancel: return "pending|retry|active";
  case JobMutation::retry: return "failed";
  case JobMutation::replay:
  case JobMutation::dismiss: return "dead";
  }
  return {};
}

Result<MutatedJob> mutate_job(const Job &job, JobMutation mutation, const std::string &now) {
  const std::string expected(allowed_states(mutation)), actual(job_state_name(job.state));
  if (!is_allowed(mutation, job.state)) {
    auto refused = fail("wrong_state", job.service + "/" + job.type + "/" + job.id, "the job is " + actual, expected);
    refused.value().details = {{"expected", expected}, {"actual", actual}};
    return refused;
  }
  JobEvent event = event_of(job, mutation, now);
  auto row = project_event(&job, event);
  if (!row) return fail("wrong_state", job.id, "the job can't take the event", expected); // allowed, so not reached
  return MutatedJob{std::move(event), std::move(*row)};
}

} // namespace trellis
