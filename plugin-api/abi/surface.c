/* Every type of the ABI, reachable from exported symbols, so that libabigail can compare layouts with the baseline. */
#include <trellis/control_plane.h>
#include <trellis/plugin.h>

TRELLIS_EXPORT extern trellis_plugin_entry abi_entry;
TRELLIS_EXPORT extern trellis_plugin abi_plugin;
TRELLIS_EXPORT extern trellis_host abi_host;
TRELLIS_EXPORT extern trellis_request abi_request;
TRELLIS_EXPORT extern trellis_rpc_call abi_rpc_call;
TRELLIS_EXPORT extern trellis_rpc_reply_fn abi_rpc_reply;
TRELLIS_EXPORT extern trellis_transport_v1 abi_transport;
TRELLIS_EXPORT extern trellis_connections_v1 abi_connections;
TRELLIS_EXPORT extern trellis_policy_v1 abi_policy;
TRELLIS_EXPORT extern trellis_validator_v1 abi_validator;
TRELLIS_EXPORT extern trellis_event_delivery abi_event_delivery;
TRELLIS_EXPORT extern trellis_event_fn abi_event;
TRELLIS_EXPORT extern trellis_feed_request abi_feed_request;
TRELLIS_EXPORT extern trellis_handler abi_handler;
TRELLIS_EXPORT extern trellis_events_v1 abi_events;
TRELLIS_EXPORT extern trellis_feeds_v1 abi_feeds;
TRELLIS_EXPORT extern trellis_metrics_v1 abi_metrics;
TRELLIS_EXPORT extern trellis_health_v1 abi_health;

trellis_plugin_entry abi_entry;
trellis_plugin abi_plugin;
trellis_host abi_host;
trellis_request abi_request;
trellis_rpc_call abi_rpc_call;
trellis_rpc_reply_fn abi_rpc_reply;
trellis_transport_v1 abi_transport;
trellis_connections_v1 abi_connections;
trellis_policy_v1 abi_policy;
trellis_validator_v1 abi_validator;
trellis_event_delivery abi_event_delivery;
trellis_event_fn abi_event;
trellis_feed_request abi_feed_request;
trellis_handler abi_handler;
trellis_events_v1 abi_events;
trellis_feeds_v1 abi_feeds;
trellis_metrics_v1 abi_metrics;
trellis_health_v1 abi_health;
