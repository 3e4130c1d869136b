// Kind provision of resource-bindings (README §3.2): rounds of plan, accept, reconcile and bootstrap, and what
// JetStream holds afterwards.
#include "generated_names.h"
#include "nats/nats_test_support.h"
#include "output.h"
#include "provision_cases.h"
#include "provision_control_plane.h"
#include "support/nats_server.h"
#include <memory>
#include <stdexcept>

namespace trellis::vectors {
namespace {

// One server for all cases: each empties it first.
struct Server {
  test::NatsServer nats;
  std::unique_ptr<NatsLoop> loop = test::start_loop();
  std::unique_ptr<NatsTransport> transport = test::open_connected(*loop, nats.url());
};

void check_members(const JsonValue &round) {
  for (const auto &member : round.GetObject())
    if (const auto name = text_of(member.name); name != "deploymentId" && name != "contract")
      throw std::runtime_error("unknown member " + std::string(name) + " of a round");
}

// Of a configuration only the listed members are normative.
Output only_listed_members(const JsonValue &configs, const JsonValue *expected) {
  Output out;
  for (const auto &config : configs.GetObject()) {
    const JsonValue *listed = expected ? find_member(*expected, text_of(config.name)) : nullptr;
    Output kept;
    for (const auto &member : config.value.GetObject())
      if (!listed || find_member(*listed, text_of(member.name))) kept.json(text_of(member.name), member.value);
    out.json(text_of(config.name), std::move(kept));
  }
  return out;
}

Output comparable(const JsonValue &round, const JsonValue *expected) {
  Output out;
  for (const auto &member : round.GetObject()) {
    const auto name = text_of(member.name);
    if (name == "streams" || name == "consumers")
      out.json(name, only_listed_members(member.value, expected ? find_member(*expected, name) : nullptr));
    else
      out.json(name, member.value);
  }
  return out;
}

JsonDocument run_provision(const Input &input, const CaseContext &context, Server &server) {
  ProvisionControlPlane plane(*server.transport, input.flag("eventStreamPresent"), input.at("knownContracts"));
  JsonDocument rounds(rapidjson::kArrayType);
  for (const JsonValue &round : input.at("rounds").GetArray()) {
    check_members(round);
    rounds.PushBack(JsonValue(plane.run(round), rounds.GetAllocator()), rounds.GetAllocator());
  }
  const JsonDocument named = with_expected_names(Output().json("rounds", rounds).take(), *context.expected);
  const JsonValue *expected = find_member(*context.expected, "rounds");
  Output out(rapidjson::kArrayType);
  for (rapidjson::SizeType i = 0; i < named["rounds"].Size(); ++i)
    out.push(comparable(named["rounds"][i], expected && i < expected->Size() ? &(*expected)[i] : nullptr));
  return Output().json("rounds", std::move(out)).take();
}

} // namespace

void register_provision(Registry &registry) {
  const auto server = std::make_shared<std::unique_ptr<Server>>(); // started by the first case
  registry["resource-bindings"]["provision"] = {[server](const Input &input, const CaseContext &context) {
                                                  if (!*server) *server = std::make_unique<Server>();
                                                  return run_provision(input, context, **server);
                                                },
                                                {.sets = {"storedBindings"}}};
}

} // namespace trellis::vectors
