// How often a secret lies in this process's memory, freed blocks included: for tests of what is wiped.
#pragma once

#include "wire/secret.h"
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace trellis::isolation::testing {

// A text that occurs nowhere else; this object holds it disguised, so that it doesn't count itself.
class Marker {
public:
  static constexpr std::size_t kSize = 48;

  explicit Marker(char kind) {
    for (std::size_t i = 0; i < kSize; ++i)
      disguised_[i] = static_cast<char>(~(i == 0 ? 1 : kind + static_cast<char>(i % 2)));
  }
  // Leaves no copy elsewhere when `out` has the capacity.
  void append_to(std::string &out) const {
    for (const char c : disguised_)
      out += static_cast<char>(~c);
  }

  // What the process has mapped for writing, but for what a sanitizer reserves.
  std::size_t copies_in_memory() const {
    constexpr std::uint64_t kLargest = std::uint64_t{1} << 30;
    const int memory = ::open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    std::vector<char> block(std::size_t{1} << 20);
    std::size_t copies = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::uint64_t from = 0, to = 0;
      char dash = 0;
      std::string mode;
      std::istringstream(line) >> std::hex >> from >> dash >> to >> mode;
      if (!mode.starts_with("rw") || to - from > kLargest) continue;
      // Blocks overlap, so that a copy across their border counts, and counts once.
      for (auto at = from; at + kSize <= to; at += block.size() - kSize + 1) {
        const auto want = std::min<std::uint64_t>(block.size(), to - at);
        const auto got = ::pread(memory, block.data(), want, static_cast<off_t>(at));
        if (got > 0) copies += copies_in(block, static_cast<std::size_t>(got), at);
      }
    }
    ::close(memory);
    wipe(block.data(), block.size()); // what it read isn't to be found by the next look
    return copies;
  }

private:
  std::size_t copies_in(const std::vector<char> &block, std::size_t size, std::uint64_t address) const {
    const auto own = reinterpret_cast<std::uint64_t>(block.data());
    std::size_t copies = 0;
    const char *from = block.data(), *const end = from + size;
    while (static_cast<std::size_t>(end - from) >= kSize) {
      const auto *found = static_cast<const char *>(std::memchr(from, 1, static_cast<std::size_t>(end - from)));
      if (!found || static_cast<std::size_t>(end - found) < kSize) break;
      const auto where = address + static_cast<std::uint64_t>(found - block.data());
      const bool is_own = where >= own && where < own + block.size();
      copies += !is_own &&
                std::equal(found, found + kSize, disguised_, [](char a, char b) { return a == static_cast<char>(~b); });
      from = found + 1;
    }
    return copies;
  }
  char disguised_[kSize];
};

} // namespace trellis::isolation::testing
