// Built without -fno-gnu-unique and with default visibility: an inline variable becomes a unique symbol.
#include <trellis/plugin.h>

TRELLIS_CONTRACT({"format": "trellis.contract.v1", "id": "acme.unique@v1", "displayName": "Unique", "kind": "service",
  "description": "Has a unique symbol."});

template <class T>
struct Counter {
  static inline int value = 0;
};

static trellis_status create(const trellis_host *, const trellis_plugin **, trellis_error_sink) {
  return ++Counter<int>::value;
}

extern "C" TRELLIS_EXPORT const trellis_plugin_entry trellis_plugin_entry_v1 = {
    sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, {"unique", 6}, {"1", 1}, create};
