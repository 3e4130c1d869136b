// Which jobs a list request or the janitor means, and in which order (08 §16, §18).
//
// On values and not as SQL, so that the rule exists where it can be tested case by case; a store with indexes has to
// answer the same.
#pragma once

#include "wire/job_event.h"
#include <span>

namespace trellis {

// Of Jobs.List; Jobs.ListDLQ is the same with `state` fixed to dead.
struct JobQuery {
  std::int64_t limit = 1;  // >= 1
  std::int64_t offset = 0; // >= 0
  std::optional<std::string> service, type;
  std::optional<std::vector<JobState>> state; // empty matches nothing
  std::optional<std::string> since;           // a time
  bool operator==(const JobQuery &) const = default;
};
std::string to_json(const JobQuery &query);
// Error "invalid_record" for what can't be decoded, and "invalid_query" with the pointer of the member whose value is
// out of range: "/limit", "/offset", "/state", "/since".
Result<JobQuery> parse_job_query(std::string_view text);

bool matches(const JobQuery &query, const Job &job);
// By time of the last change, the newest first, then by service, type and id.
bool listed_before(const Job &a, const Job &b);

struct JobPage {
  std::vector<const Job *> entries; // into the rows that were asked
  std::int64_t count = 0;           // all matches
  std::int64_t offset = 0, limit = 0;
  std::optional<std::int64_t> next_offset;
};
JobPage list_jobs(std::span<const Job> rows, const JobQuery &query);
std::string to_json(const JobPage &page);

// The janitor's events of one run, in their order: one for each job that isn't over and whose deadline is `now` or
// earlier. `now` is the text that the events carry.
std::vector<JobEvent> expirations(std::span<const Job> rows, const std::string &now);

} // namespace trellis
