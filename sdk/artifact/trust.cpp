#include "artifact/trust.h"

#include "artifact/trust_minisign.h"
#include "wire/ulid.h"
#include <algorithm>
#include <fstream>
#include <sodium.h>

namespace trellis {
namespace {

constexpr std::string_view kKeyHeader = "trellis signing key 1";
constexpr std::string_view kIdPrefix = "id ";
constexpr std::string_view kSeedPrefix = "seed ";

using Prehash = std::array<std::uint8_t, 64>;

Prehash blake2b_512(ByteView bytes) {
  Prehash out{};
  crypto_generichash(out.data(), out.size(), bytes.data(), bytes.size(), nullptr, 0);
  return out;
}

Bytes globally_signed(const MinisignSignature &signature) {
  Bytes out(signature.signature.begin(), signature.signature.end());
  out.insert(out.end(), signature.trusted_comment.begin(), signature.trusted_comment.end());
  return out;
}

bool signed_by(const SignerKey &signer, const MinisignSignature &signature, ByteView file) {
  if (!verify_signature(signer.key, globally_signed(signature), signature.global_signature)) return false;
  if (!signature.prehashed) return verify_signature(signer.key, file, signature.signature);
  return verify_signature(signer.key, blake2b_512(file), signature.signature);
}

// The text of FILE.sig; nullopt when there is none.
Result<std::optional<std::string>> read_signature(const std::filesystem::path &path) {
  std::error_code problem;
  const auto kind = std::filesystem::status(path, problem).type();
  if (kind == std::filesystem::file_type::not_found) return std::nullopt;
  if (kind != std::filesystem::file_type::regular) // opening a FIFO would wait for somebody to write to it
    return fail("signature_malformed", path.string(), "the signature isn't a file that can be read", "a readable file");
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxSignatureText + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad())
    return fail("signature_malformed", path.string(), "the signature can't be read", "a readable file");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

// "a", "a or b", "a, b or c".
std::string any_of_text(const std::vector<std::string> &names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    out += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return out;
}

// Whether a signature by it counts today: "" or what is wrong, as the error's code and the words about the key.
struct Validity {
  std::string code, words;
};
Validity validity_of(const TrustedSigner &signer, std::int64_t now) {
  if (signer.revoked) return {"signer_revoked", "which is revoked"};
  if (signer.not_before && now < *signer.not_before)
    return {"signer_not_yet_valid", "which is valid from " + iso_time(*signer.not_before * 1000)};
  if (signer.not_after && now >= *signer.not_after)
    return {"signer_expired", "which was valid until " + iso_time(*signer.not_after * 1000)};
  return {};
}

// One plugin file's signature against the rules.
class SignatureCheck {
public:
  SignatureCheck(const Artifact &artifact, const TrustWanted &wanted, const TrustRules &rules, std::int64_t now)
      : artifact_(artifact), wanted_(wanted), rules_(rules), now_(now), path_(artifact.path().string() + ".sig") {}

  Result<const TrustedSigner *> signer() const {
    const auto text = read_signature(path_);
    if (!text) return tl::make_unexpected(text.error());
    if (!*text) return unsigned_file();
    std::vector<SignerKey> keys;
    for (const auto &signer : rules_.signers)
      keys.push_back(signer.key);
    const auto key = verify_artifact(artifact_.bytes(), **text, keys);
    if (!key) return unverified(key.error());
    const auto &signer = *std::ranges::find_if(
        rules_.signers, [&](const TrustedSigner &candidate) { return candidate.key.text == key->text; });
    if (const auto bad = validity_of(signer, now_); !bad.code.empty())
      return fail(bad.code, path_, subject() + " is signed by " + words_for(signer) + ", " + bad.words, expected());
    if (!is_acceptable(signer))
      return fail("signer_not_accepted", path_, subject() + " is signed by " + words_for(signer), expected());
    return &signer;
  }

private:
  bool is_acceptable(const TrustedSigner &signer) const {
    return wanted_.signers.empty() || std::ranges::find(wanted_.signers, signer.name) != wanted_.signers.end();
  }
  std::string subject() const { return "plugin " + wanted_.plugin; }
  static std::string words_for(const TrustedSigner &signer) {
    const auto id = key_id_text(signer.key.id);
    return "key " + (signer.name == id ? id : signer.name + " (" + id + ")");
  }

  // Whose signature would do today.
  std::string expected() const {
    std::vector<std::string> names;
    for (const auto &signer : rules_.signers)
      if (is_acceptable(signer) && validity_of(signer, now_).code.empty()) names.push_back(signer.name);
    return names.empty() ? "a valid key in [trust]; there is none" : "a signature by " + any_of_text(names);
  }

  Result<const TrustedSigner *> unsigned_file() const {
    if (!wanted_.sha256.empty())
      return fail("signature_required", artifact_.path().string(),
                  subject() + " is pinned, but not signed: there is no " + path_, expected());
    return fail("untrusted", artifact_.path().string(), subject() + " is neither pinned nor signed",
                "its SHA-256 as `sha256`, or a signature in " + path_ + " by a key in [trust]");
  }

  Result<const TrustedSigner *> unverified(Error error) const {
    error.where = path_ + (error.where.empty() ? "" : ", " + error.where);
    error.message = subject() + ": " + error.message;
    if (error.code == "signature_unknown_signer") error.expected = expected();
    return tl::make_unexpected(std::move(error));
  }

  const Artifact &artifact_;
  const TrustWanted &wanted_;
  const TrustRules &rules_;
  const std::int64_t now_;
  const std::string path_;
};

std::string_view take_line(std::string_view &rest) {
  const auto end = std::min(rest.find('\n'), rest.size());
  const auto line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

} // namespace

SignerKey SigningKey::signer() const {
  return {id, seed.public_bytes(), format_signer(id, seed.public_bytes())};
}

SigningKey generate_signing_key() {
  SigningKey key{{}, NkeySeed::generate(NkeyType::user)};
  randombytes_buf(key.id.data(), key.id.size());
  return key;
}

SecretText format_signing_key(const SigningKey &key) {
  const SecretText seed = key.seed.text();
  std::string text;
  text.reserve(128); // so that no half-written copy of the seed is left behind by growing
  text.append(kKeyHeader).append("\n").append(kIdPrefix).append(hex(key.id)).append("\n");
  text.append(kSeedPrefix).append(seed.reveal()).append("\n");
  return SecretText(std::move(text));
}

Result<SigningKey> parse_signing_key(std::string_view text) {
  constexpr auto kExpected = "a file that `trellis plugin sign --new-key` wrote";
  if (take_line(text) != kKeyHeader) return fail("signing_key_invalid", "line 1", "no signing key", kExpected);
  const auto id_line = take_line(text);
  const auto id = id_line.starts_with(kIdPrefix) ? hex_decode(id_line.substr(kIdPrefix.size())) : std::nullopt;
  if (!id || id->size() != 8) return fail("signing_key_invalid", "line 2", "no key id", kExpected);
  const auto seed_line = take_line(text);
  if (!seed_line.starts_with(kSeedPrefix) || !text.empty())
    return fail("signing_key_invalid", "line 3", "no seed, or something after it", kExpected);
  auto seed = NkeySeed::parse(seed_line.substr(kSeedPrefix.size()), NkeyType::user);
  if (!seed) return fail("signing_key_invalid", "line 3", "the seed is damaged", kExpected);
  SigningKey key{{}, std::move(*seed)};
  std::ranges::copy(*id, key.id.begin());
  return key;
}

std::string sign_artifact(const SigningKey &key, ByteView file, std::string_view trusted_comment) {
  MinisignSignature out;
  out.key_id = key.id;
  out.trusted_comment = trusted_comment;
  std::ranges::replace_if(
      out.trusted_comment, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  out.signature = key.seed.sign(blake2b_512(file));
  out.global_signature = key.seed.sign(globally_signed(out));
  return format_minisign(out, "signature from trellis key " + key_id_text(key.id));
}

Result<SignerKey> verify_artifact(ByteView file, std::string_view signature, const std::vector<SignerKey> &signers) {
  const auto parsed = parse_minisign(signature);
  if (!parsed) return tl::make_unexpected(parsed.error());
  bool known = false;
  for (const auto &signer : signers) {
    if (signer.id != parsed->key_id) continue;
    known = true;
    if (signed_by(signer, *parsed, file)) return signer;
  }
  const auto id = key_id_text(parsed->key_id);
  if (known) return fail("signature_invalid", {}, "the signature by key " + id + " is not one of this file");
  return fail("signature_unknown_signer", {}, "the signature is by key " + id, "one of the trusted keys");
}

Result<Trust> check_trust(const Artifact &artifact, const TrustWanted &wanted, const TrustRules &rules,
                          std::int64_t now) {
  const bool pinned = !wanted.sha256.empty();
  if (pinned && artifact.sha256_hex() != wanted.sha256) {
    auto error =
        fail("pin_mismatch", artifact.path().string(), "the file has SHA-256 " + artifact.sha256_hex(), wanted.sha256);
    error.value().details = {{"expected", wanted.sha256}, {"found", artifact.sha256_hex()}};
    return error;
  }
  const auto signer = SignatureCheck(artifact, wanted, rules, now).signer();
  if (signer) return Trust{pinned, (*signer)->key, (*signer)->name};
  // Without another rule the pin is enough; a signature only adds who made the file.
  if (pinned && !rules.require_signature && wanted.signers.empty()) return Trust{true, std::nullopt, {}};
  return tl::make_unexpected(signer.error());
}

TrustRules trust_in(const std::vector<SignerKey> &signers) {
  TrustRules rules;
  for (const auto &key : signers)
    rules.signers.push_back({key_id_text(key.id), key, {}, {}, false});
  return rules;
}

} // namespace trellis
