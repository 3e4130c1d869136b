#include "callout_limiter.h"

#include <catch2/catch_test_macros.hpp>

using trellis::auth::CalloutLimiter;
using Entry = CalloutLimiter::Entry;
using Tickets = std::vector<CalloutLimiter::Ticket>;

TEST_CASE("by default 32 are admitted at once, 8 of one address and 16 of one server") {
  CalloutLimiter limiter;
  CalloutLimiter::Ticket ticket = 0;
  for (int i = 0; i < 8; ++i)
    CHECK(limiter.enter(++ticket, "ip1", "n1") == Entry::admitted);
  CHECK(limiter.enter(++ticket, "ip1", "n1") == Entry::waiting);
  for (int i = 0; i < 8; ++i)
    CHECK(limiter.enter(++ticket, "ip2", "n1") == Entry::admitted);
  CHECK(limiter.enter(++ticket, "ip3", "n1") == Entry::waiting); // 16 of n1
  for (int i = 0; i < 16; ++i)
    CHECK(limiter.enter(++ticket, "n2-" + std::to_string(i), "n2") == Entry::admitted);
  CHECK(limiter.enter(++ticket, "ip9", "n3") == Entry::waiting); // 32 in all
  CHECK(limiter.admitted() == 32);
  CHECK(limiter.waiting() == 3);
}

TEST_CASE("a full queue refuses, also one that only its own address keeps waiting") {
  CalloutLimiter limiter({.concurrent = 1, .per_client_ip = 1, .per_server = 1, .waiting = 2});
  CHECK(limiter.enter(1, "a", "n") == Entry::admitted);
  CHECK(limiter.enter(2, "a", "n") == Entry::waiting);
  CHECK(limiter.enter(3, "b", "n") == Entry::waiting);
  CHECK(limiter.enter(4, "c", "n") == Entry::refused);
  CHECK(limiter.leave(1) == Tickets{2});
  CHECK(limiter.enter(5, "c", "n") == Entry::waiting);
}

TEST_CASE("an address that floods doesn't block others behind it") {
  CalloutLimiter limiter({.concurrent = 4, .per_client_ip = 1, .per_server = 4, .waiting = 16});
  CHECK(limiter.enter(1, "flood", "n") == Entry::admitted);
  for (CalloutLimiter::Ticket ticket = 2; ticket <= 5; ++ticket)
    CHECK(limiter.enter(ticket, "flood", "n") == Entry::waiting);
  CHECK(limiter.enter(6, "other", "n") == Entry::admitted);
  CHECK(limiter.enter(7, "other", "n") == Entry::waiting);
  CHECK(limiter.leave(6) == Tickets{7});
  CHECK(limiter.leave(1) == Tickets{2});
  CHECK(limiter.leave(7).empty());
}

TEST_CASE("one release admits every waiter that now fits, in the order of the queue") {
  CalloutLimiter limiter({.concurrent = 3, .per_client_ip = 2, .per_server = 2, .waiting = 16});
  CHECK(limiter.enter(1, "a", "n1") == Entry::admitted);
  CHECK(limiter.enter(2, "b", "n1") == Entry::admitted);
  CHECK(limiter.enter(3, "c", "n1") == Entry::waiting);
  CHECK(limiter.enter(4, "c", "n2") == Entry::admitted);
  CHECK(limiter.enter(5, "d", "n2") == Entry::waiting);
  CHECK(limiter.enter(6, "e", "n1") == Entry::waiting);
  CHECK(limiter.leave(4) == Tickets{5}); // n1 is still full
  CHECK(limiter.leave(1) == Tickets{3});
  CHECK(limiter.leave(2) == Tickets{6});
}

TEST_CASE("who isn't inside leaves nothing behind") {
  CalloutLimiter limiter;
  CHECK(limiter.leave(7).empty());
  CHECK(limiter.enter(7, "", "") == Entry::admitted);
  CHECK(limiter.leave(7).empty());
  CHECK(limiter.leave(7).empty());
  CHECK(limiter.admitted() == 0);
}
