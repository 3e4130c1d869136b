// The lists of a user JWT (02 §9.1, 03 §6.5).
#include "contracts/authority.h"
#include "contracts/resource_subjects.h"

#include <set>

namespace trellis {
namespace {

using Subjects = std::set<std::string>;

constexpr std::string_view kPlaceholder = "{serviceSessionPrefix}";
constexpr int kServiceResponses = 65535;

std::string_view session_prefix(std::string_view session_key) {
  return session_key.substr(0, 16);
}
std::string inbox(std::string_view session_key) {
  return "_INBOX." + std::string(session_prefix(session_key)) + ".>";
}

bool has_all(const std::set<std::string> &capabilities, const std::vector<std::string> &required) {
  for (const auto &capability : required)
    if (!capabilities.contains(capability)) return false;
  return true;
}

std::string with_prefix(const NatsGrant &grant, std::string_view prefix) {
  std::string subject = grant.subject;
  const auto at = grant.source == GrantSource::transfer ? subject.find(kPlaceholder) : std::string::npos;
  return at == std::string::npos ? subject : subject.replace(at, kPlaceholder.size(), prefix);
}

// `prefix`: what the placeholder of transfer subjects becomes; as it is when there is none.
Permissions granted(const Grants &grants, const std::set<std::string> &capabilities,
                    std::optional<std::string_view> prefix, Subjects publish, Subjects subscribe) {
  for (const auto &grant : grants.nats)
    if (has_all(capabilities, grant.required_capabilities))
      (grant.publish ? publish : subscribe).insert(prefix ? with_prefix(grant, *prefix) : grant.subject);
  return {{publish.begin(), publish.end()},
          {subscribe.begin(), subscribe.end()},
          {},
          {capabilities.begin(), capabilities.end()}};
}

// 03 §6.5 "Streaming grant".
bool streams(const NatsGrant &grant) {
  if (grant.publish) return false;
  const bool streaming_kind =
      grant.surface && (grant.surface->kind == SurfaceKind::operation || grant.surface->kind == SurfaceKind::feed);
  return (grant.source == GrantSource::owned_surface && streaming_kind) ||
         grant.subject.starts_with("transfer.v1.download.");
}

} // namespace

Permissions service_permissions(const Grants &grants, const std::vector<BindingRef> &bindings,
                                std::string_view session_key) {
  const auto prefix = session_prefix(session_key);
  std::set<std::string> capabilities(grants.capabilities.begin(), grants.capabilities.end());
  capabilities.insert("service");
  auto resources = resource_subjects(bindings);
  Subjects publish(resources.publish.begin(), resources.publish.end());
  publish.insert("rpc.v1.Auth.Requests.Validate");
  for (auto &subject : kv_subjects("trellis_operations_" + std::string(prefix), BucketCreation::allowed))
    publish.insert(std::move(subject));
  Subjects subscribe(resources.subscribe.begin(), resources.subscribe.end());
  subscribe.insert(inbox(session_key));

  auto permissions = granted(grants, capabilities, prefix, std::move(publish), std::move(subscribe));
  permissions.response.max = kServiceResponses;
  for (const auto &grant : grants.nats)
    permissions.response.streaming |= streams(grant);
  return permissions;
}

Permissions device_permissions(const Grants &grants, std::string_view session_key) {
  const std::set<std::string> capabilities(grants.capabilities.begin(), grants.capabilities.end());
  return granted(grants, capabilities, std::nullopt, {}, {inbox(session_key)});
}

Permissions user_permissions(const ApprovalPlan &plan, std::string_view session_key) {
  Subjects subscribe(plan.subscribe_subjects.begin(), plan.subscribe_subjects.end());
  subscribe.insert(inbox(session_key));
  return {plan.publish_subjects, {subscribe.begin(), subscribe.end()}, {}, {}};
}

} // namespace trellis
