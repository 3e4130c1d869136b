#include "contracts/resource_subjects.h"

#include <algorithm>
#include <initializer_list>
#include <rapidjson/document.h>
#include <tuple>

namespace trellis {
namespace {

// `pattern` with every "%" replaced by `name`.
std::string filled(std::string_view pattern, std::string_view name) {
  std::string out;
  for (const char c : pattern)
    c == '%' ? out.append(name) : out.append(1, c);
  return out;
}

void add(std::vector<std::string> &subjects, std::initializer_list<std::string_view> patterns, std::string_view name) {
  for (const auto pattern : patterns)
    subjects.push_back(filled(pattern, name));
}

void add_store(std::vector<std::string> &publish, std::string_view name) {
  add(publish,
      {"$JS.API.INFO", "$O.%.C.>", "$O.%.M.>", "$JS.API.STREAM.INFO.OBJ_%", "$JS.API.STREAM.MSG.GET.OBJ_%",
       "$JS.API.STREAM.PURGE.OBJ_%", "$JS.API.CONSUMER.CREATE.OBJ_%", "$JS.API.CONSUMER.CREATE.OBJ_%.>",
       "$JS.API.CONSUMER.DELETE.OBJ_%.>", "$JS.FC.OBJ_%.>"},
      name);
}

void add_event_consumer(std::vector<std::string> &publish, std::string_view stream, std::string_view durable) {
  const std::string consumer = std::string(stream) + "." + std::string(durable);
  add(publish, {"$JS.API.INFO", "$JS.API.CONSUMER.INFO.%", "$JS.API.CONSUMER.MSG.NEXT.%", "$JS.ACK.%.>"}, consumer);
}

// Once per deployment, whatever the number of queues.
void add_jobs_namespace(std::vector<std::string> &publish, std::string_view name, std::string_view work_stream) {
  add(publish,
      {"trellis.jobs.%.>", "trellis.jobs.workers.%.>", "trellis.work.%.>", "$JS.API.DIRECT.GET.JOBS",
       "$JS.API.DIRECT.GET.JOBS.>", "$JS.API.STREAM.MSG.GET.JOBS"},
      name);
  add(publish, {"$JS.API.CONSUMER.INFO.%.>", "$JS.API.CONSUMER.MSG.NEXT.%.>", "$JS.ACK.%.>"}, work_stream);
}

void add_queue(ResourceSubjects &subjects, std::string_view publish_prefix, std::string_view work_subject) {
  add(subjects.publish, {"%.>"}, publish_prefix);
  subjects.publish.emplace_back(work_subject);
  add(subjects.subscribe, {"%.*.*", "%.*.cancelled"}, publish_prefix);
}

class Bindings {
public:
  ResourceSubjects subjects;

  void add_binding(ResourceKind kind, const JsonValue &binding) {
    const auto text = [&](const char *member) { return string_member(binding, member); };
    switch (kind) {
    case ResourceKind::kv:
      if (const auto bucket = text("bucket"); !bucket.empty()) append(kv_subjects(bucket, BucketCreation::refused));
      return;
    case ResourceKind::store:
      if (const auto name = text("name"); !name.empty()) add_store(subjects.publish, name);
      return;
    case ResourceKind::event_consumer:
      if (const auto stream = text("stream"), durable = text("consumerName"); !stream.empty() && !durable.empty())
        add_event_consumer(subjects.publish, stream, durable);
      return;
    case ResourceKind::jobs: return add_jobs(binding);
    case ResourceKind::transfer: return; // has no binding
    }
  }

private:
  void append(std::vector<std::string> added) {
    std::move(added.begin(), added.end(), std::back_inserter(subjects.publish));
  }

  // Namespace and work stream are those of the first record (02 §7.4).
  void add_jobs(const JsonValue &binding) {
    const auto text = [&](const char *member) { return string_member(binding, member); };
    const auto name = text("namespace"), work_stream = text("workStream");
    if (!seen_jobs_ && !name.empty() && !work_stream.empty()) {
      seen_jobs_ = true;
      add_jobs_namespace(subjects.publish, name, work_stream);
    }
    const auto prefix = text("publishPrefix"), work_subject = text("workSubject");
    if (!prefix.empty() && !work_subject.empty()) add_queue(subjects, prefix, work_subject);
  }

  bool seen_jobs_ = false;
};

} // namespace

std::vector<std::string> kv_subjects(std::string_view bucket, BucketCreation creation) {
  std::vector<std::string> subjects;
  add(subjects,
      {"$JS.API.INFO", "$KV.%.>", "$JS.API.STREAM.INFO.KV_%", "$JS.API.STREAM.MSG.GET.KV_%", "$JS.API.DIRECT.GET.KV_%",
       "$JS.API.DIRECT.GET.KV_%.>", "$JS.API.CONSUMER.CREATE.KV_%", "$JS.API.CONSUMER.CREATE.KV_%.>",
       "$JS.API.CONSUMER.INFO.KV_%.>", "$JS.API.CONSUMER.DELETE.KV_%.>", "$JS.API.CONSUMER.MSG.NEXT.KV_%.>",
       "$JS.API.$KV.%.>", "$JS.ACK.KV_%.>"},
      bucket);
  if (creation == BucketCreation::allowed) add(subjects, {"$JS.API.STREAM.CREATE.KV_%"}, bucket);
  return subjects;
}

std::vector<std::string> jobs_admin_subjects() {
  auto subjects = kv_subjects("JOBS_WORKER_PRESENCE", BucketCreation::allowed);
  for (const char *stream : {"JOBS", "JOBS_ADVISORIES"})
    add(subjects,
        {"$JS.API.STREAM.INFO.%", "$JS.API.CONSUMER.CREATE.%.>", "$JS.API.CONSUMER.DURABLE.CREATE.%.>",
         "$JS.API.CONSUMER.INFO.%.>", "$JS.API.CONSUMER.MSG.NEXT.%.>", "$JS.ACK.%.>"},
        stream);
  add(subjects, {"trellis.jobs.>", "$JS.API.STREAM.INFO.%", "$JS.API.STREAM.MSG.GET.%"}, "JOBS_WORK");
  return subjects;
}

ResourceSubjects resource_subjects(std::vector<BindingRef> refs) {
  std::sort(refs.begin(), refs.end(), [](const BindingRef &a, const BindingRef &b) {
    return std::tuple(resource_kind_name(a.kind), std::string_view(a.alias)) <
           std::tuple(resource_kind_name(b.kind), std::string_view(b.alias));
  });
  Bindings bindings;
  for (const auto &ref : refs)
    if (const auto binding = parse_json(ref.binding)) bindings.add_binding(ref.kind, *binding);
  return std::move(bindings.subjects);
}

} // namespace trellis
