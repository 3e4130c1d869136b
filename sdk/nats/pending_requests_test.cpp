#include "nats/pending_requests.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace std::chrono_literals;
using Time = PendingRequests::Time;

namespace {

PendingRequest request_until(Time deadline, std::string subject = "a") {
  return {std::move(subject), [](auto) {}, deadline, ConnectionUse()};
}

const Time kStart{};

} // namespace

TEST_CASE("a request is taken once") {
  PendingRequests pending;
  auto request = request_until(kStart + 5s);
  const auto added = pending.add(request);
  REQUIRE(added);
  CHECK(added->earliest);
  CHECK(pending.take(added->token));
  CHECK_FALSE(pending.take(added->token));
  CHECK_FALSE(pending.next_deadline());
}

TEST_CASE("the nearest deadline is known whatever the order of the requests") {
  PendingRequests pending;
  auto late = request_until(kStart + 9s);
  auto early = request_until(kStart + 1s);
  auto middle = request_until(kStart + 5s);
  CHECK(pending.add(late)->earliest);
  CHECK(pending.add(early)->earliest);
  CHECK_FALSE(pending.add(middle)->earliest);
  CHECK(pending.next_deadline() == kStart + 1s);
  CHECK(pending.take_expired(kStart + 5s).size() == 2);
  CHECK(pending.next_deadline() == kStart + 9s);
}

TEST_CASE("a refusal takes all requests to its subject and no other") {
  PendingRequests pending;
  auto first = request_until(kStart + 1s, "denied");
  auto second = request_until(kStart + 2s, "denied");
  auto other = request_until(kStart + 3s, "allowed");
  pending.add(first);
  pending.add(second);
  pending.add(other);
  CHECK(pending.take_refused("denied", nullptr).size() == 2);
  CHECK(pending.take_refused("denied", nullptr).empty());
  CHECK(pending.next_deadline() == kStart + 3s);
}

TEST_CASE("closing hands out what is left and lets nothing in") {
  PendingRequests pending;
  auto request = request_until(kStart + 1s);
  pending.add(request);
  CHECK(pending.close().size() == 1);
  auto late = request_until(kStart + 1s, "late");
  CHECK_FALSE(pending.add(late));
  CHECK(late.subject == "late"); // untouched
}
