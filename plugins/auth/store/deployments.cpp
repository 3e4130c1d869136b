#include "store/deployments.h"

#include "store/columns.h"

namespace trellis::auth {
namespace {

constexpr std::string_view kDeploymentId = " WHERE deployment_id = ?1";
constexpr std::string_view kDeploymentsInOrder = " ORDER BY deployment_id";
constexpr std::string_view kInstanceId = " WHERE instance_id = ?1";

constexpr std::string_view kServiceDeployments =
    "SELECT deployment_id, namespaces, compatibility_mode, disabled FROM service_deployments";
ServiceDeployment read_service_deployment(Columns row) {
  return {.deployment_id = row.text(),
          .namespaces = row.names(),
          .mutable_dev = row.text() == "mutable-dev",
          .disabled = row.flag()};
}

constexpr std::string_view kServiceInstances =
    "SELECT instance_id, deployment_id, instance_key, disabled, capabilities, created_at FROM service_instances";
constexpr std::string_view kInstanceKey = " WHERE instance_key = ?1";
constexpr std::string_view kInstancesInOrder = " ORDER BY instance_id";
constexpr std::string_view kInstancesOfDeployment = " WHERE deployment_id = ?1 ORDER BY instance_id";
ServiceInstance read_service_instance(Columns row) {
  return {.instance_id = row.text(),
          .deployment_id = row.text(),
          .instance_key = row.text(),
          .disabled = row.flag(),
          .capabilities = row.names(),
          .created_at = row.integer()};
}

constexpr std::string_view kDeviceDeployments =
    "SELECT deployment_id, review_required, disabled FROM device_deployments";
DeviceDeployment read_device_deployment(Columns row) {
  return {.deployment_id = row.text(), .review_required = row.flag(), .disabled = row.flag()};
}

DeviceInstance read_device_instance(Columns row) {
  return {.instance_id = row.text(),
          .public_identity_key = row.text(),
          .deployment_id = row.text(),
          .state = row.text(),
          .metadata = row.optional_text(),
          .created_at = row.integer(),
          .activated_at = row.optional_integer(),
          .revoked_at = row.optional_integer()};
}

Activation read_activation(Columns row) {
  return {.instance_id = row.text(),
          .public_identity_key = row.text(),
          .deployment_id = row.text(),
          .state = row.text(),
          .activated_by = row.optional_text(),
          .activated_at = row.optional_integer(),
          .revoked_at = row.optional_integer()};
}

} // namespace

std::optional<ServiceDeployment> find_service_deployment(Reader &db, std::string_view deployment_id) {
  return first_of(db, joined<kServiceDeployments, kDeploymentId>, {deployment_id}, read_service_deployment);
}

std::vector<ServiceDeployment> list_service_deployments(Reader &db) {
  return all_of(db, joined<kServiceDeployments, kDeploymentsInOrder>, {}, read_service_deployment);
}

void put_service_deployment(Writer &db, const ServiceDeployment &deployment) {
  db.execute("INSERT OR REPLACE INTO service_deployments (deployment_id, namespaces, compatibility_mode, disabled) "
             "VALUES (?1, ?2, ?3, ?4)",
             {deployment.deployment_id, names_json(deployment.namespaces),
              deployment.mutable_dev ? "mutable-dev" : "strict", deployment.disabled});
}

bool delete_service_deployment(Writer &db, std::string_view deployment_id) {
  return db.execute("DELETE FROM service_deployments WHERE deployment_id = ?1", {deployment_id}) > 0;
}

std::optional<ServiceInstance> find_service_instance(Reader &db, std::string_view instance_id) {
  return first_of(db, joined<kServiceInstances, kInstanceId>, {instance_id}, read_service_instance);
}

std::optional<ServiceInstance> service_instance_of_key(Reader &db, std::string_view instance_key) {
  return first_of(db, joined<kServiceInstances, kInstanceKey>, {instance_key}, read_service_instance);
}

std::vector<ServiceInstance> list_service_instances(Reader &db) {
  return all_of(db, joined<kServiceInstances, kInstancesInOrder>, {}, read_service_instance);
}

std::vector<ServiceInstance> service_instances_of(Reader &db, std::string_view deployment_id) {
  return all_of(db, joined<kServiceInstances, kInstancesOfDeployment>, {deployment_id}, read_service_instance);
}

// No "OR REPLACE": a key that another instance holds is an error and must not remove that instance.
void put_service_instance(Writer &db, const ServiceInstance &instance) {
  db.execute("INSERT INTO service_instances (instance_id, deployment_id, instance_key, disabled, capabilities, "
             "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (instance_id) DO UPDATE SET "
             "deployment_id = excluded.deployment_id, instance_key = excluded.instance_key, "
             "disabled = excluded.disabled, capabilities = excluded.capabilities, created_at = excluded.created_at",
             {instance.instance_id, instance.deployment_id, instance.instance_key, instance.disabled,
              names_json(instance.capabilities), instance.created_at});
}

bool delete_service_instance(Writer &db, std::string_view instance_id) {
  return db.execute("DELETE FROM service_instances WHERE instance_id = ?1", {instance_id}) > 0;
}

std::optional<DeviceDeployment> find_device_deployment(Reader &db, std::string_view deployment_id) {
  return first_of(db, joined<kDeviceDeployments, kDeploymentId>, {deployment_id}, read_device_deployment);
}

std::vector<DeviceDeployment> list_device_deployments(Reader &db) {
  return all_of(db, joined<kDeviceDeployments, kDeploymentsInOrder>, {}, read_device_deployment);
}

void put_device_deployment(Writer &db, const DeviceDeployment &deployment) {
  db.execute("INSERT OR REPLACE INTO device_deployments (deployment_id, review_required, disabled) "
             "VALUES (?1, ?2, ?3)",
             {deployment.deployment_id, deployment.review_required, deployment.disabled});
}

std::optional<DeviceInstance> find_device_instance(Reader &db, std::string_view instance_id) {
  return first_of(db,
                  "SELECT instance_id, public_identity_key, deployment_id, state, metadata, created_at, activated_at, "
                  "revoked_at FROM device_instances WHERE instance_id = ?1",
                  {instance_id}, read_device_instance);
}

void put_device_instance(Writer &db, const DeviceInstance &instance) {
  db.execute("INSERT OR REPLACE INTO device_instances (instance_id, public_identity_key, deployment_id, state, "
             "metadata, created_at, activated_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
             {instance.instance_id, instance.public_identity_key, instance.deployment_id, instance.state,
              instance.metadata, instance.created_at, instance.activated_at, instance.revoked_at});
}

std::optional<Activation> find_activation(Reader &db, std::string_view instance_id) {
  return first_of(db,
                  "SELECT instance_id, public_identity_key, deployment_id, state, activated_by, activated_at, "
                  "revoked_at FROM device_activations WHERE instance_id = ?1",
                  {instance_id}, read_activation);
}

void put_activation(Writer &db, const Activation &activation) {
  db.execute("INSERT OR REPLACE INTO device_activations (instance_id, public_identity_key, deployment_id, state, "
             "activated_by, activated_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
             {activation.instance_id, activation.public_identity_key, activation.deployment_id, activation.state,
              activation.activated_by, activation.activated_at, activation.revoked_at});
}

} // namespace trellis::auth
