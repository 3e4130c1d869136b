// Everything about a plugin that is decided before policy is asked, and --check, which decides nothing else.
#include "contracts/reserved_ids.h"
#include "host.h"
#include "hosting/handler_table.h"
#include "policy/privileged_connections.h"
#include "policy/session_keys.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>

namespace trellis::host {
namespace {

// reason and message of a policy answer, for people.
std::string explain(const PolicyAnswer &answer) {
  const auto body = parse_json(answer.body);
  if (!body) return "the policy's answer is no JSON";
  std::string text(string_member(*body, "reason", "no reason given"));
  if (const auto message = string_member(*body, "message"); !message.empty()) text += ": " + std::string(message);
  return text;
}

// What it is, and what is held against it.
std::string identity_text(const PluginConfig &plugin, const Vetted &vetted) {
  const auto &manifest = vetted.artifact->manifest();
  std::string text = "  (" + manifest.id() + ", digest " + manifest.digest() + "; ";
  if (vetted.trust.pinned) text += vetted.trust.signer ? "pinned and " : "pinned";
  if (vetted.trust.signer) text += "signed by " + vetted.trust.signer_name;
  if (plugin.approve == Approval::artifact) text += "; approved by file";
  text += vetted.artifact->config_schema() ? "; settings fit the plugin's schema)" : "; settings unchecked)";
  return text;
}

CheckLine check_answer(const PluginConfig &plugin, const Vetted &vetted, StaticPolicy &policy, const SessionKey &key) {
  CheckLine line{plugin.name, false, {}};
  const auto &manifest = vetted.artifact->manifest();
  const auto request = bootstrap_request(key, manifest, true, unix_ms_now() / 1000);
  const ArtifactFacts facts{vetted.artifact->sha256_hex(), vetted.trust.signer ? vetted.trust.signer->text : "",
                            plugin.approve == Approval::artifact};
  policy.bootstrap(request, facts, [&](const PolicyAnswer &answer) {
    line.ok = answer.status == 200 || answer.status == 202;
    line.text =
        answer.status == 200 ? "would run" : (answer.status == 202 ? "pending: " : "refused: ") + explain(answer);
  });
  line.text += identity_text(plugin, vetted);
  return line;
}

// The control plane needs nobody's leave, but files.
CheckLine check_control_plane(const PluginConfig &plugin, const Vetted &vetted) {
  const auto &files = plugin.connections.value_or(ConnectionFiles{});
  for (const auto &file : {files.auth, files.system, files.trellis})
    if (auto readable = read_credentials_file(file); !readable)
      return {plugin.name, false, "refused: " + readable.error().text()};
  if (auto key = read_session_seed(files.session_seed); !key)
    return {plugin.name, false, "refused: " + key.error().text()};
  return {plugin.name, true, "would run as the control plane" + identity_text(plugin, vetted)};
}

// nullptr when the policy can only be asked over a network.
Result<std::unique_ptr<StaticPolicy>> policy_for_check(const Config &config, std::vector<Manifest> known) {
  if (config.policy.mode != PolicyConfig::Mode::static_) return nullptr;
  auto policy = StaticPolicy::open(config.policy.file, {}, unix_ms_now);
  if (policy) (*policy)->set_known_contracts(std::move(known));
  return policy;
}

CheckLine check_plugin(const PluginConfig &plugin, const Vetted &vetted, StaticPolicy *policy, const SessionKey &key) {
  if (plugin.role == PluginRole::control_plane) return check_control_plane(plugin, vetted);
  if (policy) return check_answer(plugin, vetted, *policy, key);
  return {plugin.name, true, "would ask the control plane" + identity_text(plugin, vetted)};
}

// What this host serves of a trusted file, which for the control plane is everything.
Result<void> check_contracts(const Artifact &artifact, const PluginConfig &plugin) {
  if (plugin.role == PluginRole::control_plane) return {};
  const auto file = plugin.path.string();
  if (artifact.has_contract_array())
    return fail("contract_array", file,
                "the file holds an array of " + std::to_string(artifact.manifests().size()) + " contracts",
                "one contract; only the plugin with role = \"control-plane\" may hold an array");
  if (auto own = check_contract_id(artifact.manifest().id(), "service"); !own) {
    own.error().where = file;
    return own;
  }
  const auto unserved = unserved_surfaces(artifact.manifest());
  if (unserved.empty()) return {};
  std::string all;
  for (const auto &text : unserved)
    all += (all.empty() ? "" : "; ") + text;
  return fail("unserved", file, all, "a contract that this host can serve");
}

// Nobody vouches for the file; a pin or signature that is wrong is another matter.
bool is_nobodys(const Error &problem) {
  return problem.code == "untrusted" || problem.code == "signature_unknown_signer";
}

// What runs in the host's process is trusted with everything that the host has, so only a vouched-for file may.
bool runs_isolated(const PluginConfig &plugin, bool vouched, bool is_go) {
  if (plugin.isolation != Isolation::automatic) return plugin.isolation == Isolation::process;
  return plugin.role == PluginRole::service && (!vouched || is_go);
}

std::string isolation_text(const PluginConfig &plugin) {
  std::string text = ", in a process of its own";
  for (const auto &gap : isolation::isolation_gaps(plugin.isolation_settings))
    text += "; " + gap;
  return text;
}

} // namespace

Result<Vetted> vet_plugin(const PluginConfig &plugin, const TrustRules &rules) {
  auto artifact = Artifact::open(plugin.path);
  if (!artifact) return tl::make_unexpected(artifact.error());
  auto trust = check_trust(*artifact, {plugin.name, plugin.sha256, plugin.signers}, rules, unix_ms_now() / 1000);
  const bool vouched = trust.has_value();
  const bool isolated = runs_isolated(plugin, vouched, artifact->elf().is_go);
  const bool must_be_signed = rules.require_signature || !plugin.signers.empty();
  if (!vouched && (!isolated || must_be_signed || !is_nobodys(trust.error())))
    return tl::make_unexpected(trust.error());
  if (!vouched && !isolation::isolation_guards_files())
    return fail("untrusted", plugin.path.string(),
                "nobody vouches for the file, and without Landlock (and without root) a process of its own could still "
                "read this host's secrets",
                "a pin or a signature");
  if (!vouched) trust = Trust{};
  if (isolated && plugin.role == PluginRole::control_plane)
    return fail("isolation", plugin.path.string(), "the control plane can't run in a process of its own",
                "isolation = \"none\"");
  if (auto usable = check_contracts(*artifact, plugin); !usable) return tl::make_unexpected(usable.error());
  auto settings = PluginSettings::resolve(plugin.config);
  if (!settings) return tl::make_unexpected(settings.error());
  if (const auto *schema = artifact->config_schema())
    if (auto fits = settings->check(*schema); !fits) return tl::make_unexpected(fits.error());
  return Vetted{std::make_shared<const Artifact>(std::move(*artifact)), *trust, isolated,
                std::make_shared<const PluginSettings>(std::move(*settings))};
}

Result<std::vector<CheckLine>> check_config(const Config &config) {
  std::vector<Result<Vetted>> vetted;
  std::vector<Manifest> known;
  for (const auto &plugin : config.plugins) {
    vetted.push_back(vet_plugin(plugin, config.trust));
    if (vetted.back() && plugin.role == PluginRole::service) known.push_back((*vetted.back()).artifact->manifest());
  }
  const auto policy = policy_for_check(config, std::move(known));
  if (!policy) return tl::make_unexpected(policy.error());

  // Policy only looks at who asks, not at which key: --check creates none.
  const auto key = SessionKey::generate();
  std::vector<CheckLine> lines;
  for (std::size_t i = 0; i < config.plugins.size(); ++i) {
    const auto &plugin = config.plugins[i];
    if (!plugin.enabled)
      lines.push_back({plugin.name, true, "disabled"});
    else if (!vetted[i])
      lines.push_back({plugin.name, false, "refused: " + vetted[i].error().text()});
    else
      lines.push_back(check_plugin(plugin, *vetted[i], policy->get(), key));
    if (!vetted[i] || !vetted[i]->isolated || !plugin.enabled) continue;
    lines.back().text += isolation_text(plugin);
    if (auto kept = isolation::check_not_exposed(
            {config.state_dir, std::filesystem::absolute(config.file).parent_path()}, plugin.isolation_settings);
        !kept)
      lines.back() = {plugin.name, false, "refused: " + kept.error().text()};
  }
  return lines;
}

} // namespace trellis::host
