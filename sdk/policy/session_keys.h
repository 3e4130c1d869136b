// The session key of each plugin: created once, kept in state_dir/keys/<name>.seed (0600).
//
// A plugin is its own principal, and its key is what an operator approves, so it must survive restarts and must never
// be replaced because a file could not be read.
#pragma once

#include "contracts/result.h"
#include "wire/session_key.h"
#include <filesystem>
#include <string_view>

namespace trellis {

// Reads the key, or creates it. Errors: those of read_secret_file (host/policy_file.h), "key_invalid",
// "key_unwritable"; `where` is the file.
Result<SessionKey> session_key_for(const std::filesystem::path &state_dir, std::string_view plugin);

// A folder of ours (0700), made with its parents when missing. Error "state_dir_unusable".
Result<void> make_private_folder(const std::filesystem::path &folder);

} // namespace trellis
