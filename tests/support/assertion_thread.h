// Catch2 takes assertions from one thread at a time, and doesn't notice when it gets them from two: it breaks now and
// then. So a test asserts on the thread that runs it; others hand their findings over. An assertion elsewhere ends the
// program with a message, in every run.
#pragma once

#include <thread>

namespace trellis::test {

// Lets this thread assert, while the test's own one waits for its end.
class AssertionsHere {
public:
  AssertionsHere();
  ~AssertionsHere();
  AssertionsHere(const AssertionsHere &) = delete;
  AssertionsHere &operator=(const AssertionsHere &) = delete;

private:
  const std::thread::id before_;
};

} // namespace trellis::test
