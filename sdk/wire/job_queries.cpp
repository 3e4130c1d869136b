#include "wire/job_queries.h"

#include "wire/instant.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"
#include "wire/ulid.h"
#include <algorithm>
#include <limits>
#include <tuple>

namespace trellis {
namespace {

tl::unexpected<Error> out_of_range(std::string pointer, std::string message, std::string expected) {
  return fail("invalid_query", std::move(pointer), std::move(message), std::move(expected));
}

// The query before its values are checked: a state is any text, a number any integer.
struct RawQuery {
  std::int64_t limit = 0, offset = 0;
  std::optional<std::string> service, type, since;
  std::optional<std::vector<std::string>> state;
};

RawQuery read_query(const RecordReader &reader) {
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::min();
  RawQuery raw;
  raw.limit = reader.integer("limit", kAny);
  raw.offset = reader.optional_integer("offset", kAny).value_or(0);
  raw.service = reader.optional_text("service");
  raw.type = reader.optional_text("type");
  if (reader.has("state")) raw.state = reader.texts("state");
  raw.since = reader.optional_text("since");
  return raw;
}

Result<std::vector<JobState>> states_of(const std::vector<std::string> &names) {
  std::vector<JobState> states;
  for (const auto &name : names) {
    const auto state = job_state_of(name);
    if (!state) return out_of_range("/state", "no such state: " + name, "a state of jobs");
    states.push_back(*state);
  }
  return states;
}

auto key_of(const Job &job) {
  return std::tie(job.service, job.type, job.id);
}

} // namespace

std::string to_json(const JobQuery &query) {
  JsonObjectText out;
  out.number("limit", query.limit).number("offset", query.offset);
  add_text(out, "service", query.service);
  add_text(out, "type", query.type);
  if (query.state) {
    std::vector<std::string> names;
    for (const auto state : *query.state)
      names.emplace_back(job_state_name(state));
    out.texts("state", names);
  }
  add_text(out, "since", query.since);
  return out.str();
}

Result<JobQuery> parse_job_query(std::string_view text) {
  auto raw = read_record(text, read_query, Nulls::are_absent);
  if (!raw) return tl::unexpected<Error>(std::move(raw.error()));
  if (raw->limit < 1) return out_of_range("/limit", "less than 1", "an integer of at least 1");
  if (raw->offset < 0) return out_of_range("/offset", "less than 0", "an integer of at least 0");
  JobQuery query{raw->limit, raw->offset, raw->service, raw->type, {}, raw->since};
  if (raw->state) {
    auto states = states_of(*raw->state);
    if (!states) return tl::unexpected<Error>(std::move(states.error()));
    query.state = std::move(*states);
  }
  std::int64_t ms = 0;
  if (query.since && !parse_iso_time(*query.since, ms)) return out_of_range("/since", "not a time", "an RFC 3339 time");
  return query;
}

bool matches(const JobQuery &query, const Job &job) {
  if (query.service && *query.service != job.service) return false;
  if (query.type && *query.type != job.type) return false;
  if (query.state && std::find(query.state->begin(), query.state->end(), job.state) == query.state->end()) return false;
  return !query.since || unix_nanoseconds(job.updated_at) >= unix_nanoseconds(*query.since);
}

bool listed_before(const Job &a, const Job &b) {
  const auto a_time = unix_nanoseconds(a.updated_at), b_time = unix_nanoseconds(b.updated_at);
  return a_time != b_time ? a_time > b_time : key_of(a) < key_of(b);
}

JobPage list_jobs(std::span<const Job> rows, const JobQuery &query) {
  JobPage page;
  for (const auto &row : rows)
    if (matches(query, row)) page.entries.push_back(&row);
  std::sort(page.entries.begin(), page.entries.end(), [](const Job *a, const Job *b) { return listed_before(*a, *b); });
  page.count = static_cast<std::int64_t>(page.entries.size());
  page.offset = query.offset;
  page.limit = query.limit;
  const std::int64_t first = std::min(query.offset, page.count);
  const std::int64_t size = std::min(query.limit, page.count - first);
  if (first + size < page.count) page.next_offset = query.offset + query.limit;
  page.entries.erase(page.entries.begin(), page.entries.begin() + first);
  page.entries.resize(static_cast<std::size_t>(size));
  return page;
}

std::string to_json(const JobPage &page) {
  JsonObjectText out;
  out.json("entries", json_array(page.entries, [](const Job *job) { return to_json(*job); }));
  out.number("count", page.count).number("offset", page.offset).number("limit", page.limit);
  add_number(out, "nextOffset", page.next_offset);
  return out.str();
}

std::vector<JobEvent> expirations(std::span<const Job> rows, const std::string &now) {
  const std::int64_t now_ns = unix_nanoseconds(now);
  std::vector<std::pair<std::int64_t, const Job *>> due;
  for (const auto &row : rows) {
    if (is_terminal(row.state) || !row.deadline) continue;
    const std::int64_t deadline = unix_nanoseconds(*row.deadline);
    if (deadline <= now_ns) due.emplace_back(deadline, &row);
  }
  std::sort(due.begin(), due.end(), [](const auto &a, const auto &b) {
    return a.first != b.first ? a.first < b.first : key_of(*a.second) < key_of(*b.second);
  });
  std::vector<JobEvent> events;
  events.reserve(due.size());
  for (const auto &[deadline, job] : due)
    events.push_back(expired_event(*job, now));
  return events;
}

} // namespace trellis
