#include "plugin_connection.h"

#include "contracts/manifest.h"
#include "generation.h"

namespace trellis::host {

NatsOptions plugin_connection(const HostParts &host, const PluginConfig &config, const Manifest &contract,
                              const SessionKey &key, std::string use) {
  const bool is_first = use == "rpc";
  NatsOptions options;
  options.servers = host.config.nats_servers;
  options.name = host.config.name + "/" + config.name + (is_first ? "" : "/" + use);
  options.inbox_prefix = key.inbox_prefix();
  options.backoff_max = host.config.connect_retry_max;
  options.credentials = [&host, &config, &contract, &key, use] {
    auto credentials = host.policy.credentials(key, contract.digest(), use);
    if (credentials)
      host.log.write(LogLevel::debug, "credentials issued",
                     {{"plugin", config.name}, {"use", use}, {"expires", credentials->expires_at.value_or(0)}});
    return credentials;
  };
  options.on_state = [&host, &config, name = is_first ? std::string() : use](ConnectionState state,
                                                                             const std::string &detail) {
    log_connection_state(host, config, name, state, detail);
  };
  options.on_problem = [&host, &config, &contract, &key](const Error &problem) {
    log_connection_problem(host, config, problem);
    const bool refused = problem.code == connect_error::kDenied;
    if (refused) host.policy.connection_denied(key, contract.digest());
    if (refused || problem.code == "policy_denied") host.on_denied(config.name);
  };
  return options;
}

void log_connection_problem(const HostParts &host, const PluginConfig &config, const Error &problem) {
  host.log.warn(
      problem.code == transport_error::kDenied ? "refused by the NATS server: outside the contract"
                                               : "connection problem",
      {{"plugin", config.name}, {"code", problem.code}, {"subject", problem.where}, {"detail", problem.message}});
}

void log_connection_state(const HostParts &host, const PluginConfig &config, std::string_view connection,
                          ConnectionState state, const std::string &detail) {
  if (state == ConnectionState::connected)
    host.log.info("connected", {{"plugin", config.name}, {"connection", connection}, {"server", detail}});
  else if (state == ConnectionState::disconnected)
    host.log.warn("disconnected; connecting again",
                  {{"plugin", config.name}, {"connection", connection}, {"detail", detail}});
}

} // namespace trellis::host
