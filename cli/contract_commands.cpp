// trellis contract: what can be said about a contract without any server.
#include "contract_commands.h"

#include "commands.h"
#include "contract_check.h"
#include "contract_report.h"
#include "contracts/canonical.h"
#include "contracts/encoding.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <ostream>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

// ------------------------------------------------------------------------------------------------------------ check

struct CheckOptions {
  std::string file, deployment;
  std::vector<std::string> with;
};

void place_all(const SourcedContract &contract, std::vector<Error> &errors) {
  for (auto &error : errors)
    error = contract.place(std::move(error));
}

std::string check_json(const Manifest &manifest, const Findings &findings) {
  return JsonObjectText()
      .flag("valid", findings.errors.empty())
      .text("id", manifest.id())
      .text("kind", kind_name(manifest.kind()))
      .text("displayName", manifest.model().display_name)
      .text("digest", manifest.digest())
      .texts("namespaces", findings.namespaces)
      .texts("unknownContracts", findings.unknown)
      .json("errors", errors_json(findings.errors))
      .json("warnings", errors_json(findings.warnings))
      .str();
}

void check_text(const std::string &file, const Manifest &manifest, const Findings &findings, Output &out) {
  Report report = findings.errors.empty() ? Report(shown_name(file) + " holds a valid contract") : Report();
  report.text("id", manifest.id())
      .text("kind", std::string(kind_name(manifest.kind())))
      .text("displayName", manifest.model().display_name)
      .text("digest", manifest.digest());
  out.show(report);
  for (const auto &warning : findings.warnings)
    out.err() << "warning: " << printable(warning.text()) << " [" << printable(warning.code) << "]\n";
  out.err() << std::flush;
  for (const auto &error : findings.errors)
    out.fail(error);
}

Result<std::optional<DeploymentKind>> deployment_named(const std::string &name) {
  if (name.empty()) return std::nullopt;
  if (name == "service") return DeploymentKind::service;
  if (name == "device") return DeploymentKind::device;
  return fail("option", "--for", "\"" + name + "\" is no kind of deployment", "service or device");
}

// Not even a contract.
int invalid(const Error &error, Output &out) {
  if (out.format() == Output::Format::json)
    print_json(out, JsonObjectText().flag("valid", false).json("errors", errors_json({error})).str());
  return out.fail(error);
}

int check(const CheckOptions &options, Output &out) {
  const auto deployment = deployment_named(options.deployment);
  if (!deployment) return fail_contract(out, deployment.error(), 2);
  const auto contracts = read_sourced_contracts(options.file);
  if (!contracts) return invalid(contracts.error(), out);
  const auto surroundings = read_surroundings(options.with);
  if (!surroundings) return fail_contract(out, surroundings.error());

  bool valid = true;
  std::string all = "[";
  for (const auto &contract : *contracts) {
    auto findings = check_contract(contract, *surroundings, *deployment);
    place_all(contract, findings.errors);
    place_all(contract, findings.warnings);
    valid = valid && findings.errors.empty();
    if (out.format() == Output::Format::text) check_text(options.file, contract.manifest, findings, out);
    all += (all.size() > 1 ? "," : "") + check_json(contract.manifest, findings);
  }
  if (out.format() == Output::Format::json)
    print_json(out, contracts->size() == 1 ? all.substr(1)
                                           : JsonObjectText().flag("valid", valid).json("contracts", all + "]").str());
  return valid ? 0 : 1;
}

void add_check(Command group) {
  const auto options = std::make_shared<CheckOptions>();
  auto command = group.command("check", "Say whether a contract is valid, and if not, where and why");
  command.argument("FILE", options->file, "contract.json, plugin.so or - for standard input");
  add_with_option(command, options->with);
  command.option("--for", options->deployment, "the kind of deployment to install it in: service or device");
  command.action([options](Output &out) { return check(*options, out); });
}

// ------------------------------------------------------------------------------------------------- digest, normalize

using OnContract = std::function<int(const SourcedContract &, Output &)>;

void add_simple(Command group, const std::string &name, const std::string &help, OnContract run) {
  const auto options = std::make_shared<ContractOptions>();
  auto command = group.command(name, help);
  add_contract_arguments(command, *options);
  command.action([options, run = std::move(run)](Output &out) {
    const auto contract = read_sourced_contract(options->file, options->id);
    return contract ? run(*contract, out) : fail_contract(out, contract.error());
  });
}

// Text is the digest alone, for scripts.
int digest(const SourcedContract &contract, Output &out) {
  const auto &manifest = contract.manifest;
  if (out.format() == Output::Format::text)
    out.out() << manifest.digest() << std::endl;
  else
    print_json(out, JsonObjectText().text("id", manifest.id()).text("digest", manifest.digest()).str());
  return 0;
}

int normalize(const SourcedContract &contract, Output &out) {
  print_json(out, contract.manifest.normalized());
  return 0;
}

// -------------------------------------------------------------------------------------------------------- canonical

struct CanonicalOptions {
  ContractOptions contract;
  bool projection = false;
};

Result<std::string> canonical_text(const CanonicalOptions &options) {
  if (options.projection) {
    const auto contract = read_sourced_contract(options.contract.file, options.contract.id);
    if (!contract) return tl::make_unexpected(contract.error());
    return contract->manifest.projection();
  }
  const auto &file = options.contract.file;
  const auto text = read_contract_text(file);
  if (!text) return tl::make_unexpected(text.error());
  const auto json = parse_json(*text);
  if (!json) return tl::make_unexpected(place_in_file(json.error(), file, *text));
  auto canonical = canonical_json(*json);
  if (!canonical) return tl::make_unexpected(place_in_file(canonical.error(), file, *text));
  return canonical;
}

// Text has no line end: its SHA-256 is the digest of a projection.
int canonical(const CanonicalOptions &options, Output &out) {
  const auto text = canonical_text(options);
  if (!text) return fail_contract(out, text.error());
  if (out.format() == Output::Format::text)
    out.out() << *text << std::flush;
  else
    print_json(out, JsonObjectText().text("canonical", *text).text("digest", sha256_base64url(*text)).str());
  return 0;
}

void add_canonical(Command group) {
  const auto options = std::make_shared<CanonicalOptions>();
  auto command = group.command("canonical", "Print canonical JSON, byte for byte what is hashed");
  command.argument("FILE", options->contract.file, "any JSON, contract.json, plugin.so or - for standard input");
  command.option("--id", options->contract.id, "with --projection: the contract to take from a file with several");
  command.flag("--projection", options->projection, "of the contract's digest projection");
  command.action([options](Output &out) { return canonical(*options, out); });
}

} // namespace

void add_contract_arguments(Command &command, ContractOptions &options) {
  command.argument("FILE", options.file, "contract.json, plugin.so or - for standard input");
  command.option("--id", options.id, "the contract to take from a file with several");
}

void add_with_option(Command &command, std::vector<std::string> &with) {
  command.options("--with", with, "a contract that exists besides: contract.json or plugin.so (repeatable)");
}

void add_contract_commands(Command root) {
  auto group = root.group("contract", "Contracts as files");
  add_check(group);
  add_simple(group, "normalize", "Print a contract as it is stored", normalize);
  add_canonical(group);
  add_simple(group, "digest", "Print the digest of a contract", digest);
  add_needs_command(group);
  add_permissions_command(group);
  add_diff_command(group);
  add_schema_command(group);
}

} // namespace trellis::cli
