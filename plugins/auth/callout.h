// The auth callout (03 §6): decide, and answer. Decisions are functions of the stored records and the request; the lane
// with its limiter lives in callout_lane.
#pragma once

#include "callout_request.h"
#include "connections.h"
#include "core.h"
#include "wire/nkeys.h"
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

struct CalloutKeys {
  NkeySeed issuer_signing, target_signing, xkey;
  std::string issuer_account, target_account; // public keys
};

struct CalloutAnswer {
  Bytes payload;       // sealed; empty: the empty reply of 03 §6.1
  bool silent = false; // a passing failure: no answer at all (03 §7.5, ARCHITECTURE §5)
  std::string denial;  // code, "" when allowed
};

class Callout {
public:
  Callout(Core &core, Connections &connections, CalloutKeys keys);
  ~Callout();

  // [thread-safe] 03 §6.1. `server_xkey`: the Nats-Server-Xkey header. nullopt (and a line in the log): only the empty
  // reply fits.
  std::optional<CalloutRequest> decode(std::string_view server_xkey, ByteView payload) const;
  // [thread-safe] [may block] Steps 1 to 4 of 03 §6.7, and what step 5 sends.
  CalloutAnswer answer(const CalloutRequest &request);
  // Both.
  CalloutAnswer handle(std::string_view server_xkey, ByteView payload);

private:
  struct State;
  std::unique_ptr<State> state_;
};

// Subscribes `$SYS.REQ.USER.AUTH`, threads of its own, the limiter of 03 §6.2. What doesn't fit into the queue is
// left unanswered: a denial would end existing clients for good (03 §7.5).
class CalloutLane {
public:
  CalloutLane(Core &core, Callout &callout, Transport &auth);
  // Unsubscribes, then waits for the handlers in flight; says so in the log when that takes more than 5 s.
  ~CalloutLane();
  Result<void> start();

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis::auth
