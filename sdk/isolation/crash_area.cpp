#include "isolation/crash_area.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <memory>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
constexpr std::size_t kSignalStack = std::size_t{64} << 10;

// The handler has no argument of ours, so what it writes to is found here. Set once, before any thread exists.
std::atomic<CrashArea *> g_area{nullptr}; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

std::uint64_t program_counter(const void *context) {
  const auto &machine = static_cast<const ucontext_t *>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(machine.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return machine.pc;
#else
  (void)machine;
  return 0;
#endif
}

// Facts first, the backtrace after them: unwinding a broken stack may crash again, which then ends the process.
void write_crash(int signal, siginfo_t *info, void *context) {
  auto *area = g_area.load(std::memory_order_relaxed);
  area->signal = signal;
  area->code = info->si_code;
  area->address = reinterpret_cast<std::uint64_t>(info->si_addr);
  area->thread = static_cast<std::int32_t>(::syscall(SYS_gettid));
  area->pc = program_counter(context);
  std::atomic_ref(area->crashed).store(1, std::memory_order_release);
  void *frames[CrashArea::kFrames];
  const int count = ::backtrace(frames, CrashArea::kFrames);
  for (int i = 0; i < count; ++i)
    area->frames[i] = reinterpret_cast<std::uint64_t>(frames[i]);
  std::atomic_ref(area->frame_count).store(static_cast<std::uint32_t>(count), std::memory_order_release);
  ::raise(signal); // SA_RESETHAND: now it does what it does by default
}

} // namespace

int make_crash_area() {
  const int fd = ::memfd_create("trellis-crash", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  if (::ftruncate(fd, sizeof(CrashArea)) != 0 ||
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

void use_signal_stack() {
  // Of this thread for its whole life. Whoever cleans up after it finds what was there before: a sanitizer unmaps that.
  struct SignalStack {
    const std::unique_ptr<char[]> memory{new char[kSignalStack]};
    stack_t before{};
    SignalStack() {
      const stack_t wanted{memory.get(), 0, kSignalStack};
      ::sigaltstack(&wanted, &before);
    }
    ~SignalStack() { ::sigaltstack(&before, nullptr); }
    SignalStack(const SignalStack &) = delete;
    SignalStack &operator=(const SignalStack &) = delete;
  };
  thread_local const SignalStack stack;
}

bool watch_for_crashes(int fd) {
  void *mapped = ::mmap(nullptr, sizeof(CrashArea), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return false;
  g_area.store(static_cast<CrashArea *>(mapped));
  void *warm[4];
  ::backtrace(warm, 4); // loads the unwinder, which a handler could not
  use_signal_stack();
  struct sigaction action {};
  action.sa_sigaction = &write_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND) | SA_NODEFER;
  ::sigemptyset(&action.sa_mask);
  return std::ranges::all_of(kFatal, [&](int signal) { return ::sigaction(signal, &action, nullptr) == 0; });
}

void note_modules(std::string_view fd_path, std::string_view name) {
  struct Walk {
    CrashArea &area;
    std::string_view fd_path, name;
  } walk{*g_area.load(), fd_path, name};
  walk.area.module_count = 0;
  ::dl_iterate_phdr(
      [](dl_phdr_info *info, std::size_t, void *context) {
        auto &[area, own_path, own_name] = *static_cast<Walk *>(context);
        if (area.module_count >= CrashArea::kModules) return 1;
        auto &module = area.modules[area.module_count];
        module = {~std::uint64_t{0}, 0, info->dlpi_addr, {}};
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const auto &segment = info->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          module.begin = std::min<std::uint64_t>(module.begin, info->dlpi_addr + segment.p_vaddr);
          module.end = std::max<std::uint64_t>(module.end, info->dlpi_addr + segment.p_vaddr + segment.p_memsz);
        }
        std::string_view file = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : "trellis-host";
        file = file == own_path ? own_name : file.substr(file.rfind('/') == file.npos ? 0 : file.rfind('/') + 1);
        std::memcpy(module.name, file.data(), std::min(file.size(), CrashArea::kName - 1));
        ++area.module_count;
        return 0;
      },
      &walk);
}

// ------------------------------------------------------------------------------------------------------------- host

std::string signal_text(int signal) {
  if (const char *name = ::sigabbrev_np(signal)) return std::string("SIG") + name;
  return "signal " + std::to_string(signal);
}

std::optional<CrashFacts> crash_facts(const CrashArea &area) {
  if (area.crashed != 1) return std::nullopt;
  CrashFacts facts{area.signal, area.code, area.thread, area.address, {}};
  const auto modules = std::min<std::size_t>(area.module_count, CrashArea::kModules);
  const auto place = [&](std::uint64_t at) {
    char text[CrashArea::kName + 64];
    for (std::size_t i = 0; i < modules; ++i) {
      const auto &module = area.modules[i];
      if (at < module.begin || at >= module.end) continue;
      std::string name(module.name, ::strnlen(module.name, CrashArea::kName));
      std::ranges::replace_if(
          name, [](char c) { return c < ' ' || c > '~'; }, '?');
      std::snprintf(text, sizeof text, "%s+0x%llx", name.c_str(), static_cast<unsigned long long>(at - module.base));
      return std::string(text);
    }
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(at));
    return std::string(text);
  };
  // The handler's own frames come first; the crash is at its program counter.
  const auto count = std::min<std::size_t>(area.frame_count, CrashArea::kFrames);
  std::size_t first = 0;
  while (first < count && area.frames[first] != area.pc)
    ++first;
  if (first == count) first = 0;
  if (count == 0 && area.pc != 0) facts.backtrace.push_back("#0 " + place(area.pc));
  for (std::size_t i = first; i < count; ++i)
    facts.backtrace.push_back("#" + std::to_string(i - first) + " " + place(area.frames[i]));
  return facts;
}

std::optional<CrashFacts> read_crash_area(int fd) {
  const auto area = std::make_unique<CrashArea>();
  if (::pread(fd, area.get(), sizeof *area, 0) != static_cast<ssize_t>(sizeof *area)) return std::nullopt;
  return crash_facts(*area);
}

} // namespace trellis::isolation
