// config.jsonc of the control plane: every text is either a configuration whose effective form reads back as the same,
// or an error that names its place.

#include "config.h"
#include "jsonc.h"
#include "require.h"

#include <rapidjson/document.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace trellis;
  const auto text = as_text({data, size});
  fuzz::require(auth::plain_json(text).size() == size);
  const auto config = auth::parse_control_plane_config(
      text, "/etc/trellis/config.jsonc", [](const auto &) -> Result<SecretText> { return SecretText("from a file"); });
  if (!config) {
    fuzz::require(config.error().code == "invalid_config");
    return 0;
  }
  fuzz::require(!config->nats_servers.empty() && !config->redirect_base.empty());
  fuzz::require(parse_json(auth::control_plane_config_json(*config)).has_value());
  return 0;
}
