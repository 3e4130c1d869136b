// Everything about a plugin that is decided before policy is asked, and --check, which decides nothing else.
#include "host.h"
#include "session_keys.h"
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

CheckLine check_answer(const PluginConfig &plugin, const Vetted &vetted, StaticPolicy &policy, const SessionKey &key) {
  CheckLine line{plugin.name, false, {}};
  const auto &manifest = vetted.artifact->manifest();
  policy.bootstrap(bootstrap_request(key, manifest, true, unix_ms_now() / 1000), [&](const PolicyAnswer &answer) {
    line.ok = answer.status == 200 || answer.status == 202;
    line.text =
        answer.status == 200 ? "would run" : (answer.status == 202 ? "pending: " : "refused: ") + explain(answer);
  });
  line.text += "  (" + manifest.id() + ", digest " + manifest.digest() + ")";
  return line;
}

} // namespace

Result<Vetted> vet_plugin(const PluginConfig &plugin, const std::vector<std::string> &trusted_signers) {
  std::vector<SignerKey> signers;
  for (const auto &text : trusted_signers) {
    auto signer = parse_signer(text);
    if (!signer) return tl::make_unexpected(signer.error());
    signers.push_back(std::move(*signer));
  }
  auto artifact = Artifact::open(plugin.path);
  if (!artifact) return tl::make_unexpected(artifact.error());
  auto trust = check_trust(*artifact, plugin.sha256, signers);
  if (!trust) return tl::make_unexpected(trust.error());
  const auto unserved = unserved_surfaces(artifact->manifest());
  if (!unserved.empty()) {
    std::string all;
    for (const auto &text : unserved)
      all += (all.empty() ? "" : "; ") + text;
    return fail("unserved", plugin.path.string(), all, "a contract that this host can serve");
  }
  return Vetted{std::make_shared<const Artifact>(std::move(*artifact)), *trust};
}

Result<std::vector<CheckLine>> check_config(const Config &config) {
  auto policy = StaticPolicy::open(config.policy.file, {}, unix_ms_now);
  if (!policy) return tl::make_unexpected(policy.error());
  std::vector<Result<Vetted>> vetted;
  std::vector<Manifest> known;
  for (const auto &plugin : config.plugins) {
    vetted.push_back(vet_plugin(plugin, config.trusted_signers));
    if (vetted.back()) known.push_back((*vetted.back()).artifact->manifest());
  }
  (*policy)->set_known_contracts(known);

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
      lines.push_back(check_answer(plugin, *vetted[i], **policy, key));
  }
  return lines;
}

} // namespace trellis::host
