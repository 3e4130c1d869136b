// What a dying process can still say: a small struct in memory that it shares with the host, written by its signal
// handler with nothing but stores, and read by the host when the process is gone.
//
// Rejected: writing the report to the socket, where another thread may be in the middle of a frame; symbolizing in the
// handler, which takes the loader's lock that the crash may have left held. Module and offset are enough for addr2line.
// The host reads a copy and believes nothing in it but what fits.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::isolation {

struct CrashArea {
  static constexpr std::size_t kFrames = 64, kModules = 192, kName = 112;
  struct Module {
    std::uint64_t begin, end, base;
    char name[kName];
  };
  std::uint32_t crashed; // written last
  std::int32_t signal, code, thread;
  std::uint64_t address; // si_addr
  std::uint64_t pc;
  std::uint32_t frame_count, module_count;
  std::uint64_t frames[kFrames];
  Module modules[kModules];
};

// A memfd of that size that nobody can shrink; -1 when there is none to have. Close it.
int make_crash_area();

// [child] Maps `fd`, and from here on fatal signals write into it before they end the process. Threads that want a
// report of an overflown stack call use_signal_stack().
bool watch_for_crashes(int fd);
void use_signal_stack();
// [child] Notes what is mapped now; `fd_path` is the plugin's own file, called `name`.
void note_modules(std::string_view fd_path, std::string_view name);

// [host] As read from the memfd; nullopt when the process wrote none.
struct CrashFacts {
  int signal = 0, code = 0, thread = 0;
  std::uint64_t address = 0;
  std::vector<std::string> backtrace; // "#0 echo.so+0x1a2b"
};
std::optional<CrashFacts> read_crash_area(int fd);
// Pure: bounded by the struct, whatever it holds.
std::optional<CrashFacts> crash_facts(const CrashArea &area);

std::string signal_text(int signal); // "SIGSEGV"

} // namespace trellis::isolation
