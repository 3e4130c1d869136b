#include "artifact/elf_testing.h"
#include "artifact/trust_minisign.h"

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace trellis;
using namespace trellis::testing;

namespace {

// From the documentation of minisign's verification library: the file holds "test".
constexpr auto kPublished = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
constexpr auto kPrehashed =
    "untrusted comment: signature from minisign secret key\n"
    "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n"
    "trusted comment: timestamp:1556193335\tfile:test\n"
    "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";
constexpr auto kLegacy =
    "untrusted comment: signature from minisign secret key\n"
    "RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n"
    "trusted comment: timestamp:1555779966\tfile:test\n"
    "QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n";

std::vector<SignerKey> published() {
  return {*parse_signer(kPublished)};
}

std::string code_of(std::string_view file, std::string_view signature, const std::vector<SignerKey> &signers) {
  const auto signer = verify_artifact(as_bytes(file), signature, signers);
  return signer ? "ok" : signer.error().code;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

// A plugin file in its own folder, and its path.
struct PluginFile {
  TemporaryFolder folder;
  std::string path = folder.write("echo.so", read_file(example_path("echo-c")));
  Artifact artifact = *Artifact::open(path);

  void sign(const SigningKey &key) const {
    folder.write("echo.so.sig", as_bytes(sign_artifact(key, artifact.bytes(), "")));
  }
  Result<Trust> trusted_by(const std::vector<SignerKey> &signers, const std::string &pin) const {
    return check_trust(artifact, {"echo", pin, {}}, trust_in(signers), 0);
  }
};

constexpr std::int64_t kNow = 1'800'000'000; // 2027-01-15

// Two keys with names, and a third one that nobody trusts.
struct Keys {
  SigningKey old_key = generate_signing_key(), new_key = generate_signing_key(), stranger = generate_signing_key();
  TrustRules rules{{{"build-2026", old_key.signer(), {}, {}, false}, {"build-2027", new_key.signer(), {}, {}, false}},
                   false};
  TrustedSigner &old_signer() { return rules.signers[0]; }
  TrustedSigner &new_signer() { return rules.signers[1]; }
};

} // namespace

TEST_CASE("signatures that minisign made are accepted, prehashed and legacy") {
  CHECK(code_of("test", kPrehashed, published()) == "ok");
  CHECK(code_of("test", kLegacy, published()) == "ok");
}

TEST_CASE("lines may end with CRLF and the last one without an end") {
  std::string text;
  for (const char c : std::string(kPrehashed))
    text += c == '\n' ? "\r\n" : std::string(1, c);
  CHECK(code_of("test", text, published()) == "ok");
  text.resize(text.size() - 2);
  CHECK(code_of("test", text, published()) == "ok");
}

TEST_CASE("anything else than the signed file and comment is refused") {
  CHECK(code_of("Test", kPrehashed, published()) == "signature_invalid");
  CHECK(code_of("Test", kLegacy, published()) == "signature_invalid");
  CHECK(code_of("test", replaced(kPrehashed, "timestamp:1", "timestamp:2"), published()) == "signature_invalid");
  CHECK(code_of("test", replaced(kPrehashed, "y/rUw2y8", "y/rUw2y9"), published()) == "signature_invalid");
  // The algorithm is not covered by the signature, but selects what has to be signed.
  CHECK(code_of("test", replaced(kPrehashed, "RUQf", "RWQf"), published()) == "signature_invalid");
  CHECK(code_of("test", replaced(kPrehashed, "signature from", "by"), published()) == "ok"); // untrusted
}

TEST_CASE("a signer that isn't trusted is named by its key id") {
  const auto result = verify_artifact(as_bytes("test"), kPrehashed, {generate_signing_key().signer()});
  REQUIRE_FALSE(result);
  CHECK(result.error().code == "signature_unknown_signer");
  CHECK(result.error().message.find("E7620F1842B4E81F") != std::string::npos);
  CHECK(code_of("test", kPrehashed, {}) == "signature_unknown_signer");
}

TEST_CASE("another key under a trusted id proves nothing") {
  auto impostor = generate_signing_key();
  impostor.id = published().front().id;
  const auto signature = sign_artifact(impostor, as_bytes("test"), "me");
  CHECK(code_of("test", signature, published()) == "signature_invalid");
  CHECK(code_of("test", signature, {published().front(), impostor.signer()}) == "ok");
}

TEST_CASE("malformed signatures are refused with their line") {
  const auto line_of = [](const std::string &text) {
    const auto parsed = parse_minisign(text);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == "signature_malformed");
    return parsed.error().where;
  };
  CHECK(line_of("") == "line 1");
  CHECK(line_of("comment: x\n") == "line 1");
  CHECK(line_of("untrusted comment: x\n") == "line 2");
  CHECK(line_of(replaced(kPrehashed, "RUQf", "RUQ*")) == "line 2");
  CHECK(line_of(replaced(kPrehashed, "RUQf", "RXRf")) == "line 2"); // another algorithm
  CHECK(line_of(replaced(kPrehashed, "Zwo=", "Zwp=")) == "line 2"); // bits behind the last byte
  CHECK(line_of(replaced(kPrehashed, "Zwo=", "Zwo")) == "line 2");  // padding
  CHECK(line_of(replaced(kPrehashed, "trusted comment: time", "time")) == "line 3");
  CHECK(line_of(replaced(kPrehashed, "timestamp", "\x1b[2J")) == "line 3");
  CHECK(line_of(replaced(kPrehashed, "HwhEBg==", "HwhEBg")) == "line 4");
  CHECK(line_of(std::string(kPrehashed) + "\n") == "line 5");
  CHECK(line_of(std::string(kPrehashed) + "more") == "line 5");
  CHECK(line_of(std::string(kMaxSignatureText + 1, 'x')) == "line 1");
}

TEST_CASE("public keys are read as minisign writes them, and nothing else") {
  const auto signer = parse_signer(kPublished);
  REQUIRE(signer);
  CHECK(signer->text == kPublished);
  CHECK(key_id_text(signer->id) == "E7620F1842B4E81F");
  CHECK(format_signer(signer->id, signer->key) == kPublished);
  CHECK(parse_signer("").error().code == "signer_invalid");
  CHECK(parse_signer(std::string(kPublished) + " ").error().code == "signer_invalid");
  CHECK(parse_signer(replaced(kPublished, "RWQ", "RUQ")).error().code == "signer_invalid");
  CHECK(parse_signer(std::string(kPublished).substr(4)).error().code == "signer_invalid");
}

TEST_CASE("what a key of ours signs, its public key verifies") {
  const auto key = generate_signing_key();
  const auto signature = sign_artifact(key, as_bytes("file"), "release 1\nof today");
  CHECK(code_of("file", signature, {key.signer()}) == "ok");
  CHECK(code_of("fila", signature, {key.signer()}) == "signature_invalid");
  CHECK(parse_minisign(signature)->trusted_comment == "release 1 of today");
  CHECK(parse_signer(key.signer().text)->key == key.signer().key);
}

TEST_CASE("a signing key survives its file") {
  const auto key = generate_signing_key();
  const auto text = format_signing_key(key);
  const auto read = parse_signing_key(text.reveal());
  REQUIRE(read);
  CHECK(read->signer().text == key.signer().text);
  CHECK(code_of("file", sign_artifact(*read, as_bytes("file"), ""), {key.signer()}) == "ok");

  CHECK(parse_signing_key("").error().code == "signing_key_invalid");
  CHECK(parse_signing_key(text.reveal() + "x").error().where == "line 3");
  CHECK(parse_signing_key(replaced(text.reveal(), "id ", "id x")).error().where == "line 2");
  auto damaged = text.reveal();
  damaged[damaged.size() - 3] = damaged[damaged.size() - 3] == 'A' ? 'B' : 'A';
  const auto refused = parse_signing_key(damaged);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text().find("SU") == std::string::npos); // no part of the seed in the message
}

TEST_CASE("a pin is enough, and a wrong pin is never made up for") {
  const PluginFile plugin;
  const auto key = generate_signing_key();
  const auto pinned = plugin.trusted_by({}, plugin.artifact.sha256_hex());
  REQUIRE(pinned);
  CHECK(pinned->pinned);
  CHECK_FALSE(pinned->signer);

  plugin.folder.write("echo.so.sig", as_bytes(sign_artifact(key, plugin.artifact.bytes(), "")));
  const auto wrong = plugin.trusted_by({key.signer()}, std::string(64, '0'));
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == "pin_mismatch");
  CHECK(wrong.error().detail("found") == plugin.artifact.sha256_hex());
  CHECK(wrong.error().detail("expected") == std::string(64, '0'));

  const auto both = plugin.trusted_by({key.signer()}, plugin.artifact.sha256_hex());
  REQUIRE(both);
  CHECK(both->signer->text == key.signer().text);
}

TEST_CASE("without a pin a signature by a trusted key is needed") {
  const PluginFile plugin;
  const auto key = generate_signing_key();
  CHECK(plugin.trusted_by({key.signer()}, "").error().code == "untrusted");

  plugin.folder.write("echo.so.sig", as_bytes(sign_artifact(key, plugin.artifact.bytes(), "")));
  const auto trust = plugin.trusted_by({key.signer()}, "");
  REQUIRE(trust);
  CHECK_FALSE(trust->pinned);
  CHECK(trust->signer->text == key.signer().text);

  const auto stranger = plugin.trusted_by({generate_signing_key().signer()}, "");
  CHECK(stranger.error().code == "signature_unknown_signer");
  CHECK(stranger.error().where.find("echo.so.sig") != std::string::npos);
  plugin.folder.write("echo.so.sig", as_bytes("nothing"));
  CHECK(plugin.trusted_by({key.signer()}, "").error().code == "signature_malformed");
}

TEST_CASE("where signatures are required a pin alone isn't enough") {
  const PluginFile plugin;
  Keys keys;
  keys.rules.require_signature = true;
  const TrustWanted wanted{"billing", plugin.artifact.sha256_hex(), {}};
  const auto bare = check_trust(plugin.artifact, wanted, keys.rules, kNow);
  REQUIRE_FALSE(bare);
  CHECK(bare.error().code == "signature_required");
  CHECK(bare.error().message.find("plugin billing") != std::string::npos);
  CHECK(bare.error().expected == "a signature by build-2026 or build-2027");

  plugin.sign(keys.stranger);
  const auto strange = check_trust(plugin.artifact, wanted, keys.rules, kNow);
  REQUIRE_FALSE(strange);
  CHECK(strange.error().code == "signature_unknown_signer");
  CHECK(strange.error().message.find("plugin billing") != std::string::npos);
  CHECK(strange.error().message.find(key_id_text(keys.stranger.id)) != std::string::npos);
  CHECK(strange.error().expected == "a signature by build-2026 or build-2027");

  plugin.sign(keys.new_key);
  const auto good = check_trust(plugin.artifact, wanted, keys.rules, kNow);
  REQUIRE(good);
  CHECK(good->pinned);
  CHECK(good->signer_name == "build-2027");
}

TEST_CASE("what lies in a signature's place and is no file is refused, and not waited for") {
  const PluginFile plugin;
  const auto at = plugin.path + ".sig";
  REQUIRE(::mkfifo(at.c_str(), 0600) == 0);
  ::alarm(20); // ends the test program when it waits
  CHECK(plugin.trusted_by({}, "").error().code == "signature_malformed");
  CHECK(plugin.trusted_by({}, plugin.artifact.sha256_hex())); // a pin needs none
  REQUIRE(std::filesystem::remove(at));
  REQUIRE(std::filesystem::create_directory(at));
  CHECK(plugin.trusted_by({}, "").error().code == "signature_malformed");
  ::alarm(0);
}

TEST_CASE("a plugin may name who has to sign it, and a trusted key of somebody else doesn't do") {
  const PluginFile plugin;
  Keys keys;
  plugin.sign(keys.old_key);
  for (const std::string &pin : {std::string(), plugin.artifact.sha256_hex()}) {
    INFO("pin " << pin);
    const auto other = check_trust(plugin.artifact, {"billing", pin, {"build-2027"}}, keys.rules, kNow);
    REQUIRE_FALSE(other);
    CHECK(other.error().code == "signer_not_accepted");
    CHECK(other.error().message.find("billing is signed by key build-2026") != std::string::npos);
    CHECK(other.error().expected == "a signature by build-2027");
    CHECK(other.error().where == plugin.path + ".sig");
    CHECK(check_trust(plugin.artifact, {"billing", pin, {"build-2026"}}, keys.rules, kNow));
  }
  const auto unsigned_file = PluginFile();
  const auto bare = check_trust(unsigned_file.artifact,
                                {"billing", unsigned_file.artifact.sha256_hex(), {"build-2027"}}, keys.rules, kNow);
  CHECK(bare.error().code == "signature_required");
}

TEST_CASE("a revoked key and one outside its time sign nothing that is loaded now") {
  const PluginFile plugin;
  Keys keys;
  plugin.sign(keys.old_key);
  const TrustWanted wanted{"billing", "", {}};
  const auto code = [&](std::int64_t now) {
    const auto trust = check_trust(plugin.artifact, wanted, keys.rules, now);
    return trust ? std::string("ok") : trust.error().code;
  };
  keys.old_signer().not_before = kNow;
  keys.old_signer().not_after = kNow + 100;
  CHECK(code(kNow - 1) == "signer_not_yet_valid");
  CHECK(code(kNow) == "ok");
  CHECK(code(kNow + 99) == "ok");
  CHECK(code(kNow + 100) == "signer_expired");
  keys.old_signer().revoked = true;
  CHECK(code(kNow) == "signer_revoked");

  const auto refused = check_trust(plugin.artifact, wanted, keys.rules, kNow);
  CHECK(refused.error().where == plugin.path + ".sig");
  CHECK(refused.error().message.find("key build-2026 (") != std::string::npos);
  CHECK(refused.error().expected == "a signature by build-2027"); // never one that wouldn't do either
}

TEST_CASE("during a change-over both keys are good, and afterwards the new one is") {
  const PluginFile plugin;
  Keys keys;
  keys.old_signer().not_after = kNow + 100;
  keys.new_signer().not_before = kNow - 100;
  const auto code = [&](std::int64_t now) {
    const auto trust = check_trust(plugin.artifact, {"billing", "", {"build-2026", "build-2027"}}, keys.rules, now);
    return trust ? trust->signer_name : trust.error().code;
  };
  plugin.sign(keys.old_key);
  CHECK(code(kNow) == "build-2026");
  CHECK(code(kNow + 200) == "signer_expired");
  plugin.sign(keys.new_key);
  CHECK(code(kNow) == "build-2027");
  CHECK(code(kNow + 200) == "build-2027");
}

TEST_CASE("a pin stands for itself when the signature beside it is by a revoked key") {
  const PluginFile plugin;
  Keys keys;
  plugin.sign(keys.old_key);
  keys.old_signer().revoked = true;
  const auto pinned = check_trust(plugin.artifact, {"billing", plugin.artifact.sha256_hex(), {}}, keys.rules, kNow);
  REQUIRE(pinned);
  CHECK_FALSE(pinned->signer);
  keys.rules.require_signature = true;
  CHECK(check_trust(plugin.artifact, {"billing", plugin.artifact.sha256_hex(), {}}, keys.rules, kNow).error().code ==
        "signer_revoked");
}

TEST_CASE("the minisign tool accepts our signatures and we accept its") {
  if (!has_tool("minisign")) SKIP("minisign is not installed");
  const TemporaryFolder folder;
  const auto file = folder.write("plugin.so", as_bytes("bytes of a plugin"));

  const auto key = generate_signing_key();
  const auto ours = folder.write("ours.sig", as_bytes(sign_artifact(key, as_bytes("bytes of a plugin"), "ours")));
  const auto theirs = run_tool("minisign -V -P " + key.signer().text + " -m " + file + " -x " + ours);
  INFO(theirs.text);
  CHECK(theirs.status == 0);

  const auto secret = (folder.path() / "secret").string();
  const auto open = (folder.path() / "public").string();
  const auto signature = (folder.path() / "theirs.sig").string();
  REQUIRE(run_tool("minisign -G -W -s " + secret + " -p " + open).status == 0);
  REQUIRE(run_tool("minisign -S -s " + secret + " -m " + file + " -x " + signature).status == 0);
  const auto lines = std::string(as_text(read_file(open)));
  const auto signer = parse_signer(lines.substr(lines.find('\n') + 1, 56));
  REQUIRE(signer);
  CHECK(code_of("bytes of a plugin", as_text(read_file(signature)), {*signer}) == "ok");
}
