// jobs-wire.json (vectors README §3.6; 08 §4, §7–§11, §18): the kinds that are functions of values. Those that need a
// worker, a stream or the control plane's provisioning are named only, as far as another topic doesn't run them.
#include "contracts/json_write.h"
#include "contracts/resource_subjects.h"
#include "records_vectors.h"
#include "wire/bound_jobs.h"
#include "wire/job_admin.h"
#include "wire/ulid.h"
#include <array>

namespace trellis::vectors {
namespace {

std::int64_t ms_of(const std::string &time) {
  std::int64_t ms = 0;
  if (!parse_iso_time(time, ms)) throw std::runtime_error("not a time: " + time);
  return ms;
}

JobContext context_of(const JsonValue &value) {
  const Input input(value);
  JobContext context{input.text("requestId"), input.text("traceId"), input.text("traceparent"), {}};
  if (input.find("tracestate")) context.tracestate = input.text("tracestate");
  if (!input.unread().empty()) throw std::runtime_error("/input/context: an unknown member");
  return context;
}

// [{subject, headers, payload}]
JsonDocument published(const std::string &subject, const JobEvent &event) {
  JsonObjectText headers;
  for (const auto &[name, value] : job_headers(event.context))
    headers.text(name, value);
  return json_list(
      {JsonObjectText().text("subject", subject).json("headers", headers.str()).json("payload", to_json(event)).str()});
}

const BoundQueue &queue_of(const BoundJobs &binding, const std::string &queue_type) {
  const auto *queue = binding.queue_of(queue_type);
  if (!queue) throw std::runtime_error("no such queue: " + queue_type);
  return *queue;
}

JsonDocument create(const Input &input, const CaseContext &) {
  const BoundJobs binding = required(parse_bound_jobs(to_json(input.at("binding"))));
  const BoundQueue &queue = queue_of(binding, input.text("queueType"));
  const Job job = new_job(binding, queue, input.text("jobId"), to_json(input.at("payload")),
                          context_of(input.at("context")), ms_of(input.text("now")));
  const JobEvent event = created_event(job);
  return Output()
      .json("published", published(lifecycle_subject(queue.publish_prefix, event), event))
      .json("job", required_json(to_json(job)))
      .take();
}

// What a reference holds is the job that its queue would create, in the state that the case names.
JsonDocument cancel_reference(const Input &input, const CaseContext &) {
  const BoundJobs binding = required(parse_bound_jobs(to_json(input.at("binding"))));
  if (binding.queues.size() != 1) throw std::runtime_error("the case doesn't say which queue");
  const BoundQueue &queue = binding.queues.begin()->second;
  Job job = new_job(binding, queue, input.text("jobId"), "null", context_of(input.at("context")), unix_ms_now());
  job.state = job_state_of(input.text("snapshotState")).value();
  std::vector<std::string> none;
  JsonDocument sent = json_list(none);
  if (!is_terminal(job.state)) {
    const JobEvent event = cancelled_event(job, "cancelled", iso_time(unix_ms_now()));
    sent = published(lifecycle_subject(queue.publish_prefix, event), event);
    follow_event(job, event);
  }
  return Output().json("published", sent).json("returned", required_json(to_json(job))).take();
}

JsonDocument mutate(JobMutation mutation, const Input &input) {
  const auto changed = mutate_job(required_job(input.at("projectedJob")), mutation, input.text("now"));
  if (!changed)
    return Output()
        .text("error", "ValidationError")
        .text("field", "state")
        .text("actual", changed.error().detail("actual"))
        .text("expectedStates", changed.error().detail("expected"))
        .json("published", json_list({}))
        .take();
  return Output()
      .json("published", published(canonical_subject(changed->event), changed->event))
      .json("returnedJob", required_json(to_json(changed->row)))
      .take();
}

template <JobMutation mutation>
JsonDocument mutation_of(const Input &input, const CaseContext &) {
  return mutate(mutation, input);
}

// The records that the merged binding came from: one for each queue, all of the one namespace.
JsonDocument service_grants(const Input &input, const CaseContext &) {
  const Input binding(input.at("binding"));
  const std::string name_space = binding.text("namespace"), work_stream = binding.text("workStream");
  std::vector<BindingRef> records;
  for (const auto &queue : binding.at("queues").GetObject()) {
    JsonObjectText record;
    record.text("namespace", name_space).text("workStream", work_stream);
    for (const auto &member : queue.value.GetObject())
      record.json(text_of(member.name), to_json(member.value));
    records.push_back({ResourceKind::jobs, std::string(text_of(queue.name)), record.str()});
  }
  if (!binding.unread().empty()) throw std::runtime_error("/input/binding: an unknown member");
  ResourceSubjects subjects = resource_subjects(std::move(records));
  return Output()
      .texts("publish", std::set<std::string>(subjects.publish.begin(), subjects.publish.end()))
      .texts("subscribe", std::set<std::string>(subjects.subscribe.begin(), subjects.subscribe.end()))
      .take();
}

// The messages are in `expected`: what is proven is that nothing here refuses them.
JsonDocument must_accept(const Input &input, const CaseContext &context) {
  input.accept_all();
  std::optional<Job> row, snapshot;
  const auto &messages = *find_member(*context.expected, "published");
  const Input binding(input.at("binding"));
  for (const auto &message : messages.GetArray()) {
    const std::string payload = to_json(*find_member(message, "payload"));
    const JobEvent event = required_event(*find_member(message, "payload"));
    row = project_event(row ? &*row : nullptr, event);
    if (!row) throw std::runtime_error("the projection ignores " + payload);
    if (!snapshot) snapshot = job_of_work(required(parse_job_event(payload, JobEventReader::worker)));
    if (!snapshot) throw std::runtime_error("a worker takes no work from " + payload);
    const auto step =
        follow_event(*snapshot, binding.text("publishPrefix"), string_member(message, "subject"), payload);
    if (step != LocalStep::applied)
      throw std::runtime_error("a job reference finds it " + std::string(local_step_name(step)));
  }
  throw NotYet("a worker that takes these messages from a stream");
}

} // namespace

void register_jobs_wire(Registry &registry) {
  Kinds &kinds = registry["jobs-wire"];
  kinds["create"] = {create};
  kinds["job-ref-cancel"] = {cancel_reference, {.subset = {"returned"}}};
  kinds["Jobs.Cancel"] = {mutation_of<JobMutation::cancel>};
  kinds["Jobs.Retry"] = {mutation_of<JobMutation::retry>};
  kinds["Jobs.ReplayDLQ"] = {mutation_of<JobMutation::replay>};
  kinds["Jobs.DismissDLQ"] = {mutation_of<JobMutation::dismiss>};
  kinds["service-grants"] = {service_grants, {.sets = {"publish", "subscribe"}}};
  kinds["must-accept"] = {must_accept};
  for (const char *kind : {"process", "worker-loop", "worker-heartbeat", "provision-queues", "stream-source"})
    kinds.try_emplace(kind);
}

} // namespace trellis::vectors
