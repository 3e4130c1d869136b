#include "authority_context.h"

namespace trellis::auth {

DeploymentLocks::Hold DeploymentLocks::hold(std::string_view deployment_id) {
  std::shared_ptr<std::mutex> mutex;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(locks_, [](const auto &entry) { return entry.second.expired(); });
    auto &slot = locks_[std::string(deployment_id)];
    mutex = slot.lock();
    if (!mutex) slot = mutex = std::make_shared<std::mutex>();
  }
  return Hold(std::move(mutex));
}

void ChangeSignal::set(std::function<void()> changed) {
  std::unique_lock lock(mutex_);
  changed_ = std::move(changed);
  none_running_.wait(lock, [this] { return running_ == 0; });
}

void ChangeSignal::operator()() {
  std::function<void()> changed;
  {
    const std::lock_guard lock(mutex_);
    if (!changed_) return;
    changed = changed_;
    ++running_;
  }
  changed();
  const std::lock_guard lock(mutex_);
  if (--running_ == 0) none_running_.notify_all();
}

tl::unexpected<Error> invalid(std::string where, std::string message, Details details) {
  auto error = fail("validation", std::move(where), std::move(message));
  error.value().details = std::move(details);
  return error;
}

tl::unexpected<Error> refused(std::string reason, std::string message, Details details) {
  auto error = fail("auth", std::move(reason), std::move(message));
  error.value().details = std::move(details);
  return error;
}

void log_change(const AuthorityContext &context, Level level, std::string_view message, std::string_view fields) {
  if (context.core.log) context.core.log(level, message, fields);
}

} // namespace trellis::auth
