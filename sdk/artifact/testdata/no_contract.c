/* An entry and no contract: what `trellis plugin embed` is for. */
#include <trellis/plugin.h>

#define TEXT(literal)                                                                                                  \
  { literal, sizeof(literal) - 1 }

static trellis_status create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error) {
  (void)host, (void)out, (void)error;
  return TRELLIS_E_FAILED;
}

TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, TEXT("bare"), TEXT("1.0.0"), create};
