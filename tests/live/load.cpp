#include "load.h"

namespace trellis::test {

Load::Load(Caller &caller, int window, std::chrono::milliseconds timeout)
    : caller_(caller), method_(caller.method("acme.echo@v1", "Echo.Say")), timeout_(timeout) {
  for (int i = 0; i < window; ++i)
    threads_.emplace_back([this] { run(); });
}

void Load::stop() {
  stopping_ = true;
  for (auto &thread : threads_)
    thread.join();
  threads_.clear();
}

void Load::run() {
  while (!stopping_) {
    const auto result = caller_.client().call_and_wait(method_, R"({"message":"load"})", {.timeout = timeout_});
    if (result) {
      ++answered_;
      continue;
    }
    ++failed_;
    const std::lock_guard lock(mutex_);
    ++codes_[result.error().envelope.to_json()];
  }
}

std::string Load::failures() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto &[code, count] : codes_)
    out += std::to_string(count) + " x " + code + "\n";
  return out;
}

} // namespace trellis::test
