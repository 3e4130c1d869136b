#include "hosting/loader.h"

#include "contracts/json_write.h"
#include <boost/dll/shared_library.hpp>
#include <cstdint>
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <set>
#include <system_error>
#include <unistd.h>

namespace trellis::host {
namespace {

constexpr std::size_t kMaxProgramText = 128; // bytes of a program's name or version

std::string_view view(trellis_str text) {
  return text.size == 0 ? std::string_view{} : std::string_view{text.data, text.size};
}

// Load addresses of everything that is mapped now.
std::set<std::uintptr_t> mapped_objects() {
  std::set<std::uintptr_t> bases;
  ::dl_iterate_phdr(
      [](dl_phdr_info *info, std::size_t, void *out) {
        static_cast<std::set<std::uintptr_t> *>(out)->insert(info->dlpi_addr);
        return 0;
      },
      &bases);
  return bases;
}

bool lies_in_new_object(const void *symbol, const std::set<std::uintptr_t> &before) {
  Dl_info info{};
  link_map *map = nullptr;
  if (::dladdr1(symbol, &info, reinterpret_cast<void **>(&map), RTLD_DL_LINKMAP) == 0 || !map) return false;
  return !before.contains(map->l_addr);
}

} // namespace

Result<LoadedCode> check_entry(const trellis_plugin_entry &entry, std::string_view where) {
  const std::string place(where);
  if (entry.size < sizeof(std::uint32_t) * 2)
    return fail("abi_entry", place, "the entry struct says a size of " + std::to_string(entry.size) + " bytes",
                "at least " + std::to_string(sizeof(trellis_plugin_entry)));
  if (entry.abi_major != TRELLIS_ABI_MAJOR)
    return fail("abi_major", place, "built for plugin ABI major " + std::to_string(entry.abi_major),
                "major " + std::to_string(TRELLIS_ABI_MAJOR));
  if (!TRELLIS_HAS(trellis_plugin_entry, &entry, create) || !entry.create)
    return fail("abi_entry", place, "the entry struct has no create function", "a trellis_plugin_entry with `create`");
  if (entry.name.size == 0 || entry.name.size > kMaxProgramText || entry.version.size > kMaxProgramText ||
      !entry.name.data || (entry.version.size > 0 && !entry.version.data) || !is_utf8(view(entry.name)) ||
      !is_utf8(view(entry.version)))
    return fail("abi_entry", place, "the entry struct's name or version is unusable",
                "1 to " + std::to_string(kMaxProgramText) + " bytes of UTF-8");
  return LoadedCode{&entry, std::string(view(entry.name)), std::string(view(entry.version))};
}

Result<LoadedCode> load_code(const Artifact &artifact) {
  const std::string where = artifact.path().string();
  // A descriptor of our own that nobody closes: its number must never name another file (see the header).
  const int fd = ::fcntl(artifact.memfd(), F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return fail("load_failed", where, "no file descriptor left", "a higher limit of open files");

  const auto before = mapped_objects();
  constexpr auto kMode = static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  std::error_code problem;
  boost::dll::shared_library library;
  library.load("/proc/self/fd/" + std::to_string(fd), kMode, problem);
  if (problem) {
    const char *why = ::dlerror();
    ::close(fd);
    return fail("load_failed", where, why ? why : problem.message(), "a shared object whose symbols can be resolved");
  }
  const void *symbol = ::dlsym(library.native(), "trellis_plugin_entry_v1");
  if (!symbol) return fail("load_failed", where, "no symbol trellis_plugin_entry_v1", "an exported entry struct");
  if (!lies_in_new_object(symbol, before))
    return fail("load_shared", where, "the loader gave back code that was mapped before", "a fresh copy of this file");
  return check_entry(*static_cast<const trellis_plugin_entry *>(symbol), where);
}

} // namespace trellis::host
