// Every group of commands, one line each. A group lives in its own file and registers itself on the root.
#pragma once

#include "command.h"

namespace trellis::cli {

void add_call_command(Command root);        // call
void add_contract_commands(Command root);   // contract check, digest, needs, permissions, diff ...
void add_deployment_commands(Command root); // svc
void add_feed_command(Command root);        // feed
void add_host_commands(Command root);       // host status, reload, keys
void add_keys_commands(Command root);       // keys new
void add_local_commands(Command root);      // local init
void add_login_commands(Command root);      // login, logout, whoami
void add_plan_commands(Command root);       // plan list, show, accept, reject
void add_plugin_commands(Command root);     // plugin inspect, embed, sign, verify
void add_run_command(Command root);         // plugin run

} // namespace trellis::cli
