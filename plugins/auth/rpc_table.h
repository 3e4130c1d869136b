// The control plane's RPCs: which function serves which name, and the handler table that the host gets.
#pragma once

#include "contracts/manifest.h"
#include "rpc_call.h"
#include <map>
#include <string>
#include <string_view>
#include <trellis/plugin.h>
#include <vector>

namespace trellis::auth {

// By name. One function an area; each area is one file.
using RpcHandlers = std::map<std::string_view, RpcHandler>;
void add_session_rpcs(RpcHandlers &handlers);
void add_authority_rpcs(RpcHandlers &handlers);
void add_core_rpcs(RpcHandlers &handlers);
RpcHandlers all_rpc_handlers();

// An entry for each rpc of the contracts that this control plane serves itself; without a function where this version
// doesn't serve it yet. `serve` is called for all of them.
class HandlerTable {
public:
  HandlerTable(const std::vector<Manifest> &contracts, const RpcHandlers &handlers, trellis_rpc_fn serve);
  HandlerTable(const HandlerTable &) = delete;
  HandlerTable &operator=(const HandlerTable &) = delete;

  const trellis_handler *const *entries() const { return pointers_.data(); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(pointers_.size()); }

private:
  std::vector<std::pair<std::string, std::string>> names_; // contract id, rpc name
  std::vector<trellis_handler> handlers_;
  std::vector<const trellis_handler *> pointers_;
};

} // namespace trellis::auth
