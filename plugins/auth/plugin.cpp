// The control plane as a plugin: the entry symbol, the lifecycle, and the tables of control_plane.h.
//
// Everything with state is in ControlPlane, which exists from start to stop. Before and after, the host's questions get
// "not running", so no function here depends on the host's order of calls for its safety. No exception leaves.
#include "abi_host.h"
#include "abi_text.h"
#include "builtin_contracts.h"
#include "control_plane.h"
#include "rpc_table.h"
#include "validator_table.h"
#include <exception>
#include <memory>
#include <rapidjson/document.h>
#include <shared_mutex>
#include <trellis/control_plane.h>
#include <utility>

#ifndef TRELLIS_VERSION
#error "the build says which version this is"
#endif

namespace trellis::auth {
namespace {

constexpr std::string_view kNotRunning =
    R"({"reason":"control_plane_starting","message":"the control plane isn't running"})";

class Plugin {
public:
  Plugin(const trellis_host &host, std::vector<Manifest> builtin)
      : host_(host), builtin_(std::move(builtin)), handlers_(all_rpc_handlers()),
        table_(builtin_, handlers_, &Plugin::serve) {
    abi_ = {sizeof(trellis_plugin), table_.size(),         this, table_.entries(), &Plugin::start, &Plugin::stop,
            &Plugin::destroy,       &Plugin::get_extension};
  }

  static trellis_status create(const trellis_host *host, const trellis_plugin **out,
                               trellis_error_sink error) noexcept {
    auto builtin = builtin_contracts();
    if (!builtin) {
      report(error, builtin.error());
      return TRELLIS_E_FAILED;
    }
    *out = &std::make_unique<Plugin>(*host, std::move(*builtin)).release()->abi_; // destroy takes it back
    return TRELLIS_OK;
  }

private:
  static Plugin &of(void *self) { return *static_cast<Plugin *>(self); }

  // Runs `use` on the control plane, or `otherwise` when there is none. The lock keeps it there meanwhile.
  template <class Use, class Otherwise>
  auto with(Use use, Otherwise otherwise) {
    const std::shared_lock lock(mutex_);
    return running_ ? use(*running_) : otherwise();
  }

  static trellis_status start(void *self, trellis_error_sink error) noexcept {
    auto &plugin = of(self);
    auto made = ControlPlane::start(plugin.host_, plugin.builtin_);
    if (!made) {
      report(error, made.error());
      return TRELLIS_E_FAILED;
    }
    const std::unique_lock lock(plugin.mutex_);
    plugin.running_ = std::move(*made);
    return TRELLIS_OK;
  }

  static trellis_status stop(void *self, std::int64_t, trellis_error_sink) noexcept {
    auto &plugin = of(self);
    std::unique_ptr<ControlPlane> ended;
    {
      const std::unique_lock lock(plugin.mutex_);
      ended = std::move(plugin.running_);
    }
    return TRELLIS_OK; // ends it, without the lock
  }

  static void destroy(void *self) noexcept { const std::unique_ptr<Plugin> ended(&of(self)); }

  static const void *get_extension(void *, trellis_str id) noexcept {
    static constexpr trellis_policy_v1 kPolicy{sizeof(trellis_policy_v1), 0,
                                               &Plugin::bootstrap,        &Plugin::enroll,
                                               &Plugin::on_change,        &Plugin::surfaces_ready,
                                               &Plugin::jwt_life_ms,      &Plugin::bootstrap_artifact};
    static constexpr trellis_validator_v1 kValidator{sizeof(trellis_validator_v1), 0, &Plugin::validate};
    if (view(id) == TRELLIS_EXT_POLICY) return &kPolicy;
    return view(id) == TRELLIS_EXT_VALIDATOR ? &kValidator : nullptr;
  }

  // -------------------------------------------------------------------------------------------------------- policy

  static void bootstrap(void *self, trellis_str request, trellis_bootstrap_fn done, void *context) noexcept {
    of(self).with([&](ControlPlane &running) { running.policy().bootstrap(view(request), done, context); },
                  [&] { done(context, 503, str(kNotRunning)); });
  }

  static void bootstrap_artifact(void *self, trellis_str request, trellis_str sha256, trellis_str signer,
                                 trellis_bootstrap_fn done, void *context) noexcept {
    of(self).with(
        [&](ControlPlane &running) {
          running.policy().bootstrap_artifact(view(request), {std::string(view(sha256)), std::string(view(signer))},
                                              done, context);
        },
        [&] { done(context, 503, str(kNotRunning)); });
  }

  static void enroll(void *self, trellis_str deployment_id, trellis_str session_key, trellis_bootstrap_fn done,
                     void *context) noexcept {
    of(self).with(
        [&](ControlPlane &running) { running.policy().enroll(view(deployment_id), view(session_key), done, context); },
        [&] { done(context, 503, str(kNotRunning)); });
  }

  static void on_change(void *self, void (*changed)(void *context), void *context) noexcept {
    of(self).with([&](ControlPlane &running) { running.policy().on_change(changed, context); }, [] {});
  }

  static trellis_status surfaces_ready(void *self, trellis_error_sink error) noexcept {
    return of(self).with(
        [&](ControlPlane &running) -> trellis_status {
          if (const auto opened = running.open_doors(); !opened) {
            report(error, opened.error());
            return TRELLIS_E_FAILED;
          }
          return TRELLIS_OK;
        },
        [] { return trellis_status{TRELLIS_E_UNAVAILABLE}; });
  }

  static std::int64_t jwt_life_ms(void *self) noexcept {
    return of(self).with([](ControlPlane &running) { return running.jwt_life_ms(); }, [] { return std::int64_t{0}; });
  }

  // ----------------------------------------------------------------------------------------------- validator, RPCs

  static trellis_status validate(void *self, const trellis_validation_request *request,
                                 void (*result)(void *, const trellis_validation *), void *context,
                                 trellis_error_sink error) noexcept {
    return of(self).with(
        [&](ControlPlane &running) {
          return validate_for_host(running.validation(), running.core_digest(), request, result, context, error);
        },
        [] { return trellis_status{TRELLIS_E_UNAVAILABLE}; });
  }

  static void serve(void *self, const trellis_request *request) noexcept {
    auto &plugin = of(self);
    plugin.with([&](ControlPlane &running) { plugin.answer(running, *request); },
                [&] { plugin.host_.release(plugin.host_.self, request->call); });
  }

  // The request's texts are gone once it is answered, so the call's handle is kept apart.
  void answer(ControlPlane &running, const trellis_request &request) const {
    const auto call = request.call;
    const RpcRequest rpc{view(request.surface), view(request.input), view(request.caller), view(request.session_key),
                         view(request.request_id)};
    const auto handler = handlers_.find(rpc.name);
    if (handler == handlers_.end()) return static_cast<void>(host_.release(host_.self, call));
    auto outcome = [&]() -> RpcOutcome {
      try {
        return handler->second(running.rpcs(), rpc);
      } catch (const std::exception &problem) { // a bug of ours; what the database reports comes as a Result
        return tl::make_unexpected(unexpected_error(problem.what()));
      }
    }();
    if (!outcome) return fail_call(call, outcome.error());
    host_.complete(host_.self, call, str(outcome->output));
    if (outcome->after) outcome->after();
  }

  void fail_call(trellis_call call, const ErrorEnvelope &error) const {
    // UnexpectedError says its cause in the context; the host puts the message there.
    const auto context = parse_json(error.context);
    const auto cause = context ? string_member(*context, "causeMessage") : std::string_view{};
    const bool is_unexpected = error.type == "UnexpectedError";
    const trellis_error out{
        sizeof(trellis_error), 0,
        str(error.type),       str(is_unexpected && !cause.empty() ? cause : std::string_view(error.message)),
        str(error.context),    str(error.fields)};
    host_.fail(host_.self, call, &out);
  }

  const trellis_host &host_;
  const std::vector<Manifest> builtin_;
  const RpcHandlers handlers_;
  const HandlerTable table_;
  trellis_plugin abi_{};
  std::shared_mutex mutex_; // held shared while running_ is used; guards it
  std::unique_ptr<ControlPlane> running_;
};

} // namespace
} // namespace trellis::auth

extern "C" {
TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;
const trellis_plugin_entry trellis_plugin_entry_v1 = {sizeof(trellis_plugin_entry),
                                                      TRELLIS_ABI_MAJOR,
                                                      TRELLIS_ABI_MINOR,
                                                      0,
                                                      {"trellis-auth", 12},
                                                      {TRELLIS_VERSION, sizeof(TRELLIS_VERSION) - 1},
                                                      &trellis::auth::Plugin::create};
}
