// http-config.json (vectors README §3.3; 04 §20).
#include "config.h"
#include "http_cases.h"
#include "wire_vectors.h"

namespace trellis::vectors {
namespace {

JsonDocument config(const Input &input, const CaseContext &) {
  const auto no_file = [](const std::filesystem::path &file) -> Result<SecretText> {
    return fail("unreadable", file.string(), "vectors read no files", "");
  };
  const auto parsed = auth::parse_control_plane_config(input.text("text"), input.text("configPath"), no_file);
  if (!parsed) return Output().text("error", "invalid_config").take();
  return Output().json("config", required_json(auth::control_plane_config_json(*parsed))).take();
}

} // namespace

void register_http_config(Registry &registry) {
  registry["http-config"] = {{"config", {config}}};
}

} // namespace trellis::vectors
