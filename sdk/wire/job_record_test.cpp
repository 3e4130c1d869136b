#include "wire/bound_jobs.h"
#include "wire/job_event.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

const JobContext kContext = {"req", "4bf92f3577b34da6a3ce929d0e0e4736",
                             "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1"};

Job active_job() {
  Job job = pending_job(
      {"J1", "ns", "resize", kContext, R"({"w":1})", 4, "2026-06-01T13:00:00.000Z", "2026-06-01T12:00:00.000Z"});
  job.state = JobState::active;
  job.tries = 2;
  return job;
}

std::string with(const char *member) {
  return std::string(
             R"({"jobId":"J1","service":"ns","jobType":"q","eventType":"started","state":"active","tries":1,)") +
         R"("context":{"requestId":"r","traceId":"4bf92f3577b34da6a3ce929d0e0e4736",)" +
         R"("traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},)" + member +
         R"("timestamp":"2026-06-01T12:00:00Z"})";
}

std::string refused_at(std::string_view text, JobEventReader reader) {
  const auto event = parse_job_event(text, reader);
  return event ? "" : event.error().where;
}

} // namespace

TEST_CASE("a job reads back as it was written") {
  Job job = active_job();
  job.result = "null";
  job.started_at = "2026-06-01T12:00:01.25Z";
  job.last_error = "";
  job.progress = JobProgress{"draw", {}, 1, 3};
  job.logs = {{"2026-06-01T12:00:02Z", JobLogLevel::warn, "slow"}};
  CHECK(parse_job(to_json(job)).value() == job);
}

TEST_CASE("each event carries what its publisher must say") {
  const Job job = active_job();
  const std::string now = "2026-06-01T12:00:05.000Z";
  CHECK(started_event(job, now).tries == 3);
  CHECK(progress_event(job, {{}, "half", {}, {}}, now).progress->message == "half");
  CHECK(logged_event(job, JobLogLevel::info, "x", now).logs->front().timestamp == now);
  CHECK(retry_event(job, "busy", now).state == JobState::retry);
  CHECK_FALSE(completed_event(job, std::nullopt, now).result);
  CHECK(failed_event(job, "bad", now).error == "bad");
  const JobEvent retried = retried_event(job, now);
  CHECK(retried.tries == 0);
  CHECK(retried.payload == job.payload);
  CHECK(retried.deadline == job.deadline);
  CHECK_FALSE(created_event(job).previous_state);
  CHECK(failed_event(job, "bad", now).previous_state == JobState::active);
}

TEST_CASE("an event reads back as it was written, by every reader") {
  const JobEvent event = logged_event(active_job(), JobLogLevel::error, "x", "2026-06-01T12:00:05.000Z");
  for (const auto reader : {JobEventReader::projection, JobEventReader::worker, JobEventReader::local_snapshot})
    CHECK(parse_job_event(to_json(event), reader).value() == event);
}

TEST_CASE("the projection takes what only a strict reader refuses") {
  const char *const members[] = {R"("deadline":"soon",)", R"("maxTries":0,)", R"("error":null,)",
                                 R"("progress":{"current":null},)"};
  for (const char *member : members) {
    CAPTURE(member);
    CHECK(refused_at(with(member), JobEventReader::projection).empty());
    CHECK_FALSE(refused_at(with(member), JobEventReader::local_snapshot).empty());
  }
  CHECK(refused_at(with(R"("tries":-1,)"), JobEventReader::projection) == "/tries");
  CHECK(refused_at(with(R"("previousState":"gone",)"), JobEventReader::projection) == "/previousState");
  CHECK(refused_at(with(R"("logs":[{"timestamp":"t","level":"debug","message":"m"}],)"), JobEventReader::projection) ==
        "/logs/0/level");
}

TEST_CASE("a null payload is one for a worker and for a snapshot, and none for the projection") {
  const std::string text = with(R"("payload":null,)");
  CHECK_FALSE(parse_job_event(text, JobEventReader::projection)->payload);
  CHECK(parse_job_event(text, JobEventReader::worker)->payload == "null");
  CHECK(parse_job_event(text, JobEventReader::local_snapshot)->payload == "null");
}

TEST_CASE("work is a created or retried event with a payload") {
  const Job job = active_job();
  CHECK(job_of_work(created_event(job))->payload == job.payload);
  CHECK(job_of_work(retried_event(job, "t"))->state == JobState::pending);
  CHECK_FALSE(job_of_work(started_event(job, "t")));
  JobEvent without = created_event(job);
  without.payload.reset();
  CHECK_FALSE(job_of_work(without));
}

TEST_CASE("events are published under the queue's prefix and under the canonical name") {
  const JobEvent event = created_event(active_job());
  CHECK(lifecycle_subject("trellis.jobs.ns.tr_jq_1", event) == "trellis.jobs.ns.tr_jq_1.J1.created");
  CHECK(canonical_subject(event) == "trellis.jobs.ns.resize.J1.created");
  CHECK(canonical_filter("ns", "resize", "J1") == "trellis.jobs.ns.resize.J1.*");
  CHECK(lifecycle_filter("p.q", "J1") == "p.q.J1.*");
  CHECK(lifecycle_prefix_of("trellis.jobs.ns.tr_jq_1.J1.created") == "trellis.jobs.ns.tr_jq_1");
  CHECK(lifecycle_prefix_of("trellis.jobs.ns.tr_jq_1").empty());
}

TEST_CASE("a publish carries the job's request id and trace and nothing else") {
  CHECK(job_headers(kContext).size() == 3);
  CHECK(job_headers({"r", "t", "p", std::nullopt}).size() == 2);
}

TEST_CASE("a binding reads back, and a deadline of zero is none") {
  const char *const text = R"({"namespace":"ns","workStream":"JOBS_WORK","queues":{"a":{"queueType":"resize",
    "publishPrefix":"p","workSubject":"w","consumerName":"c","payload":{"schema":"P"},"result":{"schema":"R"},
    "maxDeliver":5,"backoffMs":[5000,30000],"ackWaitMs":300000,"defaultDeadlineMs":0,"progress":true,"logs":false,
    "dlq":true,"concurrency":2}}})";
  const auto binding = parse_bound_jobs(text).value();
  const BoundQueue &queue = *binding.queue_of("resize");
  CHECK(queue.first_ack_wait_ms() == 5000);
  CHECK_FALSE(queue.default_deadline_ms);
  CHECK_FALSE(new_job(binding, queue, "J", "1", kContext, 0).deadline);
  CHECK(binding.queue_of("a") == nullptr);
  CHECK(parse_bound_jobs(to_json(binding)).value() == binding);
}

TEST_CASE("a new job is due after its queue's default deadline") {
  BoundJobs binding{"ns", {}, {}};
  BoundQueue queue;
  queue.queue_type = "resize";
  queue.default_deadline_ms = 90500;
  CHECK(new_job(binding, queue, "J", "1", kContext, 0).deadline == "1970-01-01T00:01:30.500Z");
}
