#include "call_setup.h"
#include "artifact/artifact.h"
#include "policy/policy_file.h"
#include "settings/config_keys.h"
#include "wire/ulid.h"
#include <algorithm>
#include <fstream>
#include <iterator>
#include <ostream>

namespace trellis::cli {
namespace {

std::vector<Manifest> plugin_contracts(const host::Config &config, std::ostream &notes) {
  std::vector<Manifest> contracts;
  for (const host::PluginConfig &plugin : config.plugins) {
    if (!plugin.enabled) continue;
    if (const auto artifact = Artifact::open(plugin.path))
      contracts.push_back(artifact->manifest());
    else
      notes << "warning: plugin " << plugin.name << " is left out: " << artifact.error().text() << "\n";
  }
  return contracts;
}

Result<Manifest> read_contract(const std::filesystem::path &file) {
  if (file.extension() == ".so") {
    const auto artifact = Artifact::open(file);
    if (!artifact) return tl::unexpected(artifact.error());
    return artifact->manifest();
  }
  std::ifstream in(file, std::ios::binary);
  if (!in)
    return fail("contract_unreadable", file.string(), "the contract can't be read", "a manifest or a plugin file");
  return Manifest::parse(std::string(std::istreambuf_iterator<char>(in), {}));
}

// --contract narrows the choice, or brings a contract that no plugin of trellis.toml has.
Result<std::vector<Manifest>> chosen_contracts(const std::string &choice, std::vector<Manifest> &known) {
  if (choice.empty()) return known;
  std::vector<Manifest> chosen;
  std::ranges::copy_if(known, std::back_inserter(chosen), [&](const Manifest &each) { return each.id() == choice; });
  if (!chosen.empty()) return chosen;
  auto contract = read_contract(choice);
  if (!contract) return tl::unexpected(contract.error());
  known.push_back(*contract);
  return std::vector<Manifest>{std::move(*contract)};
}

std::string did_you_mean(const std::string &name) {
  return name.empty() ? "" : ", did you mean " + name + "?";
}

Result<SessionKey> caller_key(const StaticPolicyFile &policy, const std::string &name) {
  const auto caller = std::ranges::find(policy.callers, name, &StaticCaller::name);
  if (caller == policy.callers.end()) {
    std::vector<std::string> names;
    std::ranges::transform(policy.callers, std::back_inserter(names), &StaticCaller::name);
    return fail("caller_unknown", policy.file.string(),
                "there is no caller \"" + name + "\"" + did_you_mean(closest_name(name, names)),
                "a [[callers]] entry of that name");
  }
  const auto file = policy.file.parent_path() / "callers" / (name + ".seed");
  const auto seed = read_secret_file(file);
  if (!seed) return tl::unexpected(seed.error());
  auto key = SessionKey::from_seed(seed->reveal());
  if (key && key->text() != caller->session_key)
    return fail("caller_unknown", file.string(), "holds another key than session_key of caller " + name,
                "the seed of " + caller->session_key);
  return key;
}

template <class Surface>
std::vector<std::string> names_of(const std::optional<Named<Surface>> &section) {
  std::vector<std::string> names;
  if (section)
    for (const auto &[name, surface] : *section)
      names.push_back(name);
  return names;
}

// `kind`: what it is called, "rpc" or "feed".
template <class NamesOf>
Result<Manifest> contract_with(const std::vector<Manifest> &known, const std::string &name, const std::string &kind,
                               const NamesOf &names_of_kind) {
  std::vector<std::string> names;
  const Manifest *found = nullptr;
  for (const Manifest &contract : known) {
    const auto here = names_of_kind(contract);
    names.insert(names.end(), here.begin(), here.end());
    if (std::ranges::find(here, name) == here.end()) continue;
    if (found && found->id() != contract.id())
      return fail(kind + "_ambiguous", name, found->id() + " and " + contract.id() + " both have it", "--contract ID");
    if (!found) found = &contract;
  }
  if (found) return *found;
  return fail(kind + "_unknown", name,
              "no contract of the plugins in trellis.toml has this " + kind + did_you_mean(closest_name(name, names)),
              "the name of one, or --contract FILE");
}

} // namespace

Result<Manifest> contract_with_rpc(const std::vector<Manifest> &known, const std::string &rpc) {
  return contract_with(known, rpc, "rpc", [](const Manifest &contract) { return names_of(contract.model().rpc); });
}

Result<Manifest> contract_with_feed(const std::vector<Manifest> &known, const std::string &feed) {
  return contract_with(known, feed, "feed", [](const Manifest &contract) { return names_of(contract.model().feeds); });
}

Result<CallSetup> prepare_call(const CallArguments &arguments, std::ostream &notes) {
  auto config = host::load_config(arguments.config.empty() ? "trellis.toml" : arguments.config);
  if (!config) return tl::unexpected(config.error());
  const auto file = load_static_policy(config->policy.file);
  if (!file) return tl::unexpected(file.error());
  auto key = caller_key(*file, arguments.caller.empty() ? "local" : arguments.caller);
  if (!key) return tl::unexpected(key.error());
  auto policy = StaticPolicy::open(config->policy.file, "", unix_ms_now);
  if (!policy) return tl::unexpected(policy.error());

  std::vector<Manifest> known = plugin_contracts(*config, notes);
  const auto chosen = chosen_contracts(arguments.contract, known);
  if (!chosen) return tl::unexpected(chosen.error());
  const auto contract =
      arguments.is_feed ? contract_with_feed(*chosen, arguments.rpc) : contract_with_rpc(*chosen, arguments.rpc);
  if (!contract) return tl::unexpected(contract.error());
  CallSetup setup{std::move(*config), std::move(*policy), std::move(*key), {}, {}};
  if (auto compiled = compile_surface(*contract, arguments, setup); !compiled) return tl::unexpected(compiled.error());
  setup.policy->set_known_contracts(std::move(known));
  return setup;
}

CallTarget target_of(CallSetup setup) {
  auto credentials = [policy = std::shared_ptr<StaticPolicy>(std::move(setup.policy)), key = setup.key.text()] {
    return policy->caller_credentials(key);
  };
  return {setup.config.nats_servers,
          std::move(credentials),
          std::move(setup.key),
          std::move(setup.method),
          std::move(setup.feed),
          std::move(setup.config),
          {},
          [] { return unix_ms_now() / 1000; }};
}

} // namespace trellis::cli
