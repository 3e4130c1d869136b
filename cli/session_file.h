// Who this operator is signed in as: the local session file of 10 §1.3, shared with other operator CLIs, and its
// neighbours, the sessions of `trellis call`.
//
// Whoever reads such a file is that operator for as long as the session lives: written with mode 0600, and refused when
// others have rights on it.
#pragma once

#include "contracts/result.h"
#include "wire/secret.h"
#include "wire/session_key.h"
#include <filesystem>
#include <string>
#include <vector>

namespace trellis::cli {

struct LoginSession {
  std::string trellis_url;  // as given to `login`
  std::string nats_servers; // comma-joined
  SessionKey key;
  std::string contract_digest; // that the session was bound with
  std::string sentinel_jwt;
  SecretText sentinel_seed;
  std::string expires; // RFC 3339
};

// $XDG_CONFIG_HOME/trellis, else $HOME/.config/trellis, else ./.trellis
std::filesystem::path session_folder();
std::filesystem::path admin_session_file();
// Of a contract that `trellis call` made up, named after its digest.
std::filesystem::path call_session_file(std::string_view contract_digest);
std::vector<std::filesystem::path> call_session_files(); // all there are

// Errors: "session_absent", "session_invalid", "secret_unreadable", "secret_exposed"; `where` is the file.
Result<LoginSession> load_session(const std::filesystem::path &file);
// Makes the folder. Errors: "file_unwritable".
Result<void> save_session(const std::filesystem::path &file, const LoginSession &session);
// The file, and the legacy admin-sentinel.creds beside it. False when there was none.
bool remove_session(const std::filesystem::path &file);

} // namespace trellis::cli
