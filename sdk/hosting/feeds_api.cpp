#include "hosting/feeds_api.h"

#include "abi/abi_values.h"
#include "hosting/host_api.h"
#include "runtime/feed_streams.h"

namespace trellis::host {
namespace {

// nullptr when the plugin has no feeds, or isn't connected yet: then it has no stream either.
FeedStreams *streams(void *self) {
  const auto *parts = static_cast<HostApi *>(self)->parts();
  return parts ? parts->feeds : nullptr;
}

trellis_status status_of(FeedStreams::Failure failure) {
  switch (failure) {
  case FeedStreams::Failure::gone: return TRELLIS_E_GONE;
  case FeedStreams::Failure::invalid: return TRELLIS_E_INVALID;
  case FeedStreams::Failure::too_large: return TRELLIS_E_TOO_LARGE;
  case FeedStreams::Failure::unavailable: return TRELLIS_E_UNAVAILABLE;
  case FeedStreams::Failure::failed: break;
  }
  return TRELLIS_E_FAILED;
}

trellis_status emit(void *self, trellis_stream stream, trellis_str event, trellis_error_sink error) noexcept {
  auto *open = streams(self);
  if (!open) return TRELLIS_E_GONE;
  if (!is_text(event)) return TRELLIS_E_INVALID;
  const auto sent = open->emit(stream, view(event));
  if (sent) return TRELLIS_OK;
  report_error(error, sent.error().envelope);
  return status_of(sent.error().failure);
}

trellis_status fail(void *self, trellis_stream stream, const trellis_error *error) noexcept {
  auto *open = streams(self);
  return open && open->fail(stream, read_error(error)) ? TRELLIS_OK : TRELLIS_E_GONE;
}

trellis_status close(void *self, trellis_stream stream) noexcept {
  auto *open = streams(self);
  return open && open->close(stream) ? TRELLIS_OK : TRELLIS_E_GONE;
}

trellis_status state(void *self, trellis_stream stream) noexcept {
  const auto *open = streams(self);
  return open && open->is_open(stream) ? TRELLIS_OK : TRELLIS_E_GONE;
}

} // namespace

const trellis_feeds_v1 *feeds_functions() {
  static constexpr trellis_feeds_v1 kFunctions{sizeof(trellis_feeds_v1), 0, &emit, &fail, &close, &state};
  return &kFunctions;
}

} // namespace trellis::host
