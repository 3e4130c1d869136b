#include "wire/bound_jobs.h"

#include "wire/record_reader.h"
#include "wire/record_writer.h"
#include "wire/ulid.h"

namespace trellis {
namespace {

std::string schema_ref(const std::string &name) {
  return JsonObjectText().text("schema", name).str();
}

BoundQueue read_queue(const RecordReader &reader) {
  BoundQueue queue;
  queue.queue_type = reader.non_empty("queueType");
  queue.publish_prefix = reader.non_empty("publishPrefix");
  queue.work_subject = reader.non_empty("workSubject");
  queue.consumer_name = reader.non_empty("consumerName");
  queue.payload_schema = reader.object("payload").non_empty("schema");
  if (reader.has("result")) queue.result_schema = reader.object("result").non_empty("schema");
  queue.max_deliver = reader.integer("maxDeliver", 1);
  queue.backoff_ms = reader.integers("backoffMs");
  queue.ack_wait_ms = reader.integer("ackWaitMs", 1);
  queue.default_deadline_ms = reader.optional_integer("defaultDeadlineMs");
  if (queue.default_deadline_ms == 0) queue.default_deadline_ms.reset();
  queue.progress = reader.flag("progress");
  queue.logs = reader.flag("logs");
  queue.dlq = reader.flag("dlq");
  queue.concurrency = reader.integer("concurrency", 1);
  return queue;
}

BoundJobs read_binding(const RecordReader &reader) {
  return {reader.non_empty("namespace"), reader.optional_non_empty("workStream"), reader.members("queues", read_queue)};
}

std::string queue_json(const BoundQueue &queue) {
  JsonObjectText out;
  out.text("queueType", queue.queue_type).text("publishPrefix", queue.publish_prefix);
  out.text("workSubject", queue.work_subject).text("consumerName", queue.consumer_name);
  out.json("payload", schema_ref(queue.payload_schema));
  if (queue.result_schema) out.json("result", schema_ref(*queue.result_schema));
  out.number("maxDeliver", queue.max_deliver);
  out.json("backoffMs", json_array(queue.backoff_ms, [](std::int64_t ms) { return std::to_string(ms); }));
  out.number("ackWaitMs", queue.ack_wait_ms);
  add_number(out, "defaultDeadlineMs", queue.default_deadline_ms);
  out.flag("progress", queue.progress).flag("logs", queue.logs).flag("dlq", queue.dlq);
  return out.number("concurrency", queue.concurrency).str();
}

} // namespace

const BoundQueue *BoundJobs::queue_of(std::string_view queue_type) const {
  for (const auto &[alias, queue] : queues)
    if (queue.queue_type == queue_type) return &queue;
  return nullptr;
}

std::string to_json(const BoundJobs &binding) {
  JsonObjectText queues;
  for (const auto &[alias, queue] : binding.queues)
    queues.json(alias, queue_json(queue));
  JsonObjectText out;
  out.text("namespace", binding.name_space);
  add_text(out, "workStream", binding.work_stream);
  return out.json("queues", queues.str()).str();
}

Result<BoundJobs> parse_bound_jobs(std::string_view text) {
  return read_record(text, read_binding);
}

Job new_job(const BoundJobs &binding, const BoundQueue &queue, std::string id, std::string payload, JobContext context,
            std::int64_t now_ms) {
  std::optional<std::string> deadline;
  if (queue.default_deadline_ms) deadline = iso_time(now_ms + *queue.default_deadline_ms);
  return pending_job({std::move(id), binding.name_space, queue.queue_type, std::move(context), std::move(payload),
                      queue.max_deliver, std::move(deadline), iso_time(now_ms)});
}

} // namespace trellis
