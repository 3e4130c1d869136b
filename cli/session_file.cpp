#include "session_file.h"
#include "contracts/json_write.h"
#include "file_write.h"
#include "policy/policy_file.h"
#include <cstdlib>
#include <rapidjson/document.h>
#include <system_error>

namespace trellis::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kAdminSession[] = "admin-session.json";
constexpr char kLegacySentinel[] = "admin-sentinel.creds";
constexpr std::string_view kCallPrefix = "call-", kSuffix = ".json";
constexpr std::size_t kMaxBytes = std::size_t{64} << 10;

// A folder that the environment names, "" when it names none.
fs::path folder_of(const char *variable) {
  const char *value = std::getenv(variable);
  return value && *value ? fs::path(value) : fs::path();
}

tl::unexpected<Error> invalid(const fs::path &file, std::string message) {
  return fail("session_invalid", file.string(), std::move(message), "a file that `trellis login` wrote; log in again");
}

} // namespace

fs::path session_folder() {
  if (const auto config = folder_of("XDG_CONFIG_HOME"); !config.empty()) return config / "trellis";
  if (const auto home = folder_of("HOME"); !home.empty()) return home / ".config" / "trellis";
  return fs::path(".trellis");
}

fs::path admin_session_file() {
  return session_folder() / kAdminSession;
}

fs::path call_session_file(std::string_view contract_digest) {
  return session_folder() / (std::string(kCallPrefix) + std::string(contract_digest) + std::string(kSuffix));
}

std::vector<fs::path> call_session_files() {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto &entry : fs::directory_iterator(session_folder(), ignored)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(kCallPrefix) && name.ends_with(kSuffix)) files.push_back(entry.path());
  }
  return files;
}

Result<LoginSession> load_session(const fs::path &file) {
  std::error_code ignored;
  if (fs::symlink_status(file, ignored).type() == fs::file_type::not_found)
    return fail("session_absent", file.string(), "not logged in", "a session: trellis login URL");
  const auto text = read_secret_file(file, kMaxBytes);
  if (!text) return tl::unexpected(text.error());
  const auto json = parse_json(text->reveal());
  if (!json) return invalid(file, "is no JSON");
  for (const char *name : {"trellis_url", "nats_servers", "session_seed", "session_key", "contract_digest",
                           "sentinel_jwt", "sentinel_seed", "expires"})
    if (string_member(*json, name).empty()) return invalid(file, std::string(name) + " is missing or no text");
  auto key = SessionKey::from_seed(string_member(*json, "session_seed"));
  if (!key) return invalid(file, "session_seed is no seed");
  if (key->text() != string_member(*json, "session_key"))
    return invalid(file, "session_key is not the key of session_seed");
  const auto member = [&](const char *name) { return std::string(string_member(*json, name)); };
  return LoginSession{member("trellis_url"),     member("nats_servers"), std::move(*key),
                      member("contract_digest"), member("sentinel_jwt"), SecretText(member("sentinel_seed")),
                      member("expires")};
}

Result<void> save_session(const fs::path &file, const LoginSession &session) {
  std::error_code error;
  const auto folder = file.parent_path();
  if (!fs::exists(folder, error) && fs::create_directories(folder, error))
    fs::permissions(folder, fs::perms::owner_all, error);
  if (error) return fail("file_unwritable", folder.string(), "the folder can't be made: " + error.message());
  const SecretText text(JsonObjectText()
                            .text("trellis_url", session.trellis_url)
                            .text("nats_servers", session.nats_servers)
                            .text("session_seed", session.key.seed_text().reveal())
                            .text("session_key", session.key.text())
                            .text("contract_digest", session.contract_digest)
                            .text("sentinel_jwt", session.sentinel_jwt)
                            .text("sentinel_seed", session.sentinel_seed.reveal())
                            .text("expires", session.expires)
                            .str());
  return replace_file(file, as_bytes(text.reveal()), 0600);
}

bool remove_session(const fs::path &file) {
  std::error_code ignored;
  const bool existed = fs::remove(file, ignored);
  if (file.filename() == kAdminSession) fs::remove(file.parent_path() / kLegacySentinel, ignored);
  return existed;
}

} // namespace trellis::cli
