// trellis plugin: plugin files before they run. `plugin run` and `plugin new` register themselves from their own files.
#include "artifact/trust_minisign.h"
#include "commands.h"
#include "contract_file.h"
#include "contracts/health_contract.h"
#include "file_write.h"
#include "plugin_inspect.h"
#include "policy/policy_file.h"

#include <algorithm>
#include <ctime>
#include <sys/stat.h>

namespace trellis::cli {
namespace {

Result<std::vector<SignerKey>> parse_signers(const std::vector<std::string> &texts) {
  std::vector<SignerKey> out;
  for (const auto &text : texts) {
    auto signer = parse_signer(text);
    if (!signer) return tl::make_unexpected(std::move(signer.error()));
    out.push_back(std::move(*signer));
  }
  return out;
}

Result<std::optional<std::string>> read_signature(const std::string &plugin) {
  const auto file = plugin + ".sig";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return std::nullopt;
  auto text = read_text_file(file, kMaxSignatureText);
  if (!text) return tl::make_unexpected(std::move(text.error()));
  return std::move(*text);
}

// ---------------------------------------------------------------------------------------------------------- inspect

struct InspectOptions {
  std::string file;
  std::vector<std::string> known, signers;
  bool imports = false;
};

Result<InspectionInput> inspection_input(const InspectOptions &options) {
  auto known = read_contracts(options.known);
  if (!known) return tl::make_unexpected(std::move(known.error()));
  if (std::ranges::find(*known, health_contract().id(), &Manifest::id) == known->end())
    known->push_back(health_contract()); // every policy knows it
  auto signers = parse_signers(options.signers);
  if (!signers) return tl::make_unexpected(std::move(signers.error()));
  auto signature = read_signature(options.file);
  if (!signature) return tl::make_unexpected(std::move(signature.error()));
  return InspectionInput{std::move(*signature), std::move(*signers), std::move(*known), options.imports};
}

int run_inspect(const InspectOptions &options, Output &out) {
  const auto artifact = Artifact::open_for_inspection(options.file);
  if (!artifact) return out.fail(artifact.error());
  const auto input = inspection_input(options);
  if (!input) return out.fail(input.error());
  const auto inspection = inspect(*artifact, *input);
  out.show(inspection.report);
  return inspection.refusals.empty() ? 0 : out.fail(inspection.refusals.front());
}

void add_inspect(Command group) {
  const auto options = std::make_shared<InspectOptions>();
  auto command = group.command("inspect", "Show what a plugin is and what it would get, without running any of it");
  command.argument("FILE", options->file, "plugin.so");
  command.options("--known", options->known, "a contract that exists besides: contract.json or plugin.so (repeatable)");
  command.options("--signer", options->signers, "a trusted public key, RW... (repeatable)");
  command.flag("--imports", options->imports, "list the imported symbols");
  command.action([options](Output &out) { return run_inspect(*options, out); });
}

// ------------------------------------------------------------------------------------------------------------ embed

struct EmbedOptions {
  std::string file, contract, config_schema, out;
};

// `bytes` with the contract in it; what isn't valid doesn't get into a plugin.
Result<Bytes> with_contract(const std::string &file, ByteView bytes) {
  const auto text = read_contract_text(file);
  if (!text) return tl::make_unexpected(text.error());
  if (const auto manifest = parse_contract(file, *text); !manifest) return tl::make_unexpected(manifest.error());
  return embed_contract(bytes, *text);
}

Result<Bytes> with_config_schema(const std::string &file, ByteView bytes) {
  const auto text = read_text_file(file, kMaxConfigSchema);
  if (!text) return tl::make_unexpected(text.error());
  auto embedded = embed_config_schema(bytes, *text);
  if (!embedded && embedded.error().code.starts_with("config_schema")) embedded.error().where = file;
  return embedded;
}

Result<Bytes> embedded_file(const EmbedOptions &options) {
  if (options.contract.empty() && options.config_schema.empty())
    return fail("option", "CONTRACT", "there is nothing to embed", "a contract, --config-schema, or both");
  const auto file = read_text_file(options.file, kMaxArtifactBytes);
  if (!file) return tl::make_unexpected(file.error());
  Result<Bytes> bytes = Bytes(file->begin(), file->end());
  if (!options.contract.empty()) bytes = with_contract(options.contract, *bytes);
  if (bytes && !options.config_schema.empty()) bytes = with_config_schema(options.config_schema, *bytes);
  if (!bytes && bytes.error().where.empty()) bytes.error().where = options.file;
  return bytes;
}

Result<Report> embed(const EmbedOptions &options) {
  const auto embedded = embedded_file(options);
  if (!embedded) return tl::make_unexpected(embedded.error());
  struct stat status {};
  const mode_t mode = ::stat(options.file.c_str(), &status) == 0 ? status.st_mode & 0777 : 0644;
  const auto target = options.out.empty() ? options.file : options.out;
  if (auto written = replace_file(target, *embedded, mode); !written) return tl::make_unexpected(written.error());
  const auto artifact = Artifact::open_for_inspection(target);
  if (!artifact) return tl::make_unexpected(artifact.error());
  Report report(target + " holds contract " + artifact->manifest().id() +
                (artifact->config_schema() ? " and a schema for its settings" : ""));
  report.text("file", target)
      .text("id", artifact->manifest().id())
      .text("digest", artifact->manifest().digest())
      .text("sha256", artifact->sha256_hex());
  return report;
}

void add_embed(Command group) {
  const auto options = std::make_shared<EmbedOptions>();
  auto command = group.command("embed", "Write a contract, or a schema of the settings, into a plugin file");
  command.argument("FILE", options->file, "plugin.so");
  command.argument("CONTRACT", options->contract, "contract.json, in place of the one that is there",
                   Presence::optional);
  command.option("--config-schema", options->config_schema,
                 "JSON Schema for [plugins.NAME.config], in place of the one that is there");
  command.option("-o,--out", options->out, "file to write instead of FILE");
  command.report([options] { return embed(*options); });
}

// ------------------------------------------------------------------------------------------------------------- sign

struct SignOptions {
  std::string file, key, new_key, comment;
};

Result<SigningKey> signing_key(const SignOptions &options) {
  if (!options.new_key.empty()) {
    auto key = generate_signing_key();
    auto written = create_secret_file(options.new_key, format_signing_key(key));
    if (!written) return tl::make_unexpected(std::move(written.error()));
    return key;
  }
  const auto text = read_secret_file(options.key);
  if (!text) return tl::make_unexpected(text.error());
  auto key = parse_signing_key(text->reveal());
  if (!key) key.error().where = options.key + ", " + key.error().where;
  return key;
}

// As minisign writes it, when there is no --comment.
std::string trusted_comment(const SignOptions &options) {
  if (!options.comment.empty()) return options.comment;
  const auto name = std::filesystem::path(options.file).filename().string();
  return "timestamp:" + std::to_string(std::time(nullptr)) + "\tfile:" + name + "\thashed";
}

Result<Report> sign(const SignOptions &options) {
  const auto artifact = Artifact::open(options.file); // what no host would load isn't worth a signature
  if (!artifact) return tl::make_unexpected(artifact.error());
  const auto key = signing_key(options);
  if (!key) return tl::make_unexpected(key.error());
  const auto file = options.file + ".sig";
  const auto signature = sign_artifact(*key, artifact->bytes(), trusted_comment(options));
  if (auto written = replace_file(file, as_bytes(signature), 0644); !written)
    return tl::make_unexpected(written.error());
  Report report("signed " + options.file);
  report.text("signature", file)
      .text("signer", key->signer().text)
      .text("keyId", key_id_text(key->id))
      .text("id", artifact->manifest().id())
      .text("sha256", artifact->sha256_hex());
  return report;
}

void add_sign(Command group) {
  const auto options = std::make_shared<SignOptions>();
  auto command = group.command("sign", "Write FILE.sig, a minisign signature");
  command.argument("FILE", options->file, "plugin.so");
  command.option("--key", options->key, "file with the signing key");
  command.option("--new-key", options->new_key, "make a signing key, and keep it in this file");
  command.exactly_one("--key", "--new-key");
  command.option("--comment", options->comment, "trusted comment; default: time and file name");
  command.report([options] { return sign(*options); });
}

// ----------------------------------------------------------------------------------------------------------- verify

struct VerifyOptions {
  std::string file;
  std::vector<std::string> signers;
};

Result<Report> verify(const VerifyOptions &options) {
  const auto signers = parse_signers(options.signers);
  if (!signers) return tl::make_unexpected(signers.error());
  const auto artifact = Artifact::open(options.file);
  if (!artifact) return tl::make_unexpected(artifact.error());
  const auto trust = check_trust(*artifact, {options.file, {}, {}}, trust_in(*signers), std::time(nullptr));
  if (!trust) return tl::make_unexpected(trust.error());
  Report report(options.file + " is signed by a given key");
  report.text("signer", trust->signer->text)
      .text("keyId", key_id_text(trust->signer->id))
      .text("id", artifact->manifest().id())
      .text("sha256", artifact->sha256_hex());
  return report;
}

void add_verify(Command group) {
  const auto options = std::make_shared<VerifyOptions>();
  auto command = group.command("verify", "Say whether FILE.sig is a signature of FILE by one of the given keys");
  command.argument("FILE", options->file, "plugin.so");
  command.options("--signer", options->signers, "a trusted public key, RW... (repeatable)", Presence::required);
  command.report([options] { return verify(*options); });
}

} // namespace

void add_plugin_commands(Command root) {
  auto group = root.group("plugin", "Plugin files");
  add_inspect(group);
  add_embed(group);
  add_sign(group);
  add_verify(group);
}

} // namespace trellis::cli
