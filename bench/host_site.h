// A host with any number of plugins that differ in their contracts only: static policy, one server, one caller.
#pragma once

#include "live/live_host.h"
#include "raw_connection.h"
#include "rpc_load.h"
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace trellis::bench {

class HostSite {
public:
  // Starts it; `plugins` of them, numbered from 0.
  explicit HostSite(int plugins);
  ~HostSite();

  std::chrono::duration<double> time_to_ready() const { return time_to_ready_; } // from the program's start on
  std::size_t rss_kb();
  // Requests to these plugins in turn, `window` in flight.
  EchoFigures measure(const std::vector<int> &plugins, std::size_t window, std::size_t count);
  // Opens so many bare connections with JWTs of the same shape, answering on a subject each; the floor of a plugin.
  struct Connections {
    double seconds = 0; // until the server had all subscriptions
    double rss_kb = 0;  // of this process, in all
  };
  Connections open_bare_connections(int count);
  test::LiveHost &host() { return host_; }

private:
  std::string credentials(const std::string &name, std::vector<std::string> publish,
                          std::vector<std::string> subscribe) const;

  test::TempDir folder_;
  test::LiveHost host_;
  std::chrono::duration<double> time_to_ready_{};
  std::unique_ptr<test::Caller> caller_; // its key and its approval; requests go over a raw connection
  std::string client_credentials_;
  RawLoop loop_;
  std::unique_ptr<RawConnection> client_;
};

} // namespace trellis::bench
