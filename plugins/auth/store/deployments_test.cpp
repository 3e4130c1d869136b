#include "store/deployments.h"
#include "store/store_test.h"

using namespace trellis;
using namespace trellis::auth;

namespace {

ServiceInstance instance_of(const std::string &id, const std::string &deployment, const std::string &key) {
  return {.instance_id = id,
          .deployment_id = deployment,
          .instance_key = key,
          .disabled = true,
          .capabilities = {"service", "x"},
          .created_at = 7};
}

} // namespace

TEST_CASE("Service deployments are stored, listed by id and deleted") {
  TestStore store;
  const ServiceDeployment first{.deployment_id = "a", .namespaces = {"acme"}, .mutable_dev = true, .disabled = true};
  const ServiceDeployment second{.deployment_id = "b", .namespaces = {}, .mutable_dev = false, .disabled = false};
  store.write([&](Writer &db) {
    put_service_deployment(db, second);
    put_service_deployment(db, first);
  });
  CHECK(store.read(list_service_deployments) == std::vector{first, second});
  CHECK(store.read([](Reader &db) { return find_service_deployment(db, "a"); }) == first);
  store.write([](Writer &db) {
    CHECK(delete_service_deployment(db, "a"));
    CHECK_FALSE(delete_service_deployment(db, "a"));
  });
  CHECK_FALSE(store.read([](Reader &db) { return find_service_deployment(db, "a"); }));
}

TEST_CASE("Service instances are found by id, key and deployment") {
  TestStore store;
  const auto one = instance_of("svc_1", "a", "key1"), two = instance_of("svc_2", "a", "key2"),
             three = instance_of("svc_3", "b", "key3");
  store.write([&](Writer &db) {
    for (const auto &instance : {three, two, one})
      put_service_instance(db, instance);
  });
  store.read([&](Reader &db) {
    CHECK(find_service_instance(db, "svc_2") == two);
    CHECK(service_instance_of_key(db, "key3") == three);
    CHECK_FALSE(service_instance_of_key(db, "key4"));
    CHECK(list_service_instances(db) == std::vector{one, two, three});
    CHECK(service_instances_of(db, "a") == std::vector{one, two});
    return true;
  });
  store.write([](Writer &db) { CHECK(delete_service_instance(db, "svc_1")); });
  CHECK(store.read([](Reader &db) { return service_instances_of(db, "a").size(); }) == 1);
}

TEST_CASE("A key that another instance holds is an error, and both stay as they were") {
  TestStore store;
  const auto one = instance_of("svc_1", "a", "key1");
  store.write([&](Writer &db) { put_service_instance(db, one); });
  CHECK_FALSE(store->write([](Writer &db) -> Result<void> {
    put_service_instance(db, instance_of("svc_2", "b", "key1"));
    return {};
  }));
  CHECK(store.read(list_service_instances) == std::vector{one});
}

TEST_CASE("Device deployments, instances and activations come back as they were stored") {
  TestStore store;
  const DeviceDeployment deployment{.deployment_id = "reader.default", .review_required = true, .disabled = true};
  DeviceInstance instance{.instance_id = "dev_1",
                          .public_identity_key = "pub",
                          .deployment_id = "reader.default",
                          .state = "activated",
                          .metadata = R"({"serial":"7"})",
                          .created_at = 1,
                          .activated_at = 2,
                          .revoked_at = 3};
  Activation activation{.instance_id = "dev_1",
                        .public_identity_key = "pub",
                        .deployment_id = "reader.default",
                        .state = "revoked",
                        .activated_by = R"({"type":"user"})",
                        .activated_at = 2,
                        .revoked_at = 3};
  SECTION("with everything") {}
  SECTION("with nothing optional") {
    instance.metadata = activation.activated_by = std::nullopt;
    instance.activated_at = instance.revoked_at = std::nullopt;
    activation.activated_at = activation.revoked_at = std::nullopt;
  }
  store.write([&](Writer &db) {
    put_device_deployment(db, deployment);
    put_device_instance(db, instance);
    put_activation(db, activation);
  });
  store.read([&](Reader &db) {
    CHECK(find_device_deployment(db, "reader.default") == deployment);
    CHECK(list_device_deployments(db) == std::vector{deployment});
    CHECK(find_device_instance(db, "dev_1") == instance);
    CHECK(find_activation(db, "dev_1") == activation);
    CHECK_FALSE(find_activation(db, "dev_2"));
    return true;
  });
}
