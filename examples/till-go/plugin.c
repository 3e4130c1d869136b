#include <trellis/go.h>

TRELLIS_GO_PLUGIN("till-go", "1.0.0");
TRELLIS_CONTRACT_FILE("contract.json");
