#include "wire/app_identity.h"

#include "wire/url.h"

namespace trellis {

AppIdentity app_identity(std::string_view contract_id, std::string_view redirect_to) {
  AppIdentity app{std::string(contract_id), std::nullopt};
  if (const auto url = parse_url(redirect_to)) app.origin = url->origin();
  return app;
}

} // namespace trellis
