#include "assertion_thread.h"

#include <atomic>
#include <catch2/interfaces/catch_interfaces_reporter.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
#include <cstdio>
#include <cstdlib>

namespace trellis::test {
namespace {

std::atomic<std::thread::id> asserting; // of the running test

class AssertionThread : public Catch::EventListenerBase {
public:
  using EventListenerBase::EventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo &) override { asserting = std::this_thread::get_id(); }
  void assertionStarting(const Catch::AssertionInfo &info) override {
    if (asserting == std::this_thread::get_id()) return;
    std::fprintf(stderr, "%s:%zu: an assertion on another thread than the test's (tests/support/assertion_thread.h)\n",
                 info.lineInfo.file, info.lineInfo.line);
    std::abort();
  }
};

} // namespace

AssertionsHere::AssertionsHere() : before_(asserting.exchange(std::this_thread::get_id())) {}
AssertionsHere::~AssertionsHere() {
  asserting = before_;
}

CATCH_REGISTER_LISTENER(AssertionThread)

} // namespace trellis::test
