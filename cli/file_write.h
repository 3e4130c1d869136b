// Writing single files: either whole or not at all, and never more readable than asked for.
#pragma once

#include "contracts/encoding.h"
#include "contracts/result.h"
#include "wire/secret.h"
#include <filesystem>
#include <sys/types.h>

namespace trellis::cli {

// Writes a temporary sibling and renames it. Error "file_unwritable".
Result<void> replace_file(const std::filesystem::path &file, ByteView bytes, mode_t mode);

// A new file with mode 0600. Errors: "file_exists", "file_unwritable".
Result<void> create_secret_file(const std::filesystem::path &file, const SecretText &text);

} // namespace trellis::cli
