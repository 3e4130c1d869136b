#include "wire/job_admin.h"
#include "wire/job_queries.h"
#include "wire/worker_heartbeat.h"

#include "wire/instant.h"
#include <catch2/catch_test_macros.hpp>
#include <limits>

using namespace trellis;

namespace {

Job job_in(JobState state, const char *id = "J1") {
  Job job = pending_job({id, "ns", "q", {"r", "t", "p", {}}, "1", 4, {}, "2026-06-01T12:00:00.000Z"});
  job.state = state;
  return job;
}

std::vector<std::string> ids_of(const JobPage &page) {
  std::vector<std::string> ids;
  for (const auto *job : page.entries)
    ids.push_back(job->id);
  return ids;
}

} // namespace

TEST_CASE("an event whose previous state is not the row's is ignored") {
  const Job row = job_in(JobState::pending);
  JobEvent event = started_event(row, "2026-06-01T12:00:01.000Z");
  CHECK(project_event(&row, event)->state == JobState::active);
  event.previous_state = JobState::retry;
  CHECK_FALSE(project_event(&row, event));
  event.previous_state.reset();
  CHECK_FALSE(project_event(&row, event));
}

TEST_CASE("only a created event makes a row") {
  const Job job = job_in(JobState::pending);
  CHECK(project_event(nullptr, created_event(job)).value() == job);
  CHECK_FALSE(project_event(nullptr, retried_event(job, "t")));
  CHECK_FALSE(project_event(&job, created_event(job)));
}

TEST_CASE("a pending job is never dead and a completed one never moves") {
  const Job pending = job_in(JobState::pending), completed = job_in(JobState::completed);
  JobEvent dead = failed_event(pending, "e", "t");
  dead.type = JobEventType::dead;
  CHECK_FALSE(project_event(&pending, dead));
  CHECK_FALSE(project_event(&completed, cancelled_event(completed, {}, "t")));
}

TEST_CASE("a snapshot follows anything until it is over") {
  Job snapshot = job_in(JobState::pending);
  CHECK(follow_event(snapshot, failed_event(snapshot, "bad", "t")));
  CHECK(snapshot.last_error == "bad");
  CHECK_FALSE(snapshot.completed_at);
  CHECK_FALSE(follow_event(snapshot, retried_event(snapshot, "t")));
}

TEST_CASE("an advisory of a job that is over or of no work makes no dead letter") {
  const DeliveryAdvisory advisory{"t", "JOBS_WORK", "c", 1, 5};
  const Job row = job_in(JobState::active), over = job_in(JobState::failed);
  CHECK(dead_letter(&row, created_event(row), advisory)->tries == 5);
  CHECK_FALSE(dead_letter(&over, created_event(over), advisory));
  CHECK_FALSE(dead_letter(nullptr, started_event(row, "t"), advisory));
}

TEST_CASE("advisories are read in both spellings") {
  const auto old =
      parse_delivery_advisory(R"({"timestamp":"t","stream":"s","consumer":"c","streamSeq":7,"num_deliveries":3})");
  CHECK(old.value() == DeliveryAdvisory{"t", "s", "c", 7, 3});
  CHECK(parse_delivery_advisory(to_json(*old)).value() == *old);
  CHECK(parse_delivery_advisory(R"({"timestamp":"t","stream":"s","consumer":"c","deliveries":3})").error().where ==
        "/streamSeq");
}

TEST_CASE("a mutation is refused in other states than its own") {
  const auto refused = mutate_job(job_in(JobState::completed), JobMutation::cancel, "t");
  CHECK(refused.error().detail("expected") == "pending|retry|active");
  CHECK(refused.error().detail("actual") == "completed");
  CHECK(mutate_job(job_in(JobState::dead), JobMutation::replay, "t")->row.state == JobState::pending);
  CHECK(mutate_job(job_in(JobState::dead), JobMutation::dismiss, "t")->row.state == JobState::dismissed);
  CHECK_FALSE(mutate_job(job_in(JobState::dead), JobMutation::retry, "t"));
}

TEST_CASE("jobs are listed by the instant of their last change and then by key") {
  std::vector<Job> rows = {job_in(JobState::pending, "b"), job_in(JobState::pending, "a"),
                           job_in(JobState::pending, "c")};
  rows[2].updated_at = "2026-06-01T14:00:00.5+02:00";
  JobQuery query;
  query.limit = 10;
  CHECK(ids_of(list_jobs(rows, query)) == std::vector<std::string>{"c", "a", "b"});
  query.limit = 1;
  query.offset = 1;
  CHECK(list_jobs(rows, query).next_offset == 2);
  query.offset = 2;
  CHECK_FALSE(list_jobs(rows, query).next_offset);
  query.offset = std::numeric_limits<std::int64_t>::max();
  query.limit = std::numeric_limits<std::int64_t>::max();
  CHECK(list_jobs(rows, query).entries.empty());
}

TEST_CASE("a query names the member that is out of range") {
  CHECK(parse_job_query(R"({"limit":0})").error().where == "/limit");
  CHECK(parse_job_query(R"({"limit":1,"offset":-1})").error().where == "/offset");
  CHECK(parse_job_query(R"({"limit":1,"state":["gone"]})").error().where == "/state");
  CHECK(parse_job_query(R"({"limit":1,"since":"yesterday"})").error().code == "invalid_query");
  CHECK(parse_job_query(R"({})").error().code == "invalid_record");
  const auto query = parse_job_query(R"({"limit":5,"state":[],"since":"2026-06-01T12:00:00Z"})").value();
  CHECK(parse_job_query(to_json(query)).value() == query);
}

TEST_CASE("the janitor expires what is due, the earliest first") {
  std::vector<Job> rows = {job_in(JobState::active, "late"), job_in(JobState::retry, "early"),
                           job_in(JobState::failed, "over"), job_in(JobState::pending, "none")};
  rows[0].deadline = "2026-06-01T12:00:00.000000001Z";
  rows[1].deadline = "2026-06-01T12:00:00Z";
  rows[2].deadline = "2026-06-01T12:00:00Z";
  const auto events = expirations(rows, "2026-06-01T12:00:00.000000001Z");
  REQUIRE(events.size() == 2);
  CHECK(events[0].job_id == "early");
  CHECK(expirations(rows, "2026-06-01T12:00:00Z").size() == 1);
}

TEST_CASE("a heartbeat counts only on the subject of its own worker") {
  const WorkerHeartbeat heartbeat{"ns", "q", "w1", 2, "1.4.0", "2026-06-01T12:00:00Z"};
  const std::string text = to_json(heartbeat);
  CHECK(parse_heartbeat("trellis.jobs.workers.ns.q.w1.heartbeat", text).value() == heartbeat);
  CHECK(parse_heartbeat("trellis.jobs.workers.ns.q.w2.heartbeat", text).error().code == "subject_mismatch");
  const WorkerHeartbeat dotted{"ns.q", "w", "1", {}, {}, "t"};
  CHECK_FALSE(parse_heartbeat(heartbeat_subject(dotted), to_json(dotted)));
}

TEST_CASE("a worker is fresh for ninety seconds") {
  const std::int64_t now = unix_nanoseconds("2026-06-01T12:01:30Z");
  WorkerHeartbeat heartbeat{"ns", "q", "w1", {}, {}, "2026-06-01T12:00:00Z"};
  CHECK(is_fresh_worker(heartbeat, now));
  CHECK_FALSE(is_fresh_worker(heartbeat, now + 1));
  CHECK(replaces(heartbeat, heartbeat));
  WorkerHeartbeat older = heartbeat;
  older.timestamp = "2026-06-01T11:59:59.999Z";
  CHECK_FALSE(replaces(older, heartbeat));
}
