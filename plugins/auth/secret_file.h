// Files that hold a secret: seeds, client secrets (04 §20.2).
#pragma once

#include "contracts/result.h"
#include "wire/secret.h"
#include <filesystem>

namespace trellis::auth {

// The whole file. Errors: "unreadable", "too_large", "secret_file_mode" when others may read or change it.
Result<SecretText> read_secret_file(const std::filesystem::path &file);

} // namespace trellis::auth
