// How events become jobs: the admin service's reducer (08 §13) and that of job references (08 §9).
//
// Both are pure functions of a row and an event, so they live here beside the records and not in the jobs plugin: the
// plugin projects with the first, predicts the outcome of its own mutations with it, and every service that creates
// jobs needs the second. A library of their own (sdk/jobs) was rejected while they are this small: plugins and runtime
// link sdk/wire already. They are two because they answer different questions: what is true of a job for everyone (a
// transition that is not legal is ignored, so replay gives the same rows), and what this process has heard of it
// (anything until it is terminal).
#pragma once

#include "wire/job_event.h"

namespace trellis {

// The row after `event`; nullopt when the event is ignored. `row` is nullptr when there is none with the event's
// service, type and id. Events come decoded for JobEventReader::projection.
std::optional<Job> project_event(const Job *row, const JobEvent &event);

enum class LocalStep { applied, ignored, undecodable, subject_mismatch, not_tracked };
std::string_view local_step_name(LocalStep step);
// A message on `<publishPrefix>.*.*` for the one job `snapshot`, which changes only when the answer is `applied`.
// not_tracked: the event is of another job.
LocalStep follow_event(Job &snapshot, std::string_view publish_prefix, std::string_view subject,
                       std::string_view message);
// The second half, for who keeps many snapshots: `event` is of this job. False = ignored, the job is over.
bool follow_event(Job &snapshot, const JobEvent &event);

} // namespace trellis
