// The capability lists of a surface that count (01 §3.7): absent is empty, observing falls back on calling, and the
// cancel list is for operations that can be cancelled. Internal to sdk/contracts.
#pragma once

#include "contracts/name_index.h"

namespace trellis {

inline const NameList &call_list(const RpcSurface &rpc) {
  return names_in(rpc.call);
}

inline const OperationSurface::Capabilities &lists_of(const OperationSurface &operation) {
  static const OperationSurface::Capabilities kNone;
  return operation.capabilities ? *operation.capabilities : kNone;
}
inline const NameList &call_list(const OperationSurface &operation) {
  return names_in(lists_of(operation).call);
}
inline const NameList &observe_list(const OperationSurface &operation) {
  const auto &lists = lists_of(operation);
  return names_in(lists.observe ? lists.observe : lists.call);
}
inline const NameList &control_list(const OperationSurface &operation) {
  return names_in(lists_of(operation).control);
}
inline bool can_cancel(const OperationSurface &operation) {
  return operation.cancel.value_or(false);
}
inline const NameList &cancel_list(const OperationSurface &operation) {
  static const NameList kNone;
  return can_cancel(operation) ? names_in(lists_of(operation).cancel) : kNone;
}

inline const EventSurface::Capabilities &lists_of(const EventSurface &event) {
  static const EventSurface::Capabilities kNone;
  return event.capabilities ? *event.capabilities : kNone;
}
inline const NameList &publish_list(const EventSurface &event) {
  return names_in(lists_of(event).publish);
}
inline const NameList &subscribe_list(const EventSurface &event) {
  return names_in(lists_of(event).subscribe);
}

inline const NameList &subscribe_list(const FeedSurface &feed) {
  return names_in(feed.subscribe);
}

} // namespace trellis
