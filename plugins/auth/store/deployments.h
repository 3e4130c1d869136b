// Deployments and what runs in them: service instances, devices, activations (02 §13, §16; 05 §5).
#pragma once

#include "store/accounts.h"
#include <optional>
#include <string>
#include <vector>

namespace trellis::auth {

struct ServiceDeployment {
  std::string deployment_id;
  Names namespaces;
  bool mutable_dev = false; // contractCompatibilityMode: "mutable-dev", else "strict"
  bool disabled = false;
  bool operator==(const ServiceDeployment &) const = default;
};

struct ServiceInstance {
  std::string instance_id; // "svc_..."
  std::string deployment_id, instance_key;
  bool disabled = false;
  Names capabilities = {"service"};
  UnixMs created_at = 0;
  bool operator==(const ServiceInstance &) const = default;
};

struct DeviceDeployment {
  std::string deployment_id;
  bool review_required = false;
  bool disabled = false;
  bool operator==(const DeviceDeployment &) const = default;
};

struct DeviceInstance {
  std::string instance_id; // "dev_..."
  std::string public_identity_key, deployment_id;
  std::string state;                   // "registered" | "activated" | "revoked" | "disabled"
  std::optional<std::string> metadata; // JSON object of texts
  UnixMs created_at = 0;
  std::optional<UnixMs> activated_at, revoked_at;
  bool operator==(const DeviceInstance &) const = default;
};

struct Activation {
  std::string instance_id, public_identity_key, deployment_id;
  std::string state;                       // "activated" | "revoked"
  std::optional<std::string> activated_by; // JSON of Actor
  std::optional<UnixMs> activated_at, revoked_at;
  bool operator==(const Activation &) const = default;
};

std::optional<ServiceDeployment> find_service_deployment(Reader &db, std::string_view deployment_id);
std::vector<ServiceDeployment> list_service_deployments(Reader &db); // by id, as all lists here
void put_service_deployment(Writer &db, const ServiceDeployment &deployment);
bool delete_service_deployment(Writer &db, std::string_view deployment_id);

std::optional<ServiceInstance> find_service_instance(Reader &db, std::string_view instance_id);
std::optional<ServiceInstance> service_instance_of_key(Reader &db, std::string_view instance_key);
std::vector<ServiceInstance> list_service_instances(Reader &db);
std::vector<ServiceInstance> service_instances_of(Reader &db, std::string_view deployment_id);
void put_service_instance(Writer &db, const ServiceInstance &instance);
bool delete_service_instance(Writer &db, std::string_view instance_id);

std::optional<DeviceDeployment> find_device_deployment(Reader &db, std::string_view deployment_id);
std::vector<DeviceDeployment> list_device_deployments(Reader &db);
void put_device_deployment(Writer &db, const DeviceDeployment &deployment);
std::optional<DeviceInstance> find_device_instance(Reader &db, std::string_view instance_id);
void put_device_instance(Writer &db, const DeviceInstance &instance);
std::optional<Activation> find_activation(Reader &db, std::string_view instance_id);
void put_activation(Writer &db, const Activation &activation);

} // namespace trellis::auth
