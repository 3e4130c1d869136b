// One configured plugin, as the control thread sees it: what is wanted of it, what is known of its file, what runs.
//
// A private part of Host, shared by the files that implement it: host.cpp is the life of the host and of trellis.toml,
// host_policy.cpp the rounds of questions to policy, host_slots.cpp what happens to one plugin. One class, because one
// thread owns all of it, and a decision about one plugin often changes another.
#pragma once

#include "host.h"
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace trellis::host {

struct Host::Inspected {
  Result<Vetted> vetted;
  std::optional<SessionKey> key;
};

// One configured plugin. Touched by the control thread only; `thread` works on copies.
struct Host::Slot {
  PluginConfig config;
  Phase phase = Phase::inspecting;
  std::string detail;
  std::optional<Vetted> vetted; // the file as last inspected
  std::optional<SessionKey> key;
  std::string bindings; // `resources` of the policy's last yes, JSON
  std::shared_ptr<Generation> running;
  std::size_t loaded = 0; // copies of its code in this process
  // The copy of that file whose instance has ended: the next instance of the same file is made in it. Loading the same
  // sealed copy twice would give the same code anyway, globals and all.
  struct Idle {
    std::string sha256;
    LoadedCode code;
  };
  std::optional<Idle> idle;
  std::shared_ptr<const Artifact> loaded_from; // the last one that a copy was loaded from
  bool wanted = true;                          // false: to be removed when it has stopped
  std::jthread thread;
  bool busy = false; // `thread` has work, or there is no thread for it yet:
  struct PutOff {
    std::function<void(std::stop_token)> task;
    std::chrono::steady_clock::time_point until;
    Phase phase; // and detail, that it goes on with
    std::string detail;
    bool stop = false;
  };
  std::optional<PutOff> put_off;
  // What happened while it was busy. Two notes, because an answer that comes during an inspection must not cause
  // another: each inspection ends in new questions, and so on for ever.
  bool inspect_again = false; // trellis.toml was read again
  bool ask_again = false;     // policy answered, or would have been asked
  // A file that policy doesn't let run while its predecessor does: asked about again when answers may have changed.
  std::optional<Vetted> successor;
  std::string successor_detail; // as last logged
  // Since trellis.toml was read last: an instance that is removed at the control plane stays removed until then.
  bool enrolled = false;
  // Why an isolated plugin stays down until the next reload; and its last crash.
  std::string quarantined, last_crash;
  // Of what may start yet: a control plane, or a plugin that the system had no thread for.
  std::optional<std::chrono::steady_clock::time_point> retry_at;
  std::chrono::milliseconds retry_pause{0}; // before that; 0: it hasn't failed since it was inspected

  void request_stop() {
    if (put_off)
      put_off->stop = true;
    else
      thread.request_stop();
  }
  bool is_isolated() const { return config.isolation == Isolation::process; }
  void reconsider_successor() {
    if (successor) vetted = std::exchange(successor, std::nullopt);
  }
  bool is_control_plane() const { return config.role == PluginRole::control_plane; }
  void keep_idle(const Generation &ended) {
    if (auto code = ended.idle_code(); code.entry) idle = Idle{ended.artifact().sha256_hex(), std::move(code)};
  }
  // What outlives its removal, for when it is added again: code stays mapped, and counts.
  std::unique_ptr<Slot> copies_only() {
    auto out = std::make_unique<Slot>();
    out->loaded = loaded;
    out->idle = std::move(idle);
    out->loaded_from = std::move(loaded_from);
    return out;
  }
  // What policy is asked about: the file as last inspected, else what runs; nullptr while neither is there.
  const Artifact *artifact() const {
    return vetted ? vetted->artifact.get() : running ? &running->artifact() : nullptr;
  }
  // Of what runs, else of the file; nullptr while neither is there.
  const Manifest *manifest() const {
    return running ? &running->manifest() : vetted ? &vetted->artifact->manifest() : nullptr;
  }
};

// The keys beside those of plugins that differ, and that a reload doesn't take.
std::vector<std::string> needs_restart(const Config &running, const Config &wanted);

// Whether a running copy would be the same with the other table.
bool same_plugin(const PluginConfig &a, const PluginConfig &b);

} // namespace trellis::host
