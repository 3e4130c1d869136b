// trellis: the operator's command line.
#include "commands.h"
#include "version.h"

#include <cstdlib>
#include <iostream>
#include <unistd.h>

namespace {

bool wants_colour() {
  return ::isatty(STDOUT_FILENO) && ::isatty(STDERR_FILENO) && !std::getenv("NO_COLOR");
}

} // namespace

int main(int argc, char **argv) {
  using namespace trellis::cli;
  Program program("trellis", kVersion, "Operates a Trellis installation and its service plugins.");
  add_local_commands(program.root());
  add_login_commands(program.root());
  add_plan_commands(program.root());
  add_deployment_commands(program.root());
  add_host_commands(program.root());
  add_call_command(program.root());
  add_feed_command(program.root());
  add_plugin_commands(program.root());
  add_run_command(program.root());
  add_contract_commands(program.root());
  add_keys_commands(program.root());
  return program.run({argv + 1, argv + argc}, std::cout, std::cerr, wants_colour());
}
