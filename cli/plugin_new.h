// A new plugin project: what `trellis plugin new` writes.
//
// Templates are plain files beside the SDK (sdk/templates: one folder a language, and `common`); what they need of the
// SDK is copied into the project, because it is small and the project then builds anywhere, also in ten years.
// Rejected: templates inside the program, which nobody could read or change; a package in each language's registry.
#pragma once

#include "contracts/result.h"
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace trellis::cli {

struct NewPlugin {
  std::string name;          // "stock-keeper"
  std::string language;      // one of plugin_languages()
  std::filesystem::path sdk; // a folder with plugin-api/ and sdk/
};

std::vector<std::string> plugin_languages(); // c, cpp, rust, go
// The three commands, to be run in the project's folder.
std::vector<std::string> plugin_commands(const NewPlugin &plugin);

// Every file of the project: path in it -> content. Errors: "plugin_name", "plugin_language", "sdk_incomplete".
using ProjectFiles = std::map<std::filesystem::path, std::string>;
Result<ProjectFiles> project_files(const NewPlugin &plugin);

// Writes them into a folder that doesn't exist or is empty: all or none. Errors: "folder_used", "file_unwritable".
Result<void> write_project(const ProjectFiles &files, const std::filesystem::path &folder);

// The SDK of this installation: ../share/trellis from this program, or the checkout that it was built in. Error
// "sdk_missing".
Result<std::filesystem::path> find_sdk();

} // namespace trellis::cli
