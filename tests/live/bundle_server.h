// A written bundle with a nats-server that runs on its nats.conf as it is.
//
// NatsServer (tests/support) writes a configuration of its own; here the generated one is what is tested, so the port
// is chosen beforehand, and another one when somebody took it meanwhile.
#pragma once

#include "support/process.h"
#include "support/temp_dir.h"
#include <memory>

namespace trellis::test {

class BundleServer {
public:
  BundleServer(); // throws when the server doesn't start

  const TempDir &dir() const { return dir_; }
  std::filesystem::path bundle() const { return dir_ / "bundle"; }
  const std::string &url() const { return url_; }

private:
  void start();

  TempDir dir_;
  std::string url_;
  std::unique_ptr<Process> server_;
};

} // namespace trellis::test
