// The keys of [plugins.NAME] that keep an isolated plugin.
#pragma once

#include "isolation/settings.h"
#include "settings/config_keys.h"
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::isolation {

// `settings`: where a Target has them.
template <class Target>
std::vector<Key<Target>> isolation_keys(IsolationSettings Target::*settings) {
  constexpr std::int64_t kHour = 3'600'000, kMany = 1'000'000;
  const auto at = [settings](auto member) {
    return [ settings, member ](Target & target) -> auto & {
      return target.*settings.*member;
    };
  };
  using S = IsolationSettings;
  const auto is_path = [](std::string_view text) {
    return text.starts_with('/') && text.find('\0') == std::string_view::npos;
  };
  return {
      duration_key<Target>("restart_backoff_ms", at(&S::restart_backoff), 1, kHour,
                           "isolated: pause before a process that crashed is started again; each further crash within "
                           "`crash_loop_window_s` doubles it"),
      duration_key<Target>("restart_backoff_max_ms", at(&S::restart_backoff_max), 1, kHour,
                           "isolated: the longest such pause"),
      number_key<Target>("crash_loop_limit", at(&S::crash_loop_limit), 1, 1000,
                         "isolated: so many crashes within the window put the plugin into quarantine until the next "
                         "reload"),
      seconds_key<Target>("crash_loop_window_s", at(&S::crash_loop_window), 1, 86'400,
                          "isolated: the window, in seconds"),
      duration_key<Target>("hang_timeout_ms", at(&S::hang_timeout), 100, kHour,
                           "isolated: a process without a sign of life for so long is ended and started again; so is "
                           "one whose handlers are all stuck that long beyond `deadline_ms` while requests wait"),
      duration_key<Target>("start_timeout_ms", at(&S::start_timeout), 100, kHour,
                           "isolated: for the plugin's create, and for its start"),
      number_key<Target>("memory_max_mb", at(&S::memory_max_mb), 0, kMany,
                         "isolated: memory of the process, 0 for no limit; without control groups what it may "
                         "allocate (RLIMIT_DATA)"),
      number_key<Target>("cpu_max_percent", at(&S::cpu_max_percent), 0, kMany,
                         "isolated: processor time, 100 is one processor, 0 is no limit; needs control groups"),
      number_key<Target>("threads_max", at(&S::threads_max), 16, kMany,
                         "isolated: threads; needs control groups or a host that runs as root"),
      number_key<Target>("open_files_max", at(&S::open_files_max), 32, kMany, "isolated: open files and sockets"),
      flag_key<Target>("network", at(&S::network),
                       "isolated: `false` forbids sockets of its own; messages go through the host either way"),
      list_key<Target>("read_paths", at(&S::read_paths), 0, "absolute paths", is_path,
                       "isolated: files and folders that it may read, beside the system's libraries"),
      number_key<Target>("questions_max", at(&S::questions_max), 1, kMany,
                         "isolated: questions of it that wait for somebody else's answer (`call_rpc`, `request`, "
                         "events); further ones are refused with `TRELLIS_E_UNAVAILABLE`"),
      number_key<Target>("questions_max_mb", at(&S::questions_max_mb), 1, kMany, "isolated: their size in all"),
      number_key<Target>("unread_max_mb", at(&S::unread_max_mb), 73, kMany,
                         "isolated: what it is sent and hasn't read; then it is ended. One frame may have 72 MiB"),
      number_key<Target>("log_lines_max", at(&S::log_lines_max), 1, kMany,
                         "isolated: lines that it may log or print in ten seconds; the rest is left out and counted"),
      number_key<Target>("log_message_max_kb", at(&S::log_message_max_kb), 1, 1024,
                         "isolated: of a message that it logs, the rest is cut off"),
      number_key<Target>("log_fields_max_kb", at(&S::log_fields_max_kb), 1, 1024,
                         "isolated: fields of a message; larger ones are left out"),
      number_key<Target>("user", at(&S::user), 0, 0xFFFF'FFFE,
                         "isolated, with a host that runs as root: uid and gid of the process; 0 is one of its own "
                         "from `isolation_uid_base` on"),
  };
}

} // namespace trellis::isolation
