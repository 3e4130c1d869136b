// Where generated files go, and writing them: each whole or not at all, and none unless all could be prepared.
#pragma once

#include "contracts/result.h"
#include "generate/cpp_backend.h"
#include <filesystem>
#include <string>
#include <vector>

namespace trellis::generate {

struct OutputTarget {
  std::filesystem::path folder;
  std::string stem; // "" is from the contract id
};

// `text`: an existing folder, or FOLDER/NAME.h. Errors: "no_folder", "output_name" (NAME is no file name for C++).
Result<OutputTarget> output_target(const std::string &text);

// Files whose content is the same already are left alone, so that build systems see no change. Error
// "file_unwritable"; then no file was replaced, unless renaming itself failed in between.
Result<void> write_files(const std::filesystem::path &folder, const std::vector<GeneratedFile> &files);

} // namespace trellis::generate
