// An isolated plugin's process: sandbox first, then the plugin's code, then frames until the host is gone.
//
// The main thread reads and hands out, and never runs code of the plugin: that it answers pings says that the process
// lives. Handlers, events, feeds and health checks run on max_concurrency threads, lifecycle functions on one of their
// own, answers to asynchronous calls on another.
#pragma once

#include "contracts/result.h"
#include <functional>
#include <string>
#include <string_view>
#include <trellis/plugin.h>

namespace trellis::isolation {

// What the host checks about an entry struct; the same for code in its own process.
using EntryCheck = std::function<Result<void>(const trellis_plugin_entry &entry, std::string_view where)>;

// For main() when argv[1] is kChildArgument. Never returns.
[[noreturn]] void run_child(const std::string &plugin, const EntryCheck &check_entry);

} // namespace trellis::isolation
