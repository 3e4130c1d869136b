#include "rpc_table.h"

#include "abi_text.h"

namespace trellis::auth {
namespace {

// 05 §1: the jobs contract is served by the jobs service, an ordinary deployment; health has no rpc.
bool served_elsewhere(std::string_view contract_id) {
  return contract_id == "trellis.jobs@v1";
}

} // namespace

RpcHandlers all_rpc_handlers() {
  RpcHandlers handlers;
  add_session_rpcs(handlers);
  add_authority_rpcs(handlers);
  add_core_rpcs(handlers);
  return handlers;
}

HandlerTable::HandlerTable(const std::vector<Manifest> &contracts, const RpcHandlers &handlers, trellis_rpc_fn serve) {
  for (const auto &contract : contracts) {
    const auto &rpc = contract.model().rpc;
    if (!rpc || served_elsewhere(contract.id())) continue;
    for (const auto &[name, surface] : *rpc)
      names_.emplace_back(contract.id(), name);
  }
  for (const auto &[contract_id, name] : names_)
    handlers_.push_back({sizeof(trellis_handler),
                         TRELLIS_SURFACE_RPC,
                         str(contract_id),
                         str(name),
                         handlers.contains(name) ? serve : nullptr,
                         nullptr,
                         {},
                         {},
                         nullptr,
                         nullptr});
  for (const auto &handler : handlers_)
    pointers_.push_back(&handler);
}

} // namespace trellis::auth
