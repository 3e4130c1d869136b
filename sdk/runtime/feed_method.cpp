#include "runtime/feed_method.h"

#include "contracts/manifest.h"
#include "runtime/rpc_method.h"
#include <utility>

namespace trellis {

Result<FeedMethod> compile_feed(const Manifest &manifest, std::string_view name) {
  const auto &feeds = manifest.model().feeds;
  const auto *surface = feeds ? find_named(*feeds, name) : nullptr;
  if (!surface)
    return fail("unknown_feed", std::string(name), "the contract has no such feed", "a feed of " + manifest.id());
  auto input = compile_named_schema(manifest, surface->input);
  if (!input) return tl::make_unexpected(std::move(input.error()));
  auto event = compile_named_schema(manifest, surface->event);
  if (!event) return tl::make_unexpected(std::move(event.error()));
  return FeedMethod{std::string(name), surface->subject, surface->subscribe.value_or(NameList{}), std::move(*input),
                    std::move(*event)};
}

} // namespace trellis
