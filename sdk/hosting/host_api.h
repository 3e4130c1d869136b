// The host's functions for one running plugin: trellis_host and its extensions, as plugin.h specifies them.
//
// One object per instance, alive from before create until after destroy (for ever when a handler got stuck). The parts
// behind the functions come in later than create, so before `connect` requests can't be sent and calls don't exist.
#pragma once

#include "host_config/plugin_settings.h"
#include "hosting/calls.h"
#include "hosting/outgoing.h"
#include "log/log.h"
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <trellis/plugin.h>

namespace trellis {
class PluginMetrics;
class FeedStreams;
class EventPublishing;
class RpcClient;
class Transport;
} // namespace trellis

namespace trellis::host {

class PrivilegedConnections;

class HostApi {
public:
  // `settings`: the plugin's table, nullptr for an empty one; `identity_json`: what trellis_host::identity yields;
  // `connections`: for the control plane alone, otherwise nullptr.
  HostApi(const Log &log, std::string plugin, std::shared_ptr<const PluginSettings> settings, std::string identity_json,
          PluginMetrics &metrics, PrivilegedConnections *connections);
  HostApi(const HostApi &) = delete;
  HostApi &operator=(const HostApi &) = delete;

  const trellis_host *table() const { return &table_; }

  // What the functions act on; all must outlive this object. Called once, before the first request.
  struct Parts {
    Calls *calls = nullptr;
    Outgoing *outgoing = nullptr;
    RpcClient *client = nullptr;
    Transport *transport = nullptr;
    EventPublishing *events = nullptr;
    FeedStreams *feeds = nullptr; // of a plugin that has feeds
  };
  void connect(Parts parts);
  // [thread-safe] nullptr before connect. For the functions of extensions.
  const Parts *parts() const { return connected_.load() ? &parts_ : nullptr; }

  // For an extension, whose functions get the same `self`: nullptr before connect.
  static EventPublishing *events_of(void *self);

private:
  struct Functions; // the C functions
  const Log &log_;
  const std::string plugin_;
  const std::shared_ptr<const PluginSettings> settings_; // shared, so that its secrets are in one place
  const std::string identity_json_;
  PluginMetrics &metrics_;
  PrivilegedConnections *const connections_;
  trellis_host table_{};
  Parts parts_;
  std::atomic<bool> connected_ = false; // publishes parts_ to the plugin's threads
};

// A plugin's report to one of our error sinks: keeps the last one as text.
class ErrorText {
public:
  trellis_error_sink sink();
  // "type: message", or `otherwise` when nothing was reported.
  std::string text(std::string_view otherwise) const;

private:
  std::string type_, message_;
};

} // namespace trellis::host
