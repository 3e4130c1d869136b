// The first frame: what an isolated process has to know before it loads the plugin. And how a handler's functions are
// told in `created`.
#pragma once

#include "isolation/frame.h"
#include "isolation/sandbox.h"
#include <string>

namespace trellis::isolation {

inline constexpr std::uint64_t kHasRpc = 1, kHasEvent = 2, kHasFeed = 4, kHasFeedCancel = 8, kNullHandler = 128;

struct CreateSettings {
  std::size_t workers = 8;
  SandboxPlan sandbox;
  std::string config_json = "{}", identity_json = "{}";

  // Points into this object.
  Frame frame(std::uint64_t id) const {
    Frame out{FrameKind::create,
              id,
              {workers, sandbox.uid, sandbox.gid, sandbox.open_files, sandbox.threads, sandbox.data_bytes,
               sandbox.network},
              {config_json, identity_json, sandbox.data_dir}};
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
    out.config_json = frame.text(0);
    out.identity_json = frame.text(1);
    out.sandbox.data_dir = frame.text(2);
    for (std::size_t i = 3; i < frame.texts.size(); ++i)
      out.sandbox.read_paths.emplace_back(frame.text(i));
    return out;
  }
};

} // namespace trellis::isolation
