// The first frame: what an isolated process has to know before it loads the plugin. And how a handler's functions are
// told in `created`. The plugin's settings are secret: each end overwrites the frame's bytes and keeps one copy.
#pragma once

#include "isolation/frame.h"
#include "isolation/sandbox.h"
#include "wire/secret.h"
#include <string>
#include <utility>

namespace trellis::isolation {

inline constexpr std::uint64_t kHasRpc = 1, kHasEvent = 2, kHasFeed = 4, kHasFeedCancel = 8, kNullHandler = 128;

struct CreateSettings {
  std::size_t workers = 8;
  SandboxPlan sandbox;
  SecretText config_json; // may hold passwords
  std::string identity_json = "{}";

  // Points into this object.
  Frame frame(std::uint64_t id) const {
    Frame out{
        FrameKind::create,
        id,
        {workers, sandbox.uid, sandbox.gid, sandbox.open_files, sandbox.threads, sandbox.data_bytes, sandbox.network},
        {config_json.reveal(), identity_json, sandbox.data_dir}};
    out.texts.insert(out.texts.end(), sandbox.read_paths.begin(), sandbox.read_paths.end());
    return out;
  }
  static CreateSettings read(const Frame &frame) {
    CreateSettings out;
    out.workers = frame.number(0);
    out.sandbox.uid = static_cast<std::uint32_t>(frame.number(1));
    out.sandbox.gid = static_cast<std::uint32_t>(frame.number(2));
    out.sandbox.open_files = frame.number(3);
    out.sandbox.threads = frame.number(4);
    out.sandbox.data_bytes = frame.number(5);
    out.sandbox.network = frame.number(6) != 0;
    out.config_json = SecretText(std::string(frame.text(0)));
    out.identity_json = frame.text(1);
    out.sandbox.data_dir = frame.text(2);
    for (std::size_t i = 3; i < frame.texts.size(); ++i)
      out.sandbox.read_paths.emplace_back(frame.text(i));
    return out;
  }
};

class HostLink;
// [may block] [reading thread] The first frame's id and what it says, which from then on is nowhere else.
std::pair<std::uint64_t, CreateSettings> receive_settings(HostLink &link);

} // namespace trellis::isolation
