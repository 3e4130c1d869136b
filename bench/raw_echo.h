// The floor of a request: nats.c answers it with what it got, after checking its proof if it is told to.
#pragma once

#include <nats/nats.h>
#include <string>

namespace trellis::bench {

// In the queue group of its subject's name. `verify`: first one SHA-256 and one Ed25519; a request whose proof is wrong
// gets no answer. The server has the subscription when this returns. Throws std::runtime_error.
natsSubscription *serve_raw_echo(natsConnection *connection, const std::string &subject, bool verify);

} // namespace trellis::bench
