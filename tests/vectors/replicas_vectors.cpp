// Kind replicas of resource-bindings (README: one answer of the JetStream probe, 02 §7.6).
#include "output.h"
#include "replicas.h"
#include "runner.h"

namespace trellis::vectors {
namespace {

JsonDocument run_replicas(const Input &input, const CaseContext &) {
  const JsonValue &configured = input.at("configuredReplicas");
  const JsonValue &reply = input.at("jszReply");
  std::vector<std::string> answers;
  if (reply.IsString()) {
    if (text_of(reply) != "timeout") answers.emplace_back(text_of(reply));
  } else {
    answers.push_back(to_json(reply));
  }
  const double count = configured.IsNumber() ? configured.GetDouble() : auth::replicas_from_jsz(answers);
  return Output().number("replicas", count).take();
}

} // namespace

void register_replicas(Registry &registry) {
  registry["resource-bindings"]["replicas"] = {run_replicas};
}

} // namespace trellis::vectors
