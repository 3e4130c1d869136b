// trellis contract permissions: the NATS allow lists that a participant with this contract would get (02 §9, §10).
#include "contract_commands.h"

#include "contract_report.h"
#include "contracts/accepted_grants.h"
#include "contracts/encoding.h"
#include "contracts/json_write.h"
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// 43 characters of base64url, like every session key; its first 16 name the inbox.
constexpr char kExampleKey[] = "ExampleSessionKey-ExampleSessionKey-Example";

struct Options {
  ContractOptions contract;
  std::string as, session_key = kExampleKey;
};

// The one participant that a contract of this kind makes (02 §9.1).
std::string principal_of(ContractKind kind) {
  if (kind == ContractKind::service) return "service";
  return kind == ContractKind::device ? "device" : "user";
}

Result<std::string> chosen_principal(const Options &options, ContractKind kind) {
  const auto principal = principal_of(kind);
  if (options.as.empty() || options.as == principal) return principal;
  return fail("kind", "--as", "a contract of kind " + std::string(kind_name(kind)) + " makes no " + options.as,
              principal);
}

Result<void> check_session_key(const std::string &key) {
  const auto bytes = base64url_decode(key);
  if (key.size() == 43 && bytes && bytes->size() == 32) return {};
  return fail("option", "--session-key", "is no session key", "43 characters of base64url");
}

Result<Permissions> permissions_of(const Manifest &contract, const KnownContracts &known, const std::string &key) {
  if (principal_of(contract.kind()) == "user") {
    const auto plan = plan_approval(contract, known);
    if (!plan) return tl::make_unexpected(plan.error());
    return user_permissions(*plan, key);
  }
  const bool device = contract.kind() == ContractKind::device;
  const auto grants = grants_when_accepted(contract, known, device ? DeploymentKind::device : DeploymentKind::service);
  if (!grants) return tl::make_unexpected(grants.error());
  return device ? device_permissions(*grants, key) : service_permissions(*grants, {}, key);
}

// Buckets, queues and consumers get their names when they are provisioned for a deployment; only then are their
// subjects known.
std::vector<std::string> resources_of(const Manifest &contract, const KnownContracts &known) {
  std::vector<std::string> out;
  const auto analysis = analyze(contract, known, Resolution::known_or_pending);
  if (!analysis || contract.kind() != ContractKind::service) return out;
  for (const auto &need : analysis->requested().resources)
    if (need.kind != ResourceKind::transfer)
      out.push_back(std::string(resource_kind_name(need.kind)) + " " + need.alias);
  return out;
}

std::string joined(const std::vector<std::string> &names) {
  std::string out;
  for (const auto &name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

int show(const Options &options, Output &out) {
  const auto contract = read_sourced_contract(options.contract.file, options.contract.id);
  if (!contract) return fail_contract(out, contract.error());
  const auto surroundings = read_surroundings(options.contract.with);
  if (!surroundings) return fail_contract(out, surroundings.error());
  const auto &manifest = contract->manifest;
  const auto principal = chosen_principal(options, manifest.kind());
  if (!principal) return fail_contract(out, principal.error());
  if (const auto checked = check_session_key(options.session_key); !checked)
    return fail_contract(out, checked.error(), 2);
  const auto known = surroundings->known(manifest);
  const auto permissions = permissions_of(manifest, known, options.session_key);
  if (!permissions) return fail_contract(out, contract->place(permissions.error()));

  const auto unknown = unknown_uses(manifest, *surroundings);
  const auto resources = resources_of(manifest, known);
  if (out.format() == Output::Format::json) {
    print_json(out, JsonObjectText()
                        .text("id", manifest.id())
                        .text("digest", manifest.digest())
                        .text("as", *principal)
                        .text("sessionKey", options.session_key)
                        .texts("publish", permissions->publish)
                        .texts("subscribe", permissions->subscribe)
                        .number("responses", permissions->response.max)
                        .flag("streaming", permissions->response.streaming)
                        .texts("capabilities", permissions->capabilities)
                        .texts("unknownContracts", unknown)
                        .texts("resourcesWithoutSubjects", resources)
                        .str());
    return 0;
  }
  Report report;
  report.text("id", manifest.id()).text("as", *principal).text("sessionKey", options.session_key);
  if (!unknown.empty()) report.text("incomplete", "without --with FILE for " + joined(unknown));
  if (!resources.empty()) report.text("onceProvisioned", "also the subjects of " + joined(resources));
  report.list("publish", permissions->publish).list("subscribe", permissions->subscribe);
  report.number("responses", permissions->response.max).flag("streaming", permissions->response.streaming);
  out.show(report);
  return 0;
}

} // namespace

void add_permissions_command(Command group) {
  const auto options = std::make_shared<Options>();
  auto command = group.command("permissions", "Show what a participant with this contract may do on NATS");
  add_contract_arguments(command, options->contract);
  add_with_option(command, options->contract.with);
  command.option("--as", options->as, "service, device or user, as the contract's kind has it");
  command.option("--session-key", options->session_key, "the participant's key");
  command.action([options](Output &out) { return show(*options, out); });
}

} // namespace trellis::cli
