// Authority plans: what contracts ask for and what operators decide. `trellis plan ...`, and the same in the words of
// other operator CLIs, `trellis svc ID authority ...` (10 §3.3).
#include "plan_commands.h"
#include "commands.h"
#include "contracts/json_write.h"
#include "plan_review.h"
#include "sign_in.h"
#include <memory>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

constexpr char kPrefix[] = "Auth.DeploymentAuthority.";

struct Options {
  std::string deployment; // of `svc ID` or --deployment
  std::string plan, state, classification, acknowledgement, reason, version;
};
using Shared = std::shared_ptr<Options>;

std::string text_at(const JsonValue &value, const char *name) {
  return std::string(string_member(value, name));
}
const JsonValue &member(const JsonValue &value, const char *name) {
  static const rapidjson::Value kNull;
  const JsonValue *found = find_member(value, name);
  return found ? *found : kNull;
}
Result<JsonDocument> call(SignedIn &entered, const char *rpc, const JsonObjectText &input) {
  return entered.plane->call(std::string(kPrefix) + rpc, input.str());
}
JsonObjectText with(const char *name, const std::string &value) {
  return std::move(JsonObjectText().text(name, value));
}

// The plan with the id of `options`; of the deployment, when one was named.
Result<JsonDocument> get_plan(SignedIn &entered, const Options &options) {
  auto answer = call(entered, "Plans.Get", with("planId", options.plan));
  if (!answer) return answer;
  const JsonValue &plan = member(*answer, "plan");
  if (!plan.IsObject()) return fail("answer_invalid", options.plan, "the answer holds no plan");
  if (const auto owner = text_at(plan, "deploymentId"); !options.deployment.empty() && owner != options.deployment)
    return fail("wrong_deployment", options.plan, "the plan belongs to deployment " + owner,
                "a plan of " + options.deployment);
  return answer;
}

// ---------------------------------------------------------------------------------------------------------- looking

Result<void> list(SignedIn &entered, const Options &options, Output &out) {
  JsonObjectText filter;
  if (!options.deployment.empty()) filter.text("deploymentId", options.deployment);
  if (!options.state.empty() && options.state != "all") filter.text("state", options.state);
  if (!options.classification.empty()) filter.text("classification", options.classification);
  const auto all = entered.plane->list(std::string(kPrefix) + "Plans.List", filter.str());
  if (!all) return tl::unexpected(all.error());
  Table table{{"planId", "deploymentId", "contract", "classification", "state", "createdAt", "expiresAt"}, {}};
  for (const JsonValue &plan : member(*all, "entries").GetArray())
    table.rows.push_back({text_at(plan, "planId"), text_at(plan, "deploymentId"),
                          text_at(member(plan, "proposal"), "contractId"), text_at(plan, "classification"),
                          text_at(plan, "state"), text_at(plan, "createdAt"), text_at(plan, "expiresAt")});
  out.show(Report().table("plans", std::move(table)), to_json(*all));
  return {};
}

Result<void> show_raw(SignedIn &entered, const Options &options, Output &out) {
  const auto answer = get_plan(entered, options);
  if (!answer) return tl::unexpected(answer.error());
  out.out() << pretty_json(to_json(*answer)) << std::endl;
  return {};
}

Result<void> review(SignedIn &entered, const Options &options, Output &out) {
  if (out.format() == Output::Format::json) return show_raw(entered, options, out);
  const auto answer = get_plan(entered, options);
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue &plan = member(*answer, "plan");
  // Without these the page says less, but what the plan itself says can always be read.
  const auto current = call(entered, "Get", with("deploymentId", text_at(plan, "deploymentId")));
  const auto capabilities = entered.plane->list("Auth.Capabilities.List");
  ReviewFacts facts{plan};
  if (current) facts.authority = find_member(*current, "authority");
  if (capabilities) facts.capabilities = find_member(*capabilities, "entries");
  out.out() << plan_review(facts, out.colour()) << std::flush;
  return {};
}

Result<void> show_authority(SignedIn &entered, const Options &options, Output &out) {
  const auto answer = call(entered, "Get", with("deploymentId", options.deployment));
  if (!answer) return tl::unexpected(answer.error());
  out.out() << pretty_json(to_json(*answer)) << std::endl;
  return {};
}

// --------------------------------------------------------------------------------------------------------- deciding

// 10 §3.3: "desiredVersion shown".
std::string shown_version(const JsonValue &answer) {
  if (auto version = text_at(answer, "desiredVersion"); !version.empty()) return version;
  const JsonValue &authority = member(answer, "authority");
  auto version = text_at(authority, "desiredVersion");
  return version.empty() ? text_at(authority, "version") : version;
}

Result<JsonDocument> accept_plan(SignedIn &entered, const Options &options, bool migration) {
  auto input = with("planId", options.plan);
  if (!options.version.empty()) input.text("expectedDesiredVersion", options.version);
  if (migration) input.text("acknowledgement", options.acknowledgement);
  return call(entered, migration ? "AcceptMigration" : "AcceptUpdate", input);
}

// Accepts, and shows what is different now.
Result<void> accept(SignedIn &entered, const Options &options, Output &out, bool migration, const JsonValue &plan) {
  const auto deployment = text_at(plan, "deploymentId");
  const auto before = call(entered, "Get", with("deploymentId", deployment));
  const auto answer = accept_plan(entered, options, migration);
  if (!answer) return tl::unexpected(answer.error());
  Report report("accepted");
  report.text("deploymentId", deployment)
      .text("desiredVersion", shown_version(*answer))
      .text("reconciliation", "triggered");
  if (before) {
    const auto changes = authority_changes(member(*before, "authority"), member(*answer, "authority"));
    if (changes.empty()) report.text("changes", "none");
    for (const auto &change : changes)
      report.text("change", change);
  }
  out.show(report, to_json(*answer));
  return {};
}

Result<void> accept_as(SignedIn &entered, const Options &options, Output &out, bool migration) {
  const auto answer = get_plan(entered, options);
  if (!answer) return tl::unexpected(answer.error());
  return accept(entered, options, out, migration, member(*answer, "plan"));
}

std::string warnings_of(const JsonValue &plan) {
  std::string out;
  if (const JsonValue &warnings = member(plan, "warnings"); warnings.IsArray())
    for (const JsonValue &warning : warnings.GetArray())
      out.append("; ").append(text_of(warning));
  return out;
}

// `plan accept`: the plan says which kind it is, and which version of the authority it was made for.
Result<void> accept_any(SignedIn &entered, Options options, Output &out) {
  const auto answer = get_plan(entered, options);
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue &plan = member(*answer, "plan");
  const bool migration = text_at(plan, "classification") == "migration";
  if (migration && options.acknowledgement.empty())
    return fail("acknowledgement_missing", options.plan,
                "a migration replaces what the deployment has" + warnings_of(plan),
                "--acknowledge TEXT, which is kept with the decision");
  options.version = text_at(member(member(plan, "proposal"), "summary"), "desiredVersion");
  return accept(entered, options, out, migration, plan);
}

Result<void> reject(SignedIn &entered, const Options &options, Output &out) {
  const auto plan = get_plan(entered, options);
  if (!plan) return tl::unexpected(plan.error());
  auto input = with("planId", options.plan);
  if (!options.reason.empty()) input.text("reason", options.reason);
  const auto answer = call(entered, "Reject", input);
  if (!answer) return tl::unexpected(answer.error());
  Report report("rejected");
  report.text("deploymentId", text_at(member(*plan, "plan"), "deploymentId"));
  if (const auto version = shown_version(*answer); !version.empty()) report.text("desiredVersion", version);
  out.show(report, to_json(*answer));
  return {};
}

Result<void> reconcile(SignedIn &entered, const Options &options, Output &out) {
  auto input = with("deploymentId", options.deployment);
  if (!options.version.empty()) input.text("desiredVersion", options.version);
  const auto answer = call(entered, "Reconcile", input);
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue &reconciliation = member(*answer, "reconciliation");
  const auto state = text_at(reconciliation, "state");
  Report report("reconciliation " + (state.empty() ? "triggered" : state));
  report.text("deploymentId", options.deployment)
      .text("desiredVersion", shown_version(*answer))
      .text("reconciliation", state.empty() ? "triggered" : state);
  if (const auto message = text_at(reconciliation, "message"); !message.empty()) report.text("message", message);
  out.show(report, to_json(*answer));
  return {};
}

// --------------------------------------------------------------------------------------------------------- commands

using Work = std::function<Result<void>(SignedIn &, const Options &, Output &)>;

Action as_plan_action(const Shared &options, Work work) {
  return [options, work = std::move(work)](Output &out) {
    return as_operator(out, [&](SignedIn &entered) { return work(entered, *options, out); });
  };
}

void add_filters(Command &command, const Shared &options) {
  command.option("--state", options->state, "pending, accepted, rejected, expired, or all");
  command.option("--classification", options->classification, "update or migration");
}

void add_short_forms(Command root) {
  const auto options = std::make_shared<Options>();
  const auto pending = std::make_shared<Options>();
  pending->state = "pending";
  auto plan = root.group("plan", "What contracts ask for, and your decision");
  auto list_command = plan.command("list", "Plans that wait for a decision");
  list_command.option("--deployment", pending->deployment, "only of this deployment");
  add_filters(list_command, pending);
  list_command.action(as_plan_action(pending, list));

  auto show_command = plan.command("show", "What a plan would allow, as a page to decide by");
  show_command.argument("PLAN", options->plan, "id of the plan");
  show_command.action(as_plan_action(options, review));

  auto accept_command = plan.command("accept", "Accept it, and show what changed");
  accept_command.argument("PLAN", options->plan, "id of the plan");
  accept_command.option("--acknowledge", options->acknowledgement, "needed for a migration; kept with the decision");
  accept_command.action(as_plan_action(options, accept_any));

  auto reject_command = plan.command("reject", "Reject it");
  reject_command.argument("PLAN", options->plan, "id of the plan");
  reject_command.option("--reason", options->reason, "kept with the decision");
  reject_command.action(as_plan_action(options, reject));
}

} // namespace

void add_plan_commands(Command root) {
  add_short_forms(root);
}

void add_authority_commands(Command svc, const std::shared_ptr<const std::string> &deployment) {
  const auto options = std::make_shared<Options>();
  const auto on_deployment = [options, deployment](Work work) -> Action {
    return [options, deployment, work = std::move(work)](Output &out) {
      if (deployment->empty())
        return out.fail(Error{"option", "ID", "which deployment?", "trellis svc ID authority ACTION", {}});
      options->deployment = *deployment;
      return as_operator(out, [&](SignedIn &entered) { return work(entered, *options, out); });
    };
  };
  auto authority = svc.group("authority", "What its contracts may do");
  authority.command("show", "The authority, as it is stored").action(on_deployment(show_authority));
  auto plan = authority.group("plan", "Its plans");
  auto list_command = plan.command("list", "Its plans");
  add_filters(list_command, options);
  list_command.action(on_deployment(list));
  auto show_command = plan.command("show", "One plan, as it is stored");
  show_command.argument("PLAN_ID", options->plan, "id of the plan");
  show_command.action(on_deployment(show_raw));

  const auto versioned = [&](const char *name, const char *help, const char *option, bool plan_id) {
    auto command = authority.command(name, help);
    if (plan_id) command.argument("PLAN_ID", options->plan, "id of the plan");
    command.option(option, options->version, "refuse when the authority has another version");
    return command;
  };
  versioned("accept-update", "Accept a plan that adds", "--expected-desired-version", true)
      .action(on_deployment(
          [](SignedIn &entered, const Options &given, Output &out) { return accept_as(entered, given, out, false); }));
  auto migration = versioned("accept-migration", "Accept a plan that replaces", "--expected-desired-version", true);
  migration.option("--acknowledgement", options->acknowledgement, "kept with the decision", Presence::required);
  migration.action(on_deployment(
      [](SignedIn &entered, const Options &given, Output &out) { return accept_as(entered, given, out, true); }));
  auto reject_command = authority.command("reject", "Reject a plan");
  reject_command.argument("PLAN_ID", options->plan, "id of the plan");
  reject_command.option("--reason", options->reason, "kept with the decision");
  reject_command.action(on_deployment(reject));
  versioned("reconcile", "Make resources and grants follow the authority again", "--desired-version", false)
      .action(on_deployment(reconcile));
}

} // namespace trellis::cli
