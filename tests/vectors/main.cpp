// vectors [--complete] [FILE...]: runs the vector files in $TRELLIS_VECTORS (default: ../shared/vectors beside the
// project), or only the files named. --complete: everything in the folder must run, as for the project's own
// conformance/. See suite.h for what is printed.

#include "http_cases.h"
#include "provision_cases.h"
#include "suite.h"
#include <cstdlib>
#include <iostream>

int main(int argc, char **argv) {
  using namespace trellis::vectors;
  const std::filesystem::path source_root = TRELLIS_SOURCE_ROOT;
  const char *named = std::getenv("TRELLIS_VECTORS");
  const bool given = named && *named;
  Suite suite{given ? std::filesystem::path(named) : source_root.parent_path() / "shared" / "vectors"};
  std::vector<std::string> only(argv + 1, argv + argc);
  if (!only.empty() && only[0] == "--complete") {
    suite.complete = true;
    only.erase(only.begin());
  }

  Registry registry;
  register_contracts(registry);
  register_schema(registry);
  register_wire(registry);
  register_rpc(registry);
  register_events(registry);
  register_feeds(registry);
  register_auth_callout(registry);
  register_replicas(registry);
  register_provision(registry);
  register_resource_configs(registry);
  register_authority_flow(registry);
  register_http_config(registry);
  register_http_derivations(registry);
  register_http_flows(registry);
  return run_suite(registry, suite, only, std::cout);
}
