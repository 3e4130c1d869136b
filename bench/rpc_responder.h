// The floors of bench rpc: an echo responder in a process of its own, as the host is one.
#pragma once

#include "raw_nats.h"
#include <string>

namespace trellis::bench {

struct ResponderArguments {
  bool verify = false; // check each request's proof before answering: one SHA-256, one Ed25519
  RawMode mode;        // threads: connections in one queue group, each with a thread of its own
  std::string url, credentials_file, subject;
};

// Serves until stdin ends; writes a line to stdout when it listens.
int run_responder(const ResponderArguments &arguments);

} // namespace trellis::bench
