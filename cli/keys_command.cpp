// trellis keys new: session keys for callers (10 §3.6).
#include "commands.h"
#include "file_write.h"
#include "wire/session_key.h"

namespace trellis::cli {
namespace {

struct NewKeyOptions {
  std::string seed, out, pubout;
};

Result<SessionKey> make_key(const NewKeyOptions &options) {
  if (options.seed.empty()) return SessionKey::generate();
  if (!options.out.empty())
    return fail("option", "--out", "a given seed isn't written to a file", "--out without --seed");
  return SessionKey::from_seed(options.seed);
}

Result<Report> new_key(const NewKeyOptions &options) {
  const auto key = make_key(options);
  if (!key) return tl::make_unexpected(key.error());
  if (!options.out.empty()) {
    const auto text = SecretText(key->seed_text().reveal() + "\n");
    if (auto written = create_secret_file(options.out, text); !written) return tl::make_unexpected(written.error());
  }
  if (!options.pubout.empty()) {
    const auto text = key->text() + "\n";
    if (auto written = replace_file(options.pubout, as_bytes(text), 0644); !written)
      return tl::make_unexpected(written.error());
  }
  Report report;
  // Only a fresh seed that went to no file is shown: this is the one moment when its owner can have it.
  if (options.seed.empty() && options.out.empty()) report.text("seed", key->seed_text().reveal());
  report.text("sessionKey", key->text());
  return report;
}

} // namespace

void add_keys_commands(Command root) {
  const auto options = std::make_shared<NewKeyOptions>();
  auto command = root.group("keys", "Session keys").command("new", "Make a session key, or derive one from its seed");
  command.option("--seed", options->seed, "base64url of 32 bytes: show the key of this seed");
  command.option("--out", options->out, "file for the seed (0600); it isn't printed then");
  command.option("--pubout", options->pubout, "file for the public session key");
  command.report([options] { return new_key(*options); });
}

} // namespace trellis::cli
