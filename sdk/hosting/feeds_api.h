// The extension "trellis.feeds/1": what a plugin does with the streams of its feeds.
#pragma once

#include <trellis/plugin.h>

namespace trellis::host {

// `self` of its functions is the HostApi.
const trellis_feeds_v1 *feeds_functions();

} // namespace trellis::host
