// Service instances (02 §13, 05 §6.5), and the instances that the operator's own configuration enrolls.
#include "authority_records.h"
#include "contracts/json_write.h"
#include "deployments.h"
#include "offers.h"
#include "session_ends.h"
#include "store/database.h"
#include "store/deployments.h"
#include "wire/session_key.h"

namespace trellis::auth {
namespace {

std::string reply_with(const ServiceInstance &instance) {
  return JsonObjectText().json("instance", instance_record(instance)).str();
}

void log_instance(const AuthorityContext &context, std::string_view message, const ServiceInstance &instance) {
  log_change(
      context, Level::info, message,
      JsonObjectText().text("deploymentId", instance.deployment_id).text("instanceId", instance.instance_id).str());
}

tl::unexpected<Error> no_such_instance(const std::string &instance_id) {
  return invalid("/instanceId", "The service instance doesn't exist.", {{"instanceId", instance_id}});
}

std::string of_deployment(const ServiceInstance &instance) {
  return JsonObjectText().text("deploymentId", instance.deployment_id).str();
}

// Finds the instance, lets `change` store what becomes of it, and ends its sessions and connections in one go.
Result<ServiceInstance> change_instance(AuthorityContext &context, const std::string &instance_id,
                                        const std::function<void(Writer &, ServiceInstance &)> &change) {
  const auto found = context.core.db.read([&](Reader &db) { return find_service_instance(db, instance_id); });
  if (!found) return tl::make_unexpected(found.error());
  if (!*found) return no_such_instance(instance_id);
  std::optional<ServiceInstance> instance;
  const auto ended =
      end_sessions(context.core, context.connections, {(*found)->instance_key}, "", [&](Writer &db) -> Result<void> {
        instance = find_service_instance(db, instance_id);
        if (!instance) return no_such_instance(instance_id);
        change(db, *instance);
        return {};
      });
  if (!ended) return tl::make_unexpected(ended.error());
  return *instance;
}

BootstrapAnswer enroll_refused(int status, std::string_view reason, std::string_view message) {
  return {status, JsonObjectText().text("reason", reason).text("message", message).str()};
}

} // namespace

ServiceInstance new_instance(std::string_view deployment_id, std::string_view instance_key, UnixMs now) {
  ServiceInstance instance;
  instance.instance_id = service_instance_id(instance_key);
  instance.deployment_id = deployment_id;
  instance.instance_key = instance_key;
  instance.created_at = now;
  return instance;
}

Result<std::string> provision_instance(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const UnixMs now = context.core.now();
  const ServiceInstance instance = new_instance(body->text("deploymentId"), body->text("instanceKey"), now);
  const Details of_id = {{"deploymentId", instance.deployment_id}};
  const auto made = context.core.db.write([&](Writer &db) -> Result<void> {
    const auto deployment = find_service_deployment(db, instance.deployment_id);
    if (!deployment) return invalid("/deploymentId", "The deployment doesn't exist.", of_id);
    if (deployment->disabled) return invalid("/deploymentId", "The deployment is disabled.", of_id);
    if (find_service_instance(db, instance.instance_id))
      return invalid("/instanceKey", "The instance exists.", {{"instanceId", instance.instance_id}});
    put_service_instance(db, instance);
    audit(db, now, actor_of(by), "instance.provision", instance.instance_id, of_deployment(instance));
    return {};
  });
  if (!made) return tl::make_unexpected(made.error());
  log_instance(context, "service instance provisioned", instance);
  context.changed();
  return reply_with(instance);
}

Result<std::string> list_instances(AuthorityContext &context, std::string_view input) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  return context.core.db.read([&](Reader &db) {
    const auto deployment = body->optional_text("deploymentId");
    std::vector<ServiceInstance> rows = deployment ? service_instances_of(db, *deployment) : list_service_instances(db);
    if (const auto disabled = body->optional_flag("disabled"))
      std::erase_if(rows, [&](const ServiceInstance &row) { return row.disabled != *disabled; });
    return page_of(*body, rows, instance_record);
  });
}

Result<std::string> set_instance_disabled(AuthorityContext &context, std::string_view input, bool disabled,
                                          const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const UnixMs now = context.core.now();
  const auto instance = change_instance(context, body->text("instanceId"), [&](Writer &db, ServiceInstance &stored) {
    stored.disabled = disabled;
    put_service_instance(db, stored);
    audit(db, now, actor_of(by), disabled ? "instance.disable" : "instance.enable", stored.instance_id,
          of_deployment(stored));
  });
  if (!instance) return tl::make_unexpected(instance.error());
  log_instance(context, disabled ? "service instance disabled" : "service instance enabled", *instance);
  context.changed();
  return reply_with(*instance);
}

Result<std::string> remove_instance(AuthorityContext &context, std::string_view input, const Decider &by) {
  const auto body = Body::parse(input);
  if (!body) return tl::make_unexpected(body.error());
  const UnixMs now = context.core.now();
  const auto instance = change_instance(context, body->text("instanceId"), [&](Writer &db, ServiceInstance &stored) {
    end_offers(db, stored.deployment_id, stored.instance_id, now);
    delete_service_instance(db, stored.instance_id);
    audit(db, now, actor_of(by), "instance.remove", stored.instance_id, of_deployment(stored));
  });
  if (!instance) return tl::make_unexpected(instance.error());
  log_instance(context, "service instance removed", *instance);
  context.changed();
  return JsonObjectText().flag("success", true).str();
}

BootstrapAnswer enroll(AuthorityContext &context, std::string_view deployment_id, std::string_view session_key) {
  if (deployment_id.empty() || !is_session_key_text(session_key))
    return enroll_refused(400, "invalid_request", "A deployment id and a session key are needed.");
  const UnixMs now = context.core.now();
  const ServiceInstance wanted = new_instance(deployment_id, session_key, now);
  bool new_deployment = false, fresh_instance = false, was_removed = false;
  const auto done = context.core.db.write([&](Writer &db) -> Result<void> {
    if (find_device_deployment(db, deployment_id))
      return fail("deployment_kind_mismatch", wanted.deployment_id, "is a deployment of devices", "another id");
    const auto known = service_instance_of_key(db, session_key);
    if (known && known->deployment_id != deployment_id)
      return fail("instance_key_taken", wanted.deployment_id,
                  "the session key belongs to deployment " + known->deployment_id, "another key");
    new_deployment = !find_service_deployment(db, deployment_id);
    fresh_instance = !known;
    if (new_deployment) {
      was_removed = find_authority(db, deployment_id).has_value();
      put_service_deployment(db, {wanted.deployment_id, {}, false, false});
      put_authority(db, empty_authority(deployment_id, "service", now));
      audit(db, now, "host", "deployment.enroll", deployment_id, "{}");
    }
    if (fresh_instance) {
      put_service_instance(db, wanted);
      audit(db, now, "host", "instance.enroll", wanted.instance_id, of_deployment(wanted));
    }
    return {};
  });
  if (!done && done.error().code == "storage")
    return enroll_refused(503, "storage_unavailable", "The deployment can't be stored now.");
  if (!done) return enroll_refused(409, done.error().code, done.error().text());
  if (fresh_instance) log_instance(context, "service instance enrolled", wanted);
  if (was_removed) warn_about_recreation(context, deployment_id);
  if (new_deployment || fresh_instance) context.changed();
  return {200, JsonObjectText()
                   .text("deploymentId", deployment_id)
                   .text("instanceId", wanted.instance_id)
                   .flag("created", new_deployment || fresh_instance)
                   .str()};
}

} // namespace trellis::auth
