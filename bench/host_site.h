// A host with any number of plugins that differ in their contracts only: static policy, one server, one caller.
#pragma once

#include "live/live_host.h"
#include "raw_connection.h"
#include "rpc_load.h"
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trellis::bench {

// Bare connections with JWTs of the same shape as a plugin's, each echoing on a subject of its own (raw_echo.h): the
// floor of a plugin.
class BareConnections {
public:
  BareConnections(const std::string &url, const std::vector<std::string> &subjects,
                  const std::function<std::string(const std::string &subject)> &credentials);
  ~BareConnections();
  double seconds() const { return seconds_; } // until the server had all subscriptions
  double rss_kb() const { return rss_kb_; }   // of this process, in all

private:
  RawLoop loop_;
  std::vector<std::unique_ptr<RawConnection>> connections_;
  std::vector<natsSubscription *> subscriptions_;
  double seconds_ = 0, rss_kb_ = 0;
};

class HostSite {
public:
  // Starts it; `plugins` of them, numbered from 0.
  explicit HostSite(int plugins);
  ~HostSite();

  std::chrono::duration<double> time_to_ready() const { return time_to_ready_; } // from the program's start on
  std::size_t rss_kb();
  // Requests to these plugins in turn, `window` in flight.
  EchoFigures measure(const std::vector<int> &plugins, std::size_t window, std::size_t count);
  std::unique_ptr<BareConnections> open_bare_connections(int count);
  // The same requests to those of them.
  EchoFigures measure_bare(const std::vector<int> &connections, std::size_t window, std::size_t count);
  test::LiveHost &host() { return host_; }

private:
  EchoFigures measure_subjects(const std::vector<std::string> &subjects, std::size_t window, std::size_t count);
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
