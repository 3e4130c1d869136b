// The client of bench rpc: signed requests, made beforehand, kept `window` in flight over raw nats.c.
//
// Ours and the floors get the very same messages from the very same client, so only the responder differs.
#pragma once

#include "raw_nats.h"
#include "wire/session_key.h"
#include <cstddef>
#include <string>
#include <vector>

namespace trellis::bench {

// Signed for their subjects at this moment: good for 30 seconds.
struct SignedRequests {
  std::vector<std::string> subjects;
  std::string payload;
  std::string session_key;
  struct One {
    std::string iat, id, proof;
    std::size_t subject = 0;
  };
  std::vector<One> requests;
};
// To these subjects in turn.
SignedRequests sign_requests(const SessionKey &key, const std::vector<std::string> &subjects,
                             const std::string &payload, std::size_t count);

// Sends all of them, the first tenth to warm up. Throws std::runtime_error when one is answered with an error or not
// within 10 s.
EchoFigures measure_requests(natsConnection *connection, const SignedRequests &signed_requests,
                             const std::string &inbox_prefix, std::size_t window);

} // namespace trellis::bench
