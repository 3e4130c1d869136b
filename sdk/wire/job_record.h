// Jobs as records: what a job is, its state, its context (08 §5.1, §5.3).
//
// A job is served by the admin RPCs, stored by its projection and held by job references, all in this one form. Times
// stay texts as their writer spelled them, because several writers differ and the row must show what was sent; they are
// compared through unix_nanoseconds. JSON values (payload, result) stay texts for the same reason.
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

enum class JobState { pending, active, retry, completed, failed, cancelled, expired, dead, dismissed };
std::string_view job_state_name(JobState state);
std::optional<JobState> job_state_of(std::string_view name);
// completed, failed, cancelled, expired, dead, dismissed (08 §6).
bool is_terminal(JobState state);

struct JobContext {
  std::string request_id, trace_id, traceparent;
  std::optional<std::string> tracestate;
  bool operator==(const JobContext &) const = default;
};

struct JobProgress {
  std::optional<std::string> step, message;
  std::optional<std::int64_t> current, total;
  bool operator==(const JobProgress &) const = default;
};

enum class JobLogLevel { info, warn, error };
struct JobLog {
  std::string timestamp;
  JobLogLevel level = JobLogLevel::info;
  std::string message;
  bool operator==(const JobLog &) const = default;
};

struct Job {
  std::string id, service, type; // type = jobType of its events
  JobState state = JobState::pending;
  JobContext context;
  std::string payload = "null"; // JSON
  std::optional<std::string> result;
  std::string created_at, updated_at;
  std::optional<std::string> started_at, completed_at;
  std::int64_t tries = 0, max_tries = 1;
  std::optional<std::string> last_error, deadline;
  std::optional<JobProgress> progress;
  std::optional<std::vector<JobLog>> logs;
  bool operator==(const Job &) const = default;
};

std::string to_json(const Job &job);
// Error "invalid_record". A null optional member counts as absent, except payload and result; unknown members are
// ignored; patterns and times are not checked.
Result<Job> parse_job(std::string_view text);

// The headers of every publish of a job: request-id, traceparent, tracestate if any; nothing else (08 §5.2).
std::vector<std::pair<std::string, std::string>> job_headers(const JobContext &context);

} // namespace trellis
