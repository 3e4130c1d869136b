// trellis plugin new: a project to start from.
#include "commands.h"
#include "plugin_new.h"

namespace trellis::cli {
namespace {

struct NewOptions {
  std::string name, language, folder, sdk;
};

Result<Report> make_project(const NewOptions &options) {
  NewPlugin plugin{options.name, options.language, options.sdk};
  if (options.sdk.empty()) {
    auto found = find_sdk();
    if (!found) return tl::make_unexpected(found.error());
    plugin.sdk = std::move(*found);
  }
  const auto files = project_files(plugin);
  if (!files) return tl::make_unexpected(files.error());
  const auto folder = options.folder.empty() ? options.name : options.folder;
  if (auto written = write_project(*files, folder); !written) return tl::make_unexpected(written.error());
  const auto commands = plugin_commands(plugin);
  Report report("made " + folder + "; there:");
  report.text("folder", folder)
      .number("files", static_cast<std::int64_t>(files->size()))
      .text("build", commands[0])
      .text("test", commands[1])
      .text("run", commands[2]);
  return report;
}

} // namespace

void add_plugin_new_command(Command root) {
  const auto options = std::make_shared<NewOptions>();
  auto command = root.group("plugin", "Plugin files").command("new", "Write a small plugin project to start from");
  command.argument("NAME", options->name, "of the plugin: stock-keeper");
  command.option("--lang", options->language, "c, cpp, rust or go", Presence::required);
  command.option("--dir", options->folder, "folder to make; default: NAME");
  command.option("--sdk", options->sdk, "folder with plugin-api/ and sdk/; default: as installed");
  command.report([options] { return make_project(*options); });
}

} // namespace trellis::cli
