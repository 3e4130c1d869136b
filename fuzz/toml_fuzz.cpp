// trellis.toml: every text is either a configuration within its ranges, or an error that names its place.
//
// Only short texts: a long dotted key makes toml++ nest tables until its destructor runs out of stack. The file is the
// operator's own, so that is no way in.

#include "host_config/config.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace trellis;
  if (size > 4096) return 0;
  const auto config = host::parse_config(as_text({data, size}), "dir/t.toml");
  if (!config) {
    fuzz::require(config.error().code.starts_with("config_") && config.error().where.starts_with("dir/t.toml"));
    return 0;
  }
  fuzz::require(!config->nats_servers.empty() && !config->state_dir.empty());
  for (const auto &plugin : config->plugins) {
    fuzz::require(!plugin.config.table || !host::wrong_setting(*plugin.config.table));
    fuzz::require(plugin.limits.queue >= 1 && plugin.limits.max_concurrency >= 1);
  }
  return 0;
}
