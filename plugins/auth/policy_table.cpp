#include "policy_table.h"

#include "abi_text.h"

namespace trellis::auth {
namespace {

constexpr std::size_t kThreads = 2;
constexpr std::string_view kBusy =
    R"({"reason":"control_plane_busy","message":"the control plane has too many questions to answer at the moment"})";

} // namespace

PolicyDesk::PolicyDesk(DeploymentAuthority &authority, std::size_t most_waiting)
    : authority_(authority), lane_(kThreads, most_waiting) {}

PolicyDesk::~PolicyDesk() {
  on_change(nullptr, nullptr);
}

void PolicyDesk::bootstrap(std::string_view request, trellis_bootstrap_fn done, void *context) {
  decide([this, request = std::string(request)] { return authority_.bootstrap(request); }, done, context);
}

void PolicyDesk::bootstrap_artifact(std::string_view request, BoundArtifact artifact, trellis_bootstrap_fn done,
                                    void *context) {
  decide([this, request = std::string(request),
          artifact = std::move(artifact)] { return authority_.bootstrap(request, false, artifact); },
         done, context);
}

void PolicyDesk::enroll(std::string_view deployment_id, std::string_view session_key, trellis_bootstrap_fn done,
                        void *context) {
  decide([this, deployment = std::string(deployment_id),
          key = std::string(session_key)] { return authority_.enroll(deployment, key); },
         done, context);
}

void PolicyDesk::decide(Decide decision, trellis_bootstrap_fn done, void *context) {
  const bool accepted = lane_.run([this, decision = std::move(decision), done, context] {
    const auto answer = decision();
    done(context, answer.status, str(answer.body));
    if (refused_.exchange(false)) tell_room();
  });
  if (accepted) return;
  refused_ = true;
  done(context, 503, str(kBusy));
}

void PolicyDesk::tell_room() {
  const std::lock_guard lock(changed_mutex_);
  if (changed_) changed_();
}

void PolicyDesk::on_change(void (*changed)(void *context), void *context) {
  const auto call = changed ? std::function<void()>([changed, context] { changed(context); }) : nullptr;
  authority_.on_change(call); // returns when no earlier callback runs
  const std::lock_guard lock(changed_mutex_);
  changed_ = call;
}

} // namespace trellis::auth
