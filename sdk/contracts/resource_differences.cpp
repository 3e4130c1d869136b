// What an existing stream or consumer differs in, and the configuration that changes it (resource_configs.h).
#include "contracts/json_write.h"
#include "contracts/resource_configs.h"
#include <algorithm>
#include <rapidjson/document.h>
#include <set>

namespace trellis {
namespace {

bool is_nothing(const JsonValue &value) {
  if (value.IsNumber()) return value.GetDouble() == 0;
  if (value.IsString()) return value.GetStringLength() == 0;
  if (value.IsArray()) return value.Empty();
  if (value.IsObject()) return value.ObjectEmpty();
  return value.IsNull() || value.IsFalse();
}

bool holds(const JsonValue &current, const JsonValue &wanted);

bool holds_member(const JsonValue &current, const JsonValue &name, const JsonValue &wanted) {
  const JsonValue *value = find_member(current, text_of(name));
  return value ? holds(*value, wanted) : is_nothing(wanted);
}

// Whether `current` is `wanted`, perhaps with more members: the server adds some of its own.
bool holds(const JsonValue &current, const JsonValue &wanted) {
  if (wanted.IsObject())
    return current.IsObject() && std::all_of(wanted.MemberBegin(), wanted.MemberEnd(), [&](const auto &member) {
             return holds_member(current, member.name, member.value);
           });
  if (wanted.IsArray())
    return current.IsArray() && std::equal(current.Begin(), current.End(), wanted.Begin(), wanted.End(), holds);
  return current == wanted || (is_nothing(current) && is_nothing(wanted));
}

std::string shown(const JsonValue *value) {
  return value ? to_json(*value) : "not set";
}

using Differences = std::vector<ConfigDifference>;

void compare(Differences &out, const char *member, const JsonValue *current, const JsonValue *wanted) {
  const JsonValue nothing;
  if (!holds(current ? *current : nothing, wanted ? *wanted : nothing))
    out.push_back({member, shown(current), shown(wanted)});
}

// Of either form: the server keeps the one that it was given.
std::set<std::string> filters(const JsonValue &config) {
  std::set<std::string> out;
  if (const auto one = string_member(config, "filter_subject"); !one.empty()) out.emplace(one);
  if (const JsonValue *several = find_member(config, "filter_subjects"); several && several->IsArray())
    for (const JsonValue &subject : several->GetArray())
      out.emplace(text_of(subject));
  return out;
}

std::string list(const std::set<std::string> &texts) {
  const std::string object = JsonObjectText().texts("x", {texts.begin(), texts.end()}).str();
  return object.substr(5, object.size() - 6); // {"x":[...]}
}

const JsonValue *effective_ack_wait(const JsonValue &config) {
  const JsonValue *backoff = find_member(config, "backoff");
  return backoff && backoff->IsArray() && !backoff->Empty() ? &(*backoff)[0] : find_member(config, "ack_wait");
}

std::string overlaid(const JsonValue &current, const JsonValue &wanted,
                     std::initializer_list<std::string_view> dropped) {
  JsonObjectText out;
  for (const auto &member : current.GetObject())
    if (const auto name = text_of(member.name);
        !find_member(wanted, name) && std::ranges::find(dropped, name) == dropped.end())
      out.json(name, to_json(member.value));
  for (const auto &member : wanted.GetObject())
    out.json(text_of(member.name), to_json(member.value));
  return out.str();
}

} // namespace

std::string differences_text(const Differences &differences) {
  std::string out;
  for (const auto &[member, current, wanted] : differences) {
    if (!out.empty()) out += ", ";
    out.append(member).append(" is ").append(current).append(" (wanted ").append(wanted).append(")");
  }
  return out;
}

const std::vector<std::string_view> &bucket_members() {
  static const std::vector<std::string_view> kMembers = {"max_msgs_per_subject", "max_age", "max_msg_size", "max_bytes",
                                                         "num_replicas"};
  return kMembers;
}

Differences stream_differences(const JsonValue &current, const JsonValue &wanted,
                               const std::vector<std::string_view> &members) {
  Differences out;
  if (!wanted.IsObject()) return out;
  for (const auto &member : wanted.GetObject()) {
    const auto name = text_of(member.name);
    if (!members.empty() && std::ranges::find(members, name) == members.end()) continue;
    compare(out, member.name.GetString(), find_member(current, name), &member.value);
  }
  return out;
}

Differences consumer_differences(const JsonValue &current, const JsonValue &wanted) {
  Differences out;
  for (const char *member :
       {"durable_name", "ack_policy", "deliver_policy", "max_deliver", "max_ack_pending", "backoff"})
    compare(out, member, find_member(current, member), find_member(wanted, member));
  compare(out, "ack_wait", find_member(current, "ack_wait"), effective_ack_wait(wanted));
  if (const auto has = filters(current), wants = filters(wanted); has != wants)
    out.push_back({"filter_subjects", list(has), list(wants)});
  return out;
}

std::int64_t kept_replicas(const JsonValue &current, int replicas, bool configured) {
  const JsonValue *copies = find_member(current, "num_replicas");
  const std::int64_t existing = copies && copies->IsInt64() ? copies->GetInt64() : 0;
  return configured ? replicas : std::max<std::int64_t>(existing, replicas);
}

std::string overlaid_stream(const JsonValue &current, const JsonValue &wanted) {
  return overlaid(current, wanted, {});
}

std::string overlaid_consumer(const JsonValue &current, const JsonValue &wanted) {
  return overlaid(current, wanted, {"filter_subject", "filter_subjects", "backoff"});
}

} // namespace trellis
