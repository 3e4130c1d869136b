// The control socket: how `trellis host` talks to a running host.
//
// state_dir/control.sock, a Unix stream socket (0600) that serves its own user and root. A connection carries one
// request and one answer, each one line of JSON of at most 64 KiB and 16 MiB, and is then closed by the host. A peer
// that takes longer than control_timeout_ms to send the one, or to take the other, is closed unanswered.
//
//   {"op":"status"}   {"ok":true, "host":"edge-7", "settled":true, "plugins":[{"name":"inventory", "role":"service",
//                     "deployment":"inventory", "phase":"running", "detail":"", "contractId":"acme.inventory@v1",
//                     "contractDigest":"...", "sessionKey":"...", "generations":1, "maxGenerations":8,
//                     "calls":{"waiting":0, "running":0, "unanswered":0, "abandoned":0, "answered":12, "overloaded":0,
//                     "expired":0}, "durations":{"bounds":[0.0005, ...], "counts":[3, ...]},
//                     "connection":{"state":"connected", "since":"2026-01-31T12:00:00.000Z", "credentialsExpire":"...",
//                     "connects":1, "rotations":0}, "lastError":{"time":"...", "text":"..."}}, ...]}
//
//                     role: "service" | "control-plane". phase: those of host.h. settled: nothing is under way.
//                     contractId, contractDigest, sessionKey are "" while unknown. generations of maxGenerations:
//                     copies of its code in the process. Isolated plugins also have "isolation":"process" and
//                     "lastCrash", and while they run "pid" (-1 between two processes) and "restarts".
//
//                     Only while it runs: `calls`, counted since this generation began. `durations`, if it serves rpcs:
//                     how many requests were answered within each bound (seconds; one count more, for those beyond),
//                     counted as the metrics are, since the process began. `connection`, whose state is "connecting",
//                     "connected", "disconnected" or "closed", since when (the last rotation or reconnect), and until
//                     when its credentials are good ("": for ever). `lastError` of this generation, absent when it had
//                     none.
//
//   {"op":"keys"}     {"ok":true, "keys":[{"plugin":"inventory", "deployment":"inventory", "sessionKey":"..."}, ...]}
//                     public session keys of the services, for provisioning them at a remote control plane.
//   {"op":"reload"}   {"ok":true, "settled":true}   as SIGHUP; answered when every plugin has come to rest, or after
//                     60 s with "settled":false.
//   {"op":"metrics"}  {"ok":true, "metrics":[...]}   all that is counted, as runtime/metrics_text.h has it; with
//                     "format":"prometheus" instead {"ok":true, "text":"..."}.
//   all of them       {"ok":false, "code":"config_syntax", "reason":"..."}   why it was refused; after a refused reload
//                     everything is as it was. Other codes: "invalid_request", "unavailable" (the host is stopping).
//
// Rejected: a port on localhost, which any user of the machine could connect to.
#pragma once

#include "host.h"
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis::host {

inline constexpr char kControlSocketName[] = "control.sock"; // in state_dir
inline constexpr std::size_t kMaxControlRequest = std::size_t{64} << 10;
inline constexpr std::size_t kMaxControlAnswer = std::size_t{16} << 20;

// What the socket can ask a host. Each calls back once, from any thread, or never when the host has ended.
struct ControlActions {
  std::function<void(std::function<void(const HostStatus &)>)> status;
  std::function<void(Host::ReloadDone)> reload;
  std::function<void(std::function<void(const std::vector<MetricFamily> &)>)> metrics;
  std::chrono::milliseconds reload_limit{60'000};
  std::chrono::milliseconds io_limit{10'000}; // for a peer to send its line, and to take its answer; each in all
  std::size_t connections_max = 16;           // further ones are closed unanswered
};
ControlActions control_actions(Host &host);

class ControlSocket {
public:
  // Serves on threads of its own. Errors: "control_socket" when the socket can't be made, or when another host serves
  // it.
  static Result<std::unique_ptr<ControlSocket>> open(const std::filesystem::path &state_dir, ControlActions actions);
  virtual ~ControlSocket() = default; // removes the socket; open connections end unanswered
};

// One request line in, one answer line out: pure but for `actions`. Waits for them.
std::string answer_control_request(std::string_view line, const ControlActions &actions,
                                   const std::function<bool()> &stopping);

// [may block] The client's side: the host's answer to `request`, without its line end. Error "control_socket": nobody
// serves that socket, it isn't ours, or the whole answer didn't come in time.
Result<std::string> ask_control_socket(const std::filesystem::path &socket, std::string_view request,
                                       std::chrono::milliseconds timeout);

} // namespace trellis::host
