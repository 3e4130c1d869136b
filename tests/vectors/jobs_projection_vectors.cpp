// jobs-projection.json (vectors README §3.6; 08 §9, §13, §15–§18).
#include "contracts/json_write.h"
#include "records_vectors.h"
#include "wire/instant.h"
#include "wire/job_admin.h"
#include "wire/job_queries.h"
#include "wire/worker_heartbeat.h"
#include <algorithm>

namespace trellis::vectors {
namespace {

std::string published(const JobEvent &event) {
  return JsonObjectText().text("subject", canonical_subject(event)).json("event", to_json(event)).str();
}

// The rows of the projection: unique by service, type and id, and by id alone.
class Rows {
public:
  std::string apply(const JsonValue &message) {
    const auto event = parse_job_event(to_json(message), JobEventReader::projection);
    if (!event) return "undecodable";
    const auto found = std::find_if(rows_.begin(), rows_.end(), [&](const Job &row) { return is_of(row, *event); });
    auto changed = project_event(found == rows_.end() ? nullptr : &*found, *event);
    if (!changed) return "ignored";
    if (found != rows_.end())
      *found = std::move(*changed);
    else if (has_id(changed->id))
      return "store-error";
    else
      rows_.push_back(std::move(*changed));
    return "applied";
  }
  const std::vector<Job> &all() const { return rows_; }

private:
  static bool is_of(const Job &row, const JobEvent &event) {
    return row.id == event.job_id && row.service == event.service && row.type == event.job_type;
  }
  bool has_id(const std::string &id) const {
    return std::any_of(rows_.begin(), rows_.end(), [&](const Job &row) { return row.id == id; });
  }

  std::vector<Job> rows_;
};

JsonDocument project(const Input &input, const CaseContext &) {
  Rows rows;
  std::vector<std::string> steps;
  for (const auto &event : input.at("events").GetArray())
    steps.push_back(rows.apply(event));
  std::vector<std::string> jobs;
  for (const auto &row : rows.all())
    jobs.push_back(to_json(row));
  return Output().texts("steps", steps).json("jobs", json_list(jobs)).take();
}

JsonDocument seed(const Input &input, const CaseContext &) {
  const auto event = parse_job_event(to_json(input.at("event")), JobEventReader::projection);
  const auto job = event ? job_of_work(*event) : std::nullopt;
  return Output().flag("decodable", event.has_value()).json("job", required_json(job ? to_json(*job) : "null")).take();
}

JsonDocument advisory(const Input &input, const CaseContext &) {
  const JsonValue &current = input.at("current");
  const auto work = parse_job_event(to_json(input.at("workEvent")), JobEventReader::projection);
  const auto message = parse_delivery_advisory(to_json(input.at("advisory")));
  std::optional<Job> row;
  if (!current.IsNull()) row = required_job(current);
  std::optional<JobEvent> event;
  if (work && message) event = dead_letter(row ? &*row : nullptr, *work, *message);
  return Output().json("published", required_json(event ? published(*event) : "null")).take();
}

std::vector<Job> jobs_of(const JsonValue &list) {
  std::vector<Job> jobs;
  for (const auto &job : list.GetArray())
    jobs.push_back(required_job(job));
  return jobs;
}

JsonDocument janitor(const Input &input, const CaseContext &) {
  const auto jobs = jobs_of(input.at("jobs"));
  const auto events = expirations(jobs, input.text("now"));
  std::vector<std::string> out;
  for (const auto &event : events)
    out.push_back(published(event));
  return Output().number("scanned", static_cast<double>(events.size())).json("published", json_list(out)).take();
}

// Rows here have only the members that sort and filter.
Job listed_job(const JsonValue &value) {
  const Input row(value);
  Job job;
  job.id = row.text("id");
  job.service = row.text("service");
  job.type = row.text("type");
  job.state = job_state_of(row.text("state")).value();
  job.updated_at = row.text("updatedAt");
  if (!row.unread().empty()) throw std::runtime_error("an unknown member of a listed job");
  return job;
}

JsonDocument list(const Input &input, const CaseContext &) {
  std::vector<Job> jobs;
  for (const auto &job : input.at("jobs").GetArray())
    jobs.push_back(listed_job(job));
  const auto query = parse_job_query(to_json(input.at("request")));
  if (!query) {
    const bool ranged = query.error().code == "invalid_query";
    Output out;
    out.text("error", ranged ? "ValidationError" : "UnexpectedError");
    if (ranged) out.text("field", std::string_view(query.error().where).substr(1));
    return out.take();
  }
  const JobPage page = list_jobs(jobs, *query);
  std::vector<std::string> ids;
  for (const auto *job : page.entries)
    ids.push_back(job->id);
  Output out;
  out.number("count", static_cast<double>(page.count)).texts("ids", ids);
  out.number("limit", static_cast<double>(page.limit)).number("offset", static_cast<double>(page.offset));
  if (page.next_offset) out.number("nextOffset", static_cast<double>(*page.next_offset));
  return out.take();
}

JsonDocument presence(const Input &input, const CaseContext &) {
  const std::int64_t now = unix_nanoseconds(input.text("now"));
  std::map<std::string, WorkerHeartbeat> stored; // by subject, which names the worker
  std::vector<std::string> steps;
  for (const auto &message : input.at("heartbeats").GetArray()) {
    const auto heartbeat = parse_heartbeat(to_json(message));
    if (!heartbeat) {
      steps.emplace_back("undecodable");
      continue;
    }
    const auto [known, is_new] = stored.try_emplace(heartbeat_subject(*heartbeat), *heartbeat);
    const bool newest = is_new || replaces(*heartbeat, known->second);
    if (newest) known->second = *heartbeat;
    steps.emplace_back(newest ? "stored" : "stale");
  }
  std::vector<std::string> fresh;
  for (const auto &[subject, heartbeat] : stored)
    if (is_fresh_worker(heartbeat, now)) fresh.push_back(to_json(heartbeat));
  return Output().texts("steps", steps).json("fresh", json_list(fresh)).take();
}

JsonDocument client_local(const Input &input, const CaseContext &) {
  const std::string prefix = input.text("publishPrefix");
  Job snapshot = required_job(input.at("seed"));
  std::vector<std::string> steps;
  for (const auto &item : input.at("messages").GetArray()) {
    const Input message(item);
    const auto step = follow_event(snapshot, prefix, message.text("subject"), to_json(message.at("event")));
    steps.emplace_back(local_step_name(step));
    if (!message.unread().empty()) throw std::runtime_error("/input/messages: an unknown member");
  }
  return Output().texts("steps", steps).json("snapshot", required_json(to_json(snapshot))).take();
}

} // namespace

JsonDocument json_list(const std::vector<std::string> &items) {
  std::string text = "[";
  for (const auto &item : items)
    text.append(text.size() > 1 ? "," : "").append(item);
  return required_json(text + "]");
}

Job required_job(const JsonValue &value) {
  return required(parse_job(to_json(value)));
}

JobEvent required_event(const JsonValue &value) {
  return required(parse_job_event(to_json(value), JobEventReader::projection));
}

void register_jobs_projection(Registry &registry) {
  registry["jobs-projection"] = {
      {"project", {project, {.sets = {"jobs"}}}}, // a table has no order
      {"seed", {seed}},
      {"advisory", {advisory}},
      {"janitor", {janitor}},
      {"list", {list}},
      {"presence", {presence}},
      {"client-local", {client_local}},
  };
}

} // namespace trellis::vectors
