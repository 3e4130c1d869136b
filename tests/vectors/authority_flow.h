// One control plane for a flow case of authority-plan (README §3.2): a store of its own, JetStream of a real server.
#pragma once

#include "callout_testing.h"
#include "contracts/json.h"
#include "deployment_authority.h"
#include "nats/nats_transport.h"
#include "support/nats_server.h"
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::vectors {

// Fails every request while it is broken.
class BreakableTransport : public Transport {
public:
  explicit BreakableTransport(Transport &inner) : inner_(inner) {}
  void set_broken(bool broken) { broken_ = broken; }

  Result<void> publish(const Outbound &message) override { return inner_.publish(message); }
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string queue_group,
                                                  OnMessage on_message) override {
    return inner_.subscribe(std::move(subject), std::move(queue_group), std::move(on_message));
  }
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override;
  std::size_t max_payload() const override { return inner_.max_payload(); }
  Result<void> flush(std::chrono::milliseconds timeout) override { return inner_.flush(timeout); }

private:
  Transport &inner_;
  std::atomic<bool> broken_ = false;
};

// Results of steps are JSON objects; `error` in them has the form {type, path or reason}.
class FlowControlPlane {
public:
  // `contracts`: label -> manifest.
  explicit FlowControlPlane(const JsonValue &contracts);
  ~FlowControlPlane();

  // One step, by its `op`. Throws on a step that can't be understood.
  JsonDocument run(const JsonValue &step);

private:
  struct Contract {
    std::string label, text, id, digest;
  };

  JsonDocument deploy(const JsonValue &step);
  JsonDocument provision(const JsonValue &step);
  JsonDocument bootstrap(const JsonValue &step);
  JsonDocument plan(const JsonValue &step);
  JsonDocument accept(const JsonValue &step);
  JsonDocument reject(const JsonValue &step);
  JsonDocument decided(const Result<std::string> &outcome, const std::string &plan_id);
  JsonDocument reconcile(const JsonValue &step);
  JsonDocument disable(const JsonValue &step);
  JsonDocument plans(const JsonValue &step);
  JsonDocument offers(const JsonValue &step);
  JsonDocument catalog(const JsonValue &step);
  JsonDocument surface_status(const JsonValue &step);
  JsonDocument permissions(const JsonValue &step);
  JsonDocument break_resources(const JsonValue &step);

  const Contract &contract(const JsonValue &step) const;
  std::string label_of(std::string_view digest) const;
  std::string plan_label(std::string_view plan_id); // "plan1" ... by first appearance
  std::string plan_id(std::string_view label) const;
  JsonDocument stored_plan(const std::string &plan_id);

  std::vector<Contract> contracts_;
  std::vector<std::string> plan_ids_;
  auth::testing::Domain domain_;
  test::NatsServer server_;
  std::unique_ptr<NatsLoop> loop_;
  std::unique_ptr<NatsTransport> nats_;
  BreakableTransport trellis_;
  auth::DeploymentAuthority authority_;
};

} // namespace trellis::vectors
