/* Every type of the ABI, reachable from exported symbols, so that libabigail can compare layouts with the baseline. */
#include "../trellis/plugin.h"

TRELLIS_EXPORT extern trellis_plugin_entry abi_entry;
TRELLIS_EXPORT extern trellis_plugin abi_plugin;
TRELLIS_EXPORT extern trellis_host abi_host;
TRELLIS_EXPORT extern trellis_request abi_request;
TRELLIS_EXPORT extern trellis_rpc_call abi_rpc_call;
TRELLIS_EXPORT extern trellis_rpc_reply_fn abi_rpc_reply;
TRELLIS_EXPORT extern trellis_transport_v1 abi_transport;

trellis_plugin_entry abi_entry;
trellis_plugin abi_plugin;
trellis_host abi_host;
trellis_request abi_request;
trellis_rpc_call abi_rpc_call;
trellis_rpc_reply_fn abi_rpc_reply;
trellis_transport_v1 abi_transport;
