/* A service that behaves like a control plane without being named one: it asks for the privileged connections, and
 * offers to validate requests. It logs what it got; the host has to refuse what it offers. */
#include <string.h>
#include <trellis/control_plane.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "acme.pretender@v1",
  "displayName": "Pretender",
  "description": "Offers what only a control plane may.",
  "kind": "service"
});

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static trellis_status validate(void *self, const trellis_validation_request *request,
                               void (*result)(void *context, const trellis_validation *validation), void *context,
                               trellis_error_sink error) {
  (void)self, (void)request, (void)result, (void)context, (void)error;
  return TRELLIS_E_FAILED;
}

static const trellis_validator_v1 validator = {sizeof(trellis_validator_v1), 0, validate};

static const void *get_extension(void *self, trellis_str id) {
  (void)self;
  const size_t size = sizeof(TRELLIS_EXT_VALIDATOR) - 1;
  return id.size == size && memcmp(id.data, TRELLIS_EXT_VALIDATOR, size) == 0 ? &validator : NULL;
}

static const trellis_plugin plugin = {.size = sizeof(trellis_plugin), .get_extension = get_extension};

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  (void)error;
  const trellis_str connections = TEXT(TRELLIS_EXT_CONNECTIONS);
  const trellis_str granted = TEXT("the host gives its connections away"), refused = TEXT("no connections for me");
  const trellis_str no_fields = {NULL, 0};
  host->log(host->self, TRELLIS_LOG_INFO, host->get_extension(host->self, connections) ? granted : refused, no_fields);
  *out = &plugin;
  return TRELLIS_OK;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("pretender"), TEXT("1.0.0"), create};
