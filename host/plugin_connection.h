// The NATS connections that a plugin gets as a principal of its own: credentials from policy, and what it is told when
// a server refuses them.
#pragma once

#include "nats/nats_transport.h"
#include <string>

namespace trellis {
class Manifest;
class SessionKey;
} // namespace trellis

namespace trellis::host {

struct HostParts;
struct PluginConfig;

// `use`: "rpc" or "stream" (ARCHITECTURE §5). What is passed must outlive the connection.
NatsOptions plugin_connection(const HostParts &host, const PluginConfig &config, const Manifest &contract,
                              const SessionKey &key, std::string use);

// One line of the log for a connection's problem or change of state. `connection`: which one, "" for the only one.
void log_connection_problem(const HostParts &host, const PluginConfig &config, const Error &problem);
void log_connection_state(const HostParts &host, const PluginConfig &config, std::string_view connection,
                          ConnectionState state, const std::string &detail);

} // namespace trellis::host
