/* A contract, and no entry symbol that a loader could find. */
#include <trellis/plugin.h>

TRELLIS_CONTRACT({"format": "trellis.contract.v1", "id": "acme.none@v1", "displayName": "None", "kind": "service",
  "description": "Has no entry."});

TRELLIS_EXPORT int something_else(void);
int something_else(void) {
  return 1;
}
