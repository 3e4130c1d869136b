// Loading a plugin's code (ARCHITECTURE §3): from the sealed memfd that was inspected, never from the path.
//
// dlopen matches by path, and "/proc/self/fd/7" of a closed descriptor would name another file later. So the memfd of
// loaded code stays open for the life of the process, and after loading the entry symbol must lie in an object that
// wasn't mapped before. Code that has run is never unmapped (RTLD_NODELETE): unique symbols, thread-locals and language
// runtimes make that unsafe. What is left behind is bounded by `max_generations`.
#pragma once

#include "artifact/artifact.h"
#include <string>
#include <string_view>
#include <trellis/plugin.h>

namespace trellis::host {

// The entry struct of loaded code, checked: major version, size, create, texts. Lives as long as the process.
struct LoadedCode {
  const trellis_plugin_entry *entry = nullptr;
  std::string program; // entry->name
  std::string version; // entry->version
};

// Maps the code and runs its constructors: only for artifacts that trust and policy have passed. Errors: "load_failed"
// (the loader's text), "load_shared" (an object that was mapped before), "abi_major", "abi_entry".
Result<LoadedCode> load_code(const Artifact &artifact);

// The texts and limits of an entry struct; pure, for the ABI tests. `where` names the plugin file.
Result<LoadedCode> check_entry(const trellis_plugin_entry &entry, std::string_view where);

} // namespace trellis::host
