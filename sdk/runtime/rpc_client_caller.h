// Lets a program use generated clients (trellis-generate) on its RpcClient.
//
//   RpcClientCaller calls(client);
//   if (auto added = calls.add(*Manifest::parse(acme::echo::contract_text())); !added) ...
//   const auto said = acme::echo::Client(calls).echo_say({.message = "hello"});
//
// Header only: a program that has no generated client compiles nothing of it. Includes sdk/cpp, which must be among the
// include paths.
#pragma once

#include "contracts/manifest.h"
#include "runtime/rpc_client.h"
#include "runtime/rpc_method.h"
#include <map>
#include <string>
#include <trellis/rpc_caller.h>
#include <utility>

namespace trellis {

// Filled before its first call and not changed afterwards; then [thread-safe] as RpcClient is. The client must outlive
// it, and it must outlive its calls.
class RpcClientCaller : public RpcCaller {
public:
  explicit RpcClientCaller(RpcClient &client) : client_(client) {}

  // Makes the contract's rpcs callable. Errors: those of compile_rpc.
  Result<void> add(const Manifest &manifest) {
    if (!manifest.model().rpc) return {};
    for (const auto &[name, rpc] : *manifest.model().rpc) {
      auto method = compile_rpc(manifest, name);
      if (!method) return tl::make_unexpected(std::move(method.error()));
      methods_.insert_or_assign({manifest.id(), name}, std::move(*method));
    }
    return {};
  }

  // [may block]
  Text call_rpc(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout) override {
    const auto *method = find(rpc);
    if (!method) return unknown(rpc);
    return text_of_result(client_.call_and_wait(*method, input, options(timeout)));
  }

  void call_rpc_async(const RpcName &rpc, std::string_view input, std::chrono::milliseconds timeout,
                      OnText on_text) override {
    const auto *method = find(rpc);
    if (!method) return on_text(unknown(rpc));
    client_.call(*method, input, options(timeout),
                 [on_text = std::move(on_text)](CallResult result) { on_text(text_of_result(std::move(result))); });
  }

private:
  const RpcMethod *find(const RpcName &rpc) const {
    const auto found = methods_.find({std::string(rpc.contract_id), std::string(rpc.name)});
    return found == methods_.end() ? nullptr : &found->second;
  }

  static RpcFailure unknown(const RpcName &rpc) {
    RpcFailure failure;
    failure.type = "UnexpectedError";
    failure.message =
        "contract " + std::string(rpc.contract_id) + " was not added, or has no rpc " + std::string(rpc.name);
    return failure;
  }

  static CallOptions options(std::chrono::milliseconds timeout) {
    CallOptions out;
    if (timeout.count() > 0) out.timeout = timeout;
    return out;
  }

  static Text text_of_result(CallResult result) {
    if (result) return std::move(*result);
    auto &error = result.error();
    RpcFailure failure;
    failure.origin = error.local ? RpcFailure::Origin::local : RpcFailure::Origin::remote;
    failure.type = std::move(error.envelope.type);
    failure.message = std::move(error.envelope.message);
    failure.fields = std::move(error.envelope.fields);
    failure.context = std::move(error.envelope.context);
    return failure;
  }

  RpcClient &client_;
  std::map<std::pair<std::string, std::string>, RpcMethod> methods_;
};

} // namespace trellis
