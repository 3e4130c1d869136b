// trellis svc: service deployments and their instances (10 §3.2). Target first: `trellis svc ID ACTION`.
#include "commands.h"
#include "contract_file.h"
#include "contracts/json_write.h"
#include "plan_commands.h"
#include "sign_in.h"
#include <algorithm>
#include <iostream>
#include <memory>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

struct Options {
  std::string id;
  bool only_disabled = false, force = false, cascade = false, purge = false, purge_contracts = false;
  std::vector<std::string> namespaces;
  std::string seed, key, manifest, plugin;
};
using Shared = std::shared_ptr<Options>;

std::string text_at(const JsonValue &value, const char *name) {
  return std::string(string_member(value, name));
}
bool flag_at(const JsonValue &value, const char *name) {
  const JsonValue *flag = find_member(value, name);
  return flag && flag->IsBool() && flag->GetBool();
}
std::string joined(const JsonValue *texts) {
  std::string out;
  if (texts && texts->IsArray())
    for (const JsonValue &text : texts->GetArray())
      out.append(out.empty() ? "" : ",").append(text_of(text));
  return out;
}
std::string member_json(const JsonValue &value, const char *name) {
  const JsonValue *found = find_member(value, name);
  return found ? to_json(*found) : "null";
}

// {kind: "service", deploymentId}
JsonObjectText target(const Options &options) {
  return std::move(JsonObjectText().text("kind", "service").text("deploymentId", options.id));
}

Result<JsonDocument> deployments(SignedIn &entered, const Options &options) {
  JsonObjectText filter;
  filter.text("kind", "service");
  if (options.only_disabled) filter.flag("disabled", true);
  return entered.plane->list("Auth.Deployments.List", filter.str());
}

Result<void> list(SignedIn &entered, const Options &options, Output &out) {
  const auto all = deployments(entered, options);
  if (!all) return tl::unexpected(all.error());
  Table table{{"ref", "disabled", "namespaces"}, {}};
  for (const JsonValue &each : find_member(*all, "entries")->GetArray())
    table.rows.push_back({"svc/" + text_at(each, "deploymentId"), flag_at(each, "disabled") ? "true" : "false",
                          joined(find_member(each, "namespaces"))});
  out.show(Report().table("deployments", std::move(table)),
           JsonObjectText().json("deployments", member_json(*all, "entries")).str());
  return {};
}

void show_deployment(const JsonValue &deployment, const std::string &success, Output &out) {
  Report report(success);
  report.text("ref", "svc/" + text_at(deployment, "deploymentId"))
      .flag("disabled", flag_at(deployment, "disabled"))
      .text("namespaces", joined(find_member(deployment, "namespaces")));
  if (const auto mode = text_at(deployment, "contractCompatibilityMode"); !mode.empty())
    report.text("contractCompatibilityMode", mode);
  out.show(report, JsonObjectText().json("deployment", to_json(deployment)).str());
}

Result<void> show(SignedIn &entered, const Options &options, Output &out) {
  const auto all = deployments(entered, options);
  if (!all) return tl::unexpected(all.error());
  for (const JsonValue &each : find_member(*all, "entries")->GetArray())
    if (text_at(each, "deploymentId") == options.id) {
      show_deployment(each, "", out);
      return {};
    }
  return fail("not_found", "svc/" + options.id, "there is no such service deployment", "one of: trellis svc list");
}

// Create, Disable, Enable: they answer with the deployment.
Result<void> change(SignedIn &entered, const std::string &rpc, const std::string &input, const std::string &success,
                    Output &out) {
  const auto answer = entered.plane->call(rpc, input);
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue *deployment = find_member(*answer, "deployment");
  if (!deployment) return fail("answer_invalid", rpc, "the answer holds no deployment");
  show_deployment(*deployment, success, out);
  return {};
}

Result<void> create(SignedIn &entered, const Options &options, Output &out) {
  std::vector<std::string> namespaces;
  for (std::string_view list : options.namespaces)
    while (!list.empty()) {
      const auto comma = std::min(list.find(','), list.size());
      if (comma > 0) namespaces.emplace_back(list.substr(0, comma));
      list.remove_prefix(std::min(comma + 1, list.size()));
    }
  const auto input = target(options).texts("namespaces", namespaces).str();
  return change(entered, "Auth.Deployments.Create", input, "created", out);
}

// ---------------------------------------------------------------------------------------------------------- removing

Result<void> confirm(const Options &options, Output &out) {
  if (options.force) return {};
  if (out.format() == Output::Format::json)
    return fail("option", "--force", "nobody can be asked in JSON format", "--force");
  const std::string ref = "svc/" + options.id;
  out.err() << "This removes " << printable(ref) << ". Type " << printable(ref) << " to go on: " << std::flush;
  std::string line;
  if (std::getline(std::cin, line) && line == ref) return {};
  return fail("not_confirmed", ref, "not removed", "its name as an answer, or --force");
}

Result<void> check_removal(const Options &options) {
  if ((options.purge || options.purge_contracts) && !options.cascade)
    return fail("option", options.purge ? "--purge" : "--purge-unused-contracts", "needs --cascade", "--cascade");
  return {};
}

Result<void> remove(SignedIn &entered, const Options &options, Output &out) {
  auto input = target(options);
  if (options.cascade) input.flag("cascade", true);
  if (options.purge || options.purge_contracts) input.flag("purgeUnusedContracts", true);
  const auto answer = entered.plane->call("Auth.Deployments.Remove", input.str());
  if (!answer) return tl::unexpected(answer.error());
  out.show(Report("removed").flag("success", flag_at(*answer, "success")).text("deploymentId", options.id));
  return {};
}

// --------------------------------------------------------------------------------------------------------- instances

Result<void> instances(SignedIn &entered, const Options &options, Output &out) {
  JsonObjectText filter;
  filter.text("deploymentId", options.id);
  if (options.only_disabled) filter.flag("disabled", true);
  const auto all = entered.plane->list("Auth.ServiceInstances.List", filter.str());
  if (!all) return tl::unexpected(all.error());
  Table table{{"instanceId", "deploymentId", "disabled", "instanceKey"}, {}};
  for (const JsonValue &each : find_member(*all, "entries")->GetArray())
    table.rows.push_back({text_at(each, "instanceId"), text_at(each, "deploymentId"),
                          flag_at(each, "disabled") ? "true" : "false", text_at(each, "instanceKey")});
  out.show(Report().table("instances", std::move(table)),
           JsonObjectText().json("instances", member_json(*all, "entries")).str());
  return {};
}

struct InstanceKey {
  std::string text;
  SecretText generated_seed; // empty when it was given
};

// A public key of somebody else's (a host's plugin), a given seed, or a fresh one.
Result<InstanceKey> instance_key(const Options &options) {
  if (!options.key.empty() && !options.seed.empty())
    return fail("option", "--instance-key", "can't go with --instance-seed", "one of them");
  if (!options.key.empty()) {
    if (!is_session_key_text(options.key))
      return fail("option", "--instance-key", "is no public key", "43 characters of base64url");
    return InstanceKey{options.key, {}};
  }
  if (options.seed.empty()) {
    const auto key = SessionKey::generate();
    return InstanceKey{key.text(), key.seed_text()};
  }
  const auto key = SessionKey::from_seed(options.seed);
  if (!key) return tl::unexpected(key.error());
  return InstanceKey{key->text(), {}};
}

Result<void> provision(SignedIn &entered, const Options &options, Output &out) {
  const auto key = instance_key(options);
  if (!key) return tl::unexpected(key.error());
  const auto answer =
      entered.plane->call("Auth.ServiceInstances.Provision",
                          JsonObjectText().text("deploymentId", options.id).text("instanceKey", key->text).str());
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue *instance = find_member(*answer, "instance");
  if (!instance) return fail("answer_invalid", "Auth.ServiceInstances.Provision", "the answer holds no instance");
  Report report("provisioned");
  report.text("instanceId", text_at(*instance, "instanceId"))
      .text("deploymentId", text_at(*instance, "deploymentId"))
      .text("instanceKey", text_at(*instance, "instanceKey"));
  const bool generated = !key->generated_seed.empty();
  JsonObjectText json;
  json.json("instance", to_json(*instance)).flag("generatedSeed", generated);
  // This is the one moment when the owner of a fresh seed can have it.
  if (generated) {
    report.text("instanceSeed", key->generated_seed.reveal());
    json.text("instanceSeed", key->generated_seed.reveal());
  } else {
    json.json("instanceSeed", "null");
  }
  out.show(report, json.str());
  return {};
}

Result<void> apply(SignedIn &entered, const Options &options, const Manifest &contract, Output &out) {
  const auto answer =
      entered.plane->call("Auth.DeploymentAuthority.Plan", JsonObjectText()
                                                               .text("deploymentId", options.id)
                                                               .json("contract", contract.normalized())
                                                               .text("expectedDigest", contract.digest())
                                                               .str());
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue *plan = find_member(*answer, "plan");
  if (!plan) return fail("answer_invalid", "Auth.DeploymentAuthority.Plan", "the answer holds no plan");
  out.show(Report("plan recorded; review it with: trellis plan show " + text_at(*plan, "planId"))
               .text("deploymentId", options.id)
               .text("contractDigest", contract.digest())
               .text("planId", text_at(*plan, "planId"))
               .text("classification", text_at(*plan, "classification")),
           to_json(*answer));
  return {};
}

// ---------------------------------------------------------------------------------------------------------- commands

using Work = std::function<Result<void>(SignedIn &, const Options &, Output &)>;

Result<void> need_id(const Options &options) {
  if (!options.id.empty()) return {};
  return fail("option", "ID", "which deployment?", "trellis svc ID ACTION");
}

Action on_deployment(const Shared &options, Work work) {
  return [options, work = std::move(work)](Output &out) {
    if (const auto named = need_id(*options); !named) return out.fail(named.error());
    return as_operator(out, [&](SignedIn &entered) { return work(entered, *options, out); });
  };
}

int run_list(const Options &options, Output &out) {
  if (!options.id.empty())
    return out.fail(Error{"option", options.id, "`list` is about all deployments", "trellis svc ID show", {}});
  return as_operator(out, [&](SignedIn &entered) { return list(entered, options, out); });
}

int run_remove(const Options &options, Output &out) {
  for (const auto &checked : {need_id(options), check_removal(options)})
    if (!checked) return out.fail(checked.error());
  if (const auto confirmed = confirm(options, out); !confirmed) return out.fail(confirmed.error());
  return as_operator(out, [&](SignedIn &entered) { return remove(entered, options, out); });
}

int run_apply(const Options &options, Output &out) {
  if (const auto named = need_id(options); !named) return out.fail(named.error());
  const auto contract = read_contract(options.manifest.empty() ? options.plugin : options.manifest);
  if (!contract) return out.fail(contract.error());
  return as_operator(out, [&](SignedIn &entered) { return apply(entered, options, *contract, out); });
}

Work switching(const char *rpc, const char *success) {
  return [rpc, success](SignedIn &entered, const Options &options, Output &out) {
    return change(entered, rpc, target(options).str(), success, out);
  };
}

} // namespace

void add_deployment_commands(Command root) {
  const auto options = std::make_shared<Options>();
  auto svc = root.group("svc", "Service deployments: `svc list`, and `svc ID ACTION` for one of them");
  svc.argument("ID", options->id, "the deployment", Presence::optional);

  auto list_command = svc.command("list", "All service deployments");
  list_command.flag("--disabled", options->only_disabled, "only those that are disabled");
  list_command.action([options](Output &out) { return run_list(*options, out); });
  svc.command("show", "One deployment").action(on_deployment(options, show));

  auto create_command = svc.command("create", "Make a deployment");
  create_command.options("--namespace", options->namespaces, "of the subjects that it may own (repeatable, or N,N)");
  create_command.action(on_deployment(options, create));
  svc.command("disable", "Stop it: its instances are disconnected")
      .action(on_deployment(options, switching("Auth.Deployments.Disable", "disabled")));
  svc.command("enable", "Let it run again")
      .action(on_deployment(options, switching("Auth.Deployments.Enable", "enabled")));

  auto remove_command = svc.command("remove", "Remove it");
  remove_command.flag("-f,--force", options->force, "without asking");
  remove_command.flag("--cascade", options->cascade, "its instances too");
  remove_command.flag("--purge", options->purge, "what nothing else uses, too; needs --cascade");
  remove_command.flag("--purge-unused-contracts", options->purge_contracts, "the same, for contracts");
  remove_command.action([options](Output &out) { return run_remove(*options, out); });

  auto instances_command = svc.command("instances", "Its instances");
  instances_command.flag("--disabled", options->only_disabled, "only those that are disabled");
  instances_command.action(on_deployment(options, instances));

  auto provision_command = svc.command("provision", "Make an instance known by its key");
  provision_command.option("--instance-seed", options->seed, "base64url of 32 bytes; without it a seed is made");
  provision_command.option("--instance-key", options->key, "the public key of an instance that has its seed already");
  provision_command.action(on_deployment(options, provision));

  auto apply_command = svc.command("apply", "Plan the authority that a contract needs");
  apply_command.option("--manifest", options->manifest, "contract.json");
  apply_command.option("--plugin", options->plugin, "plugin.so; none of it is run");
  apply_command.exactly_one("--manifest", "--plugin");
  apply_command.action([options](Output &out) { return run_apply(*options, out); });

  add_authority_commands(svc, {options, &options->id});
}

} // namespace trellis::cli
