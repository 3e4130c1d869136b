// Memory that ends where it says: whoever reads one byte too many runs into a page that doesn't exist.
//
// For structs of the plugin ABI, whose `size` says how much of them may be read. AddressSanitizer alone wouldn't see
// it: a plugin isn't built with it, and its structs lie in the middle of larger ones.
#pragma once

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <sys/mman.h>
#include <unistd.h>

namespace trellis::test {

template <class T>
class Guarded {
public:
  // The first `size` bytes of `value` (and its size field always). With a size that isn't a multiple of 8, up to 7
  // bytes of 0xA5 lie behind them.
  Guarded(const T &value, std::size_t size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    bytes_ = (sizeof(T) + page) / page * page + page;
    memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap");
    char *const end = static_cast<char *>(memory_) + bytes_ - page;
    if (::mprotect(end, page, PROT_NONE) != 0) throw std::runtime_error("mprotect");
    const std::size_t kept = size < sizeof(unsigned) ? sizeof(unsigned) : size < sizeof(T) ? size : sizeof(T);
    char *const at = end - (kept + 7) / 8 * 8;
    std::memset(at, 0xA5, static_cast<std::size_t>(end - at));
    std::memcpy(at, &value, kept);
    value_ = reinterpret_cast<const T *>(at);
  }
  ~Guarded() { ::munmap(memory_, bytes_); }
  Guarded(const Guarded &) = delete;
  Guarded &operator=(const Guarded &) = delete;

  const T *get() const { return value_; }

private:
  void *memory_ = nullptr;
  std::size_t bytes_ = 0;
  const T *value_ = nullptr;
};

} // namespace trellis::test
