#include "deployments.h"
#include "authority_records.h"
#include "contracts/json_write.h"
#include "offers.h"
#include "reconcile.h"
#include "session_ends.h"
#include "store/database.h"
#include "store/deployments.h"
#include "store/sessions.h"
#include "wire/ulid.h"
#include <algorithm>
#include <set>

namespace trellis::auth {
namespace {

struct Target {
  bool service = true;
  std::string id;
};

// The two kinds report semantic errors differently (05 §6.4).
tl::unexpected<Error> target_error(const Target &target, std::string where, std::string message,
                                   const char *device_reason) {
  if (target.service) return invalid(std::move(where), std::move(message), {{"deploymentId", target.id}});
  return refused("invalid_request", std::move(message), {{"deploymentId", target.id}, {"reason", device_reason}});
}
tl::unexpected<Error> not_found(const Target &target) {
  return target_error(target, "/deploymentId", "The deployment doesn't exist.", "device_deployment_not_found");
}

Target target_of(const Body &body) {
  return {body.text("kind") != "device", body.text("deploymentId")};
}

std::string reply_with(const std::string &record) {
  return JsonObjectText().json("deployment", record).str();
}

template <class Row>
std::vector<Row> kept(std::vector<Row> rows, const Body &body) {
  if (const auto disabled = body.optional_flag("disabled"))
    std::erase_if(rows, [&](const Row &row) { return row.disabled != *disabled; });
  return rows;
}

template <class Row>
std::string deployment_page(const Body &body, const std::vector<Row> &rows) {
  return page_of(body, rows, [](const Row &row) { return deployment_record(row); });
}

// Both pages with the same offset and limit, services first.
std::string both_pages(const Body &body, const std::vector<ServiceDeployment> &services,
                       const std::vector<DeviceDeployment> &devices) {
  const std::int64_t offset = body.integer("offset"), limit = body.integer("limit");
  std::vector<std::string> entries;
  const auto add = [&](const auto &rows) {
    const auto count = static_cast<std::int64_t>(rows.size());
    for (std::int64_t index = offset; index < count && index - offset < limit; ++index)
      entries.push_back(deployment_record(rows[static_cast<std::size_t>(index)]));
    return count;
  };
  const std::int64_t service_count = add(services), device_count = add(devices);
  JsonObjectText out;
  out.json("entries", json_array(entries)).number("count", service_count + device_count);
  out.number("offset", offset).number("limit", limit);
  if (limit > 0 && offset + limit < std::max(service_count, device_count)) out.number("nextOffset", offset + limit);
  return out.str();
}

// Flips `disabled` of the authority; true when that changed it. nullopt: there is none.
std::optional<bool> flip_authority(Writer &db, std::string_view deployment_id, bool disabled, UnixMs now) {
  auto authority = find_authority(db, deployment_id);
  if (!authority) return std::nullopt;
  if (authority->disabled == disabled) return false;
  authority->disabled = disabled;
  authority->version = new_ulid();
  authority->updated_at = now;
  put_authority(db, *authority);
  return true;
}

// Session keys of everything that runs in the deployment.
Result<std::vector<std::string>> session_keys(AuthorityContext &context, const Target &target) {
  return context.core.db.read([&](Reader &db) {
    std::vector<std::string> keys;
    if (target.service)
      for (const ServiceInstance &instance : service_instances_of(db, target.id))
        keys.push_back(instance.instance_key);
    else
      for (const Session &session : list_sessions(db, 0))
        if (session.device() && session.device()->deployment_id == target.id) keys.push_back(session.session_key);
    return keys;
  });
}

void log_deployment(const AuthorityContext &context, std::string_view message, std::string_view deployment_id) {
  log_change(context, Level::info, message, JsonObjectText().text("deploymentId", deployment_id).str());
}

} // namespace

void warn_about_recreation(const AuthorityContext &context, std::string_view deployment_id) {
  log_change(context, Level::warn,
             "the deployment was removed before: its authority starts empty, and the next reconciliation deletes the "
             "resources that it had",
             JsonObjectText().text("deploymentId", deployment_id).str());
}

std::string actor_of(const Decider &by) {
  return by.user_id.empty() ? "user" : "user:" + by.user_id;
}

Authority empty_authority(std::string_view deployment_id, std::string_view kind, UnixMs now) {
  Authority authority;
  authority.deployment_id = deployment_id;
  authority.kind = kind;
  authority.version = new_ulid();
  authority.created_at = authority.updated_at = now;
  return authority;
}

Result<std::string> create_deployment(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const Target target = target_of(*body);
  const UnixMs now = context.core.now();
  ServiceDeployment service{target.id, {}, body->text("contractCompatibilityMode") == "mutable-dev", false};
  for (std::string &name : body->texts("namespaces"))
    if (std::ranges::find(service.namespaces, name) == service.namespaces.end())
      service.namespaces.push_back(std::move(name));
  const DeviceDeployment device{target.id, body->text("reviewMode") == "required", false};

  bool was_removed = false;
  const auto created = context.core.db.write([&](Writer &db) -> Result<void> {
    if (find_service_deployment(db, target.id) || find_device_deployment(db, target.id))
      return invalid("/deploymentId", "A deployment of this id exists.", {{"deploymentId", target.id}});
    was_removed = find_authority(db, target.id).has_value();
    if (target.service)
      put_service_deployment(db, service);
    else
      put_device_deployment(db, device);
    put_authority(db, empty_authority(target.id, target.service ? "service" : "device", now));
    audit(db, now, actor_of(by), "deployment.create", target.id,
          JsonObjectText().text("kind", target.service ? "service" : "device").flag("recreated", was_removed).str());
    return {};
  });
  if (!created) return tl::make_unexpected(created.error());
  log_deployment(context, "deployment created", target.id);
  if (was_removed) warn_about_recreation(context, target.id);
  context.changed();
  return reply_with(target.service ? deployment_record(service) : deployment_record(device));
}

Result<std::string> list_deployments(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  return context.core.db.read([&](Reader &db) {
    const std::string kind = body->text("kind");
    if (kind == "service") return deployment_page(*body, kept(list_service_deployments(db), *body));
    if (kind == "device") return deployment_page(*body, kept(list_device_deployments(db), *body));
    return both_pages(*body, kept(list_service_deployments(db), *body), kept(list_device_deployments(db), *body));
  });
}

Result<std::string> set_deployment_disabled(AuthorityContext &context, std::string_view input, bool disabled,
                                            const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const Target target = target_of(*body);
  const UnixMs now = context.core.now();
  std::string record;
  bool flipped = false;
  const auto change = [&](Writer &db) -> Result<void> {
    auto service = target.service ? find_service_deployment(db, target.id) : std::nullopt;
    auto device = target.service ? std::nullopt : find_device_deployment(db, target.id);
    if (!service && !device) return not_found(target);
    const auto flip = flip_authority(db, target.id, disabled, now);
    if (!flip)
      return target_error(target, "/deploymentId", "The deployment has no authority.",
                          "deployment_authority_not_found");
    flipped = *flip;
    if (service) {
      service->disabled = disabled;
      put_service_deployment(db, *service);
      record = deployment_record(*service);
    } else {
      device->disabled = disabled;
      put_device_deployment(db, *device);
      record = deployment_record(*device);
    }
    audit(db, now, actor_of(by), disabled ? "deployment.disable" : "deployment.enable", target.id, "{}");
    return {};
  };
  if (disabled) {
    const auto keys = session_keys(context, target);
    if (!keys) return tl::make_unexpected(keys.error());
    if (const auto ended = end_sessions(context.core, context.connections, *keys, "", change); !ended)
      return tl::make_unexpected(ended.error());
  } else if (const auto written = context.core.db.write(std::function<Result<void>(Writer &)>(change)); !written) {
    return tl::make_unexpected(written.error());
  }
  if (flipped) {
    log_deployment(context, disabled ? "deployment disabled" : "deployment enabled", target.id);
    reconcile_or_log(context, target.id);
    context.changed();
  }
  return reply_with(record);
}

namespace {

// What a removal asks for that it can't have; the order is that of 05 §6.4.
Result<void> check_removal(Reader &db, const Target &target, const Body &body) {
  const bool cascade = body.flag("cascade");
  if (target.service && body.flag("purgeResources"))
    return invalid("/purgeResources", "Resources can't be purged.", {{"deploymentId", target.id}});
  if (body.flag("purgeUnusedContracts") && !cascade)
    return target_error(target, "/purgeUnusedContracts", "Purging unused contracts requires cascade.",
                        "unused_contract_purge_requires_cascade");
  if (target.service && !cascade && !service_instances_of(db, target.id).empty())
    return target_error(target, "/deploymentId", "The deployment still has instances.", "device_deployment_in_use");
  if (target.service ? !find_service_deployment(db, target.id) : !find_device_deployment(db, target.id))
    return not_found(target);
  if (!target.service) return fail("not_provided", target.id, "device deployments can't be removed by this version");
  return {};
}

} // namespace

Result<std::string> remove_deployment(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const Target target = target_of(*body);
  const UnixMs now = context.core.now();
  const auto keys = session_keys(context, target);
  if (!keys) return tl::make_unexpected(keys.error());
  const auto removed = end_sessions(context.core, context.connections, *keys, "", [&](Writer &db) -> Result<void> {
    if (auto allowed = check_removal(db, target, *body); !allowed) return allowed;
    for (const ServiceInstance &instance : service_instances_of(db, target.id))
      delete_service_instance(db, instance.instance_id);
    end_offers(db, target.id, std::nullopt, now);
    delete_service_deployment(db, target.id);
    flip_authority(db, target.id, true, now); // kept, disabled
    audit(db, now, actor_of(by), "deployment.remove", target.id,
          JsonObjectText().flag("cascade", body->flag("cascade")).str());
    return {};
  });
  if (!removed) return tl::make_unexpected(removed.error());
  log_deployment(context, "deployment removed", target.id);
  reconcile_or_log(context, target.id);
  context.changed();
  return JsonObjectText().flag("success", true).str();
}

} // namespace trellis::auth
