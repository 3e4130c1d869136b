// The extension "trellis.events/1", as plugin.h specifies it.
#pragma once

#include <trellis/plugin.h>

namespace trellis::host {

extern const trellis_events_v1 kEventsExtension; // `self` of its functions: that of trellis_host

} // namespace trellis::host
