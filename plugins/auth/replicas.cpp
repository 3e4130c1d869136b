#include "replicas.h"
#include "contracts/json.h"
#include "wire/ulid.h"
#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

constexpr char kProbe[] = "$SYS.REQ.SERVER.PING.JSZ";

const JsonValue *object_member(const JsonValue &object, std::string_view name) {
  const JsonValue *value = find_member(object, name);
  return value != nullptr && value->IsObject() ? value : nullptr;
}

const JsonValue *meta_cluster(const JsonValue &answer) {
  if (const JsonValue *data = object_member(answer, "data"))
    if (const JsonValue *meta = object_member(*data, "meta_cluster")) return meta;
  return object_member(answer, "meta_cluster");
}

const JsonValue *replica_list(const JsonValue &meta) {
  const JsonValue *list = find_member(meta, "replicas");
  return list != nullptr && list->IsArray() ? list : nullptr;
}

// The number that this answer decides, or nullopt when it isn't the meta leader's.
std::optional<int> decided_by(const std::string &text) {
  const auto answer = parse_json(text);
  if (!answer) return std::nullopt;
  const JsonValue *meta = meta_cluster(*answer);
  const JsonValue *list = meta == nullptr ? nullptr : replica_list(*meta);
  if (list == nullptr) return std::nullopt;
  std::size_t servers = string_member(*meta, "leader").empty() ? 0 : 1; // the list leaves the leader out
  for (const auto &replica : list->GetArray()) {
    const JsonValue *current = find_member(replica, "current");
    if (current == nullptr || !current->IsFalse()) ++servers;
  }
  return servers >= 3 ? 3 : 1;
}

// A server of no cluster says so, and then there is nobody else to wait for.
bool settles(const std::string &text) {
  if (decided_by(text)) return true;
  const auto answer = parse_json(text);
  if (!answer || meta_cluster(*answer) != nullptr) return false;
  const JsonValue *server = object_member(*answer, "server");
  return server != nullptr && find_member(*server, "cluster") == nullptr;
}

struct Answers {
  std::mutex mutex; // guards the list
  std::condition_variable arrived;
  std::vector<std::string> list;
};

} // namespace

int replicas_from_jsz(const std::vector<std::string> &answers) {
  for (const auto &answer : answers)
    if (const auto count = decided_by(answer)) return *count;
  return 1;
}

Result<std::vector<std::string>> request_many(Transport &transport, std::string_view subject,
                                              std::chrono::milliseconds limit, bool (*enough)(const std::string &)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  const std::string inbox = "_INBOX." + new_ulid(); // privileged connections may subscribe anywhere (03 §2.2)
  const auto answers = std::make_shared<Answers>();
  const auto subscription = transport.subscribe(inbox, "", [answers](MessagePtr message) {
    const std::lock_guard lock(answers->mutex);
    answers->list.emplace_back(message->payload());
    answers->arrived.notify_all();
  });
  if (!subscription) return tl::make_unexpected(subscription.error());
  if (const auto sent = transport.publish({.subject = subject, .reply = inbox}); !sent)
    return tl::make_unexpected(sent.error());
  std::unique_lock lock(answers->mutex);
  std::size_t seen = 0;
  const auto satisfied = [&] {
    while (seen < answers->list.size())
      if (enough(answers->list[seen++])) return true;
    return false;
  };
  answers->arrived.wait_until(lock, deadline, satisfied);
  auto out = answers->list;
  lock.unlock(); // before the subscription ends: its callback may be waiting for the lock
  return out;
}

Result<int> probe_replicas(Transport &system, std::chrono::milliseconds limit) {
  const auto answers = request_many(system, kProbe, limit, settles);
  if (!answers) return tl::make_unexpected(answers.error());
  if (std::none_of(answers->begin(), answers->end(), settles))
    return fail("replicas_unknown", kProbe,
                "none of " + std::to_string(answers->size()) + " answers describes the cluster");
  return replicas_from_jsz(*answers);
}

} // namespace trellis::auth
