// The control plane's own limits, with their defaults: tables "limits" and "retention" of its configuration.
//
// Not in 04 §20, whose readers ignore members that they don't know: a file with these keys is still one for every
// control plane. docs/control-plane.md has a line for each.
#pragma once

#include <cstdint>

namespace trellis::auth {

class ConfigReader;

struct Limits {
  std::int64_t http_body_bytes = 8 << 20, http_header_bytes = 32768, http_connections = 1024, http_timeout_ms = 30000;
  std::int64_t http_workers = 64; // besides those that wait for a password hash
  // A login takes a core for some 40 ms. With as many threads as there are cores, callouts wait for more than 100 ms.
  std::int64_t password_threads = 1, password_queue = 256;
  // 03 §6.2: callouts that are worked on at once, in all and of one client address and one server; and that wait.
  std::int64_t callout_concurrent = 32, callout_per_address = 8, callout_per_server = 16, callout_waiting = 256;
  std::int64_t callout_threads = 2, callout_queue = 1024; // the queue: arrived and not yet decoded, a few KiB each
  std::int64_t policy_queue = 1024;                       // questions of the host about its plugins
  std::int64_t disconnect_queue = 1 << 16;                // advisories that wait for their turn
  std::int64_t connection_backlog = 4096;                 // connection records that JetStream didn't take in time
  std::int64_t validation_cache = 1 << 17;                // sessions, at 1 to 2 KiB each
  std::int64_t jetstream_wait_ms = 60000;                 // for JetStream to become usable at start
};

// How long what only people read is kept; 0 = for ever.
struct Retention {
  // More than a year, so that an audit of last year can be done; the rows bound the file at about 3 GB.
  std::int64_t audit_days = 400, audit_rows = 10000000;
  std::int64_t reconciliation_event_days = 90;
};

void read_limits(const ConfigReader &limits, Limits &out);
void read_retention(const ConfigReader &retention, Retention &out);

} // namespace trellis::auth
