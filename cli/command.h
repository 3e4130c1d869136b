// The command tree, without CLI11 in sight: it is compiled in command.cpp only.
//
//   void add_contract_commands(Command root) {
//     auto contract = root.group("contract", "Contracts as files");
//     const auto options = std::make_shared<CheckOptions>();
//     auto check = contract.command("check", "Say whether a contract is valid");
//     check.argument("FILE", options->file, "contract.json or plugin.so");
//     check.action([options](Output &out) { return run_check(*options, out); });
//   }
//
// Options are bound to variables that the action's closure keeps alive. One file per group of commands; main.cpp names
// them all.
#pragma once

#include "output.h"
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace trellis::cli {

// The exit code: 0, or 1 for what went wrong at run time. `return out.fail(error);` is how an action gives up.
using Action = std::function<int(Output &)>;

enum class Presence { optional, required };

// One command or group of commands; copies mean the same one. Lives as long as its Program.
class Command {
public:
  // A command that only holds others; the one of that name if there is one already.
  Command group(const std::string &name, const std::string &help);
  Command command(const std::string &name, const std::string &help);

  // `name` is for people: "FILE".
  void argument(const std::string &name, std::string &into, const std::string &help,
                Presence presence = Presence::required);
  // `names`: "-o,--out". What `into` holds before parsing is the default.
  void option(const std::string &names, std::string &into, const std::string &help,
              Presence presence = Presence::optional);
  void options(const std::string &names, std::vector<std::string> &into, const std::string &help,
               Presence presence = Presence::optional); // repeatable
  // Makes two options of this command exclude each other, and one of them required.
  void exactly_one(const std::string &first, const std::string &second);
  void number(const std::string &names, std::int64_t &into, std::int64_t least, std::int64_t most,
              const std::string &help);
  void flag(const std::string &names, bool &into, const std::string &help);

  void action(Action run);
  // For actions that only have a result to show.
  void report(std::function<Result<Report>()> make);

private:
  friend class Program;
  struct Shared;
  Command(CLI::App &app, Shared &shared) : app_(&app), shared_(&shared) {}

  CLI::App *app_;
  Shared *shared_;
};

class Program {
public:
  Program(const std::string &name, const std::string &version, const std::string &help);
  ~Program();

  Command root();
  // Parses and runs. Exit codes of 10 §1.2: 0, 1 (run time), 2 (usage). `colour`: whether `out` and `err` take it.
  int run(const std::vector<std::string> &arguments, std::ostream &out, std::ostream &err, bool colour = false);

private:
  std::unique_ptr<CLI::App> app_;
  std::unique_ptr<Command::Shared> shared_;
};

} // namespace trellis::cli
