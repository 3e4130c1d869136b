// What the jobs administration does to a job as values: dead letters (08 §17) and the mutations of its RPCs (08 §18).
//
// A mutation is its event and the row that the event will make, because the RPC waits until its projection holds that
// row.
#pragma once

#include "wire/job_projection.h"

namespace trellis {

// The server's advisory that a work message was delivered as often as allowed.
struct DeliveryAdvisory {
  std::string timestamp, stream, consumer;
  std::int64_t stream_seq = 0, deliveries = 0;
  bool operator==(const DeliveryAdvisory &) const = default;
};
std::string to_json(const DeliveryAdvisory &advisory);
// Error "invalid_record". Reads both spellings of 08 §17.
Result<DeliveryAdvisory> parse_delivery_advisory(std::string_view text);

// The event "dead" of the job whose work message that was; nullopt when the message is no work or the job is over.
// `row`: the job as projected, or nullptr.
std::optional<JobEvent> dead_letter(const Job *row, const JobEvent &work, const DeliveryAdvisory &advisory);

enum class JobMutation { cancel, retry, replay, dismiss }; // Jobs.Cancel, .Retry, .ReplayDLQ, .DismissDLQ
// The states in which it is allowed, joined by '|': what a refusal shows as `expected`.
std::string_view allowed_states(JobMutation mutation);

struct MutatedJob {
  JobEvent event;
  Job row; // after it
};
// Error "wrong_state" with details `expected` and `actual`.
Result<MutatedJob> mutate_job(const Job &job, JobMutation mutation, const std::string &now);

} // namespace trellis
