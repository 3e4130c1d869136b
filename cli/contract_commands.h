// The commands of `trellis contract`, one function each; contract_commands.cpp holds the short ones and names them all.
//
// Exit codes: 0 the answer is good; 1 it isn't, or there is none; 2 usage. `diff` and `schema --validate` give a
// verdict like diff(1): there 1 is a verdict, and 2 also stands for input that allows none.
#pragma once

#include "command.h"
#include "contract_file.h"
#include "contract_platform.h"

namespace trellis::cli {

// What the commands with one contract share.
struct ContractOptions {
  std::string file, id;
  std::vector<std::string> with;
};
// Adds FILE and --id.
void add_contract_arguments(Command &command, ContractOptions &options);
void add_with_option(Command &command, std::vector<std::string> &with);

void add_needs_command(Command group);
void add_permissions_command(Command group);
void add_diff_command(Command group);
void add_schema_command(Command group);

} // namespace trellis::cli
