#include "replay/replay_cache.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sodium.h>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace trellis {
namespace {

constexpr std::array<char, 8> kMagic = {'T', 'R', 'L', 'R', 'P', 'L', 'Y', '1'};
constexpr std::int64_t kWindowSeconds = 64; // at least twice the freshness window, so that two windows cover all
constexpr std::int64_t kFreshSeconds = 30;  // 03 §11.0

// The file: this header, then two tables of `slots` hashes (0 = free).
struct FileHeader {
  std::array<char, 8> magic;
  std::uint64_t slots;
  std::array<std::int64_t, 2> window; // which span of time each table stands for
  std::array<std::uint64_t, 2> used;
  std::array<std::uint8_t, crypto_shorthash_KEYBYTES> key; // random, so that nobody can aim for a collision
};
static_assert(sizeof(FileHeader) == 64);

std::size_t bytes_for(std::uint64_t slots) {
  return sizeof(FileHeader) + 2 * slots * sizeof(std::uint64_t);
}

Error system_error(const char *code, const std::filesystem::path &file, const char *what) {
  return {code, file.string(), std::string(what) + ": " + std::strerror(errno), {}, {}};
}

} // namespace

// One mapped file. With an empty path the file is anonymous memory.
struct ReplayCache::Mapping {
  std::filesystem::path path;
  int fd = -1;
  void *memory = MAP_FAILED;
  std::size_t size = 0;

  ~Mapping() {
    if (memory != MAP_FAILED) ::munmap(memory, size);
    if (fd >= 0) ::close(fd);
  }

  FileHeader &header() { return *static_cast<FileHeader *>(memory); }
  std::span<std::uint64_t> table(std::size_t index) {
    auto *first = reinterpret_cast<std::uint64_t *>(static_cast<char *>(memory) + sizeof(FileHeader));
    return {first + index * header().slots, header().slots};
  }

  // Where `hash` is, or the free slot where it belongs. A table is never full.
  std::uint64_t &slot(std::size_t index, std::uint64_t hash) {
    const auto slots = table(index);
    const std::size_t mask = slots.size() - 1;
    std::size_t at = hash & mask;
    while (slots[at] != 0 && slots[at] != hash)
      at = (at + 1) & mask;
    return slots[at];
  }

  bool holds(std::int64_t window, std::uint64_t hash) {
    const auto index = static_cast<std::size_t>(window & 1);
    return header().window[index] == window && slot(index, hash) != 0;
  }

  void put(std::size_t index, std::uint64_t hash) {
    slot(index, hash) = hash;
    ++header().used[index];
  }

  Result<void> map(std::uint64_t slots) {
    size = bytes_for(slots);
    if (::ftruncate(fd, static_cast<off_t>(size)) != 0)
      return tl::make_unexpected(system_error("replay_cache_full", path, "can't set the size"));
    // A sparse file would turn a full disk into SIGBUS at some later write.
    if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(size)); error != 0) {
      errno = error;
      return tl::make_unexpected(system_error("replay_cache_full", path, "can't reserve space"));
    }
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return tl::make_unexpected(system_error("replay_cache_unusable", path, "can't map"));
    return {};
  }

  Result<void> start_empty(std::uint64_t slots) {
    if (auto mapped = map(slots); !mapped) return mapped;
    FileHeader fresh{kMagic, slots, {-1, -1}, {0, 0}, {}};
    randombytes_buf(fresh.key.data(), fresh.key.size());
    header() = fresh;
    return {};
  }
};

ReplayCache::ReplayCache(std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {}
ReplayCache::~ReplayCache() = default;

Result<std::unique_ptr<ReplayCache>> ReplayCache::open(const std::filesystem::path &file) {
  auto mapping = std::make_unique<Mapping>();
  mapping->path = file;
  mapping->fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat status {};
  if (mapping->fd < 0 || ::fstat(mapping->fd, &status) != 0)
    return tl::make_unexpected(system_error("replay_cache_unusable", file, "can't open"));
  Result<void> ready;
  if (status.st_size == 0) {
    ready = mapping->start_empty(kFirstSlots);
  } else {
    FileHeader header{};
    const bool read = ::pread(mapping->fd, &header, sizeof header, 0) == sizeof header;
    const bool ours = read && header.magic == kMagic && header.slots >= kFirstSlots && header.slots <= kMaxSlots &&
                      (header.slots & (header.slots - 1)) == 0 &&
                      static_cast<std::uint64_t>(status.st_size) == bytes_for(header.slots) &&
                      header.used[0] < header.slots && header.used[1] < header.slots;
    if (!ours)
      return fail("replay_cache_unusable", file.string(), "no replay cache of this version",
                  "a file made by this host, or none");
    ready = mapping->map(header.slots);
  }
  if (!ready) return tl::make_unexpected(ready.error());
  return std::unique_ptr<ReplayCache>(new (std::nothrow) ReplayCache(std::move(mapping)));
}

Result<std::unique_ptr<ReplayCache>> ReplayCache::in_memory() {
  auto mapping = std::make_unique<Mapping>();
  mapping->fd = ::memfd_create("trellis-replay", MFD_CLOEXEC);
  if (mapping->fd < 0) return tl::make_unexpected(system_error("replay_cache_unusable", "memory", "can't create"));
  if (auto ready = mapping->start_empty(kFirstSlots); !ready) return tl::make_unexpected(ready.error());
  return std::unique_ptr<ReplayCache>(new (std::nothrow) ReplayCache(std::move(mapping)));
}

// A bigger file beside the old one, moved into its place when it is complete: a kill leaves either of the two.
Result<void> ReplayCache::grow() {
  FileHeader &old = mapping_->header();
  if (old.slots * 2 > kMaxSlots)
    return fail("replay_cache_full", mapping_->path.string(), "the replay cache can't grow any more",
                "at most " + std::to_string(kMaxSlots / 4 * 3) + " requests a minute");
  auto bigger = std::make_unique<Mapping>();
  bigger->path = mapping_->path;
  const auto temporary = mapping_->path.string() + ".new";
  bigger->fd = mapping_->path.empty()
                   ? ::memfd_create("trellis-replay", MFD_CLOEXEC)
                   : ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (bigger->fd < 0) return tl::make_unexpected(system_error("replay_cache_full", temporary, "can't create"));
  if (auto ready = bigger->start_empty(old.slots * 2); !ready) return ready;
  bigger->header().key = old.key;
  bigger->header().window = old.window;
  for (const std::size_t index : {std::size_t{0}, std::size_t{1}})
    for (const std::uint64_t hash : mapping_->table(index))
      if (hash != 0) bigger->put(index, hash);
  if (!mapping_->path.empty() && ::rename(temporary.c_str(), mapping_->path.c_str()) != 0)
    return tl::make_unexpected(system_error("replay_cache_full", temporary, "can't move into place"));
  mapping_ = std::move(bigger);
  return {};
}

Result<bool> ReplayCache::insert(std::string_view session_key, std::string_view request_id, std::int64_t now,
                                 std::int64_t iat) {
  std::vector<std::uint8_t> text;
  text.reserve(session_key.size() + request_id.size() + 1);
  text.insert(text.end(), session_key.begin(), session_key.end());
  text.push_back(0); // session keys hold no NUL, so the pair is unambiguous
  text.insert(text.end(), request_id.begin(), request_id.end());

  const std::lock_guard lock(mutex_);
  std::uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<std::uint8_t *>(&hash), text.data(), text.size(), mapping_->header().key.data());
  if (hash == 0) hash = 1;

  // An entry is kept in the window of its last fresh second; one that is still of interest is in this one or the next.
  const std::int64_t current = now / kWindowSeconds;
  if (mapping_->holds(current, hash) || mapping_->holds(current + 1, hash)) return false;

  const std::int64_t window = (std::max(now, iat) + kFreshSeconds) / kWindowSeconds;
  const auto index = static_cast<std::size_t>(window & 1);
  if (auto &header = mapping_->header(); header.window[index] != window) {
    const auto slots = mapping_->table(index);
    std::fill(slots.begin(), slots.end(), 0);
    header.window[index] = window;
    header.used[index] = 0;
  }
  if (mapping_->header().used[index] >= mapping_->header().slots / 4 * 3)
    if (auto grown = grow(); !grown) return tl::make_unexpected(grown.error());
  mapping_->put(index, hash);
  return true;
}

} // namespace trellis
