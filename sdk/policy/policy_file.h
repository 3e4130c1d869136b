// Files that static policy trusts: the signing key of the account, and the session seeds of callers.
#pragma once

#include "contracts/result.h"
#include "wire/nkeys.h"
#include "wire/secret.h"
#include <cstddef>
#include <filesystem>

namespace trellis {

// The text of a file that holds a secret, without white space around it. Errors: "secret_unreadable", "secret_exposed"
// (not a regular file, not ours, or others have rights on it: whoever can write it decides what we sign with).
Result<SecretText> read_secret_file(const std::filesystem::path &file, std::size_t most_bytes = 4096);

// Errors: those of read_secret_file, "nkey_*" when it holds no account seed.
Result<NkeySeed> read_signing_seed(const std::filesystem::path &file);

// Every key of policy.toml, table by table, as docs/config.md has it.
std::string static_policy_markdown();

} // namespace trellis
