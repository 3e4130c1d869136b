// trellis-generate: code from contracts, for build systems. No network, no server.
//
// It shares no command tree with trellis: it is built before everything else, because the build of others needs it.
#include "contract_file.h"
#include "generate/cpp_backend.h"
#include "generate/output_files.h"
#include "output.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>

namespace trellis::generate {
namespace {

struct CppArguments {
  std::string file;
  std::string out = ".";
  std::string name_space;
};

Result<void> run_cpp(const CppArguments &arguments) {
  const auto target = output_target(arguments.out);
  if (!target) return tl::make_unexpected(target.error());
  const auto text = cli::read_contract_text(arguments.file);
  if (!text) return tl::make_unexpected(text.error());
  const auto manifest = cli::parse_contract(arguments.file, *text);
  if (!manifest) return tl::make_unexpected(manifest.error());
  const auto model = read_model(*manifest);
  if (!model) return tl::make_unexpected(cli::place_in_file(model.error(), arguments.file, *text));
  return write_files(target->folder, generate_cpp(*model, {target->stem, arguments.name_space}));
}

// Exit codes of 10 §1.2: 0, 1 (run time), 2 (usage).
int run(int argc, char **argv) {
  CLI::App app("Makes code from contracts.", "trellis-generate");
  app.set_version_flag("--version", TRELLIS_VERSION);
  app.require_subcommand(1);
  CppArguments arguments;
  auto *cpp = app.add_subcommand("cpp", "Write C++ types, codecs, client and handlers of a contract");
  cpp->add_option("FILE", arguments.file, "contract.json or plugin.so")->required();
  cpp->add_option("-o,--out", arguments.out,
                  "an existing folder for NAME.h, NAME.cpp, NAME_service.h and NAME_contract.cpp, with NAME from the "
                  "contract id; or FOLDER/NAME.h");
  cpp->add_option("--namespace", arguments.name_space, "the C++ namespace; default: from the contract id");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  const auto done = run_cpp(arguments);
  if (!done) std::cerr << "error: " << cli::printable(done.error().text()) << '\n';
  return done ? 0 : 1;
}

} // namespace
} // namespace trellis::generate

int main(int argc, char **argv) {
  return trellis::generate::run(argc, argv);
}
