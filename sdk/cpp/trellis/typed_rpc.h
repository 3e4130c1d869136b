// One typed call on top of RpcCaller, for the .cpp files of generated clients. Includes RapidJSON.
#pragma once

#include "trellis/json_reader.h"
#include "trellis/json_writer.h"
#include "trellis/rpc_caller.h"

namespace trellis {

inline RpcFailure unfit(std::string_view what, const json::Problem &problem) {
  return {RpcFailure::Origin::local, 0, "ValidationError", std::string(what) + problem.text(), "{}", "{}"};
}

// `Result` is an RpcResult<Out, ...>.
template <class Out, class Result>
Result typed_result(const RpcCaller::Text &text) {
  if (!text) return text.failure();
  auto output = json::decode<Out>(*text);
  if (!output) return unfit("the output doesn't fit its type: ", output.problem());
  return std::move(*output);
}

// `Rpc` is a generated descriptor: kContract, kName, Input, Output, Result.
template <class Rpc>
typename Rpc::Result call_typed(RpcCaller &caller, const typename Rpc::Input &input,
                                std::chrono::milliseconds timeout) {
  const auto text = json::encode(input);
  if (!text) return unfit("the input: ", text.problem());
  return typed_result<typename Rpc::Output, typename Rpc::Result>(
      caller.call_rpc({Rpc::kContract, Rpc::kName}, *text, timeout));
}

template <class Rpc>
void call_typed_async(RpcCaller &caller, const typename Rpc::Input &input,
                      std::function<void(typename Rpc::Result)> on_result, std::chrono::milliseconds timeout) {
  const auto text = json::encode(input);
  if (!text) return on_result(unfit("the input: ", text.problem()));
  caller.call_rpc_async({Rpc::kContract, Rpc::kName}, *text, timeout,
                        [on_result = std::move(on_result)](const RpcCaller::Text &answer) {
                          on_result(typed_result<typename Rpc::Output, typename Rpc::Result>(answer));
                        });
}

} // namespace trellis
