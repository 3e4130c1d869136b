#include "wire/ulid.h"

#include "wire/sodium_ready.h"
#include <array>
#include <chrono>
#include <mutex>
#include <sodium.h>

namespace trellis {
namespace {

// One ULID as a number: 48 bits of time, 80 of randomness.
struct Ulid {
  std::uint64_t ms = 0;
  std::uint16_t random_high = 0;
  std::uint64_t random_low = 0;
};

Ulid fresh_ulid(std::uint64_t ms) {
  ensure_sodium();
  Ulid ulid;
  ulid.ms = ms;
  randombytes_buf(&ulid.random_high, sizeof ulid.random_high);
  randombytes_buf(&ulid.random_low, sizeof ulid.random_low);
  return ulid;
}

std::string ulid_text(const Ulid &ulid) {
  constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::string out(26, '0');
  std::uint64_t time = ulid.ms;
  for (std::size_t i = 10; i-- > 0; time >>= 5)
    out[i] = kCrockford[time & 31];
  std::uint64_t low = ulid.random_low;
  std::uint64_t high = ulid.random_high;
  for (std::size_t i = 26; i-- > 10;) {
    out[i] = kCrockford[low & 31];
    low = low >> 5 | (high & 31) << 59;
    high >>= 5;
  }
  return out;
}

// [thread-safe] Each ULID is greater than the one before, also when the clock goes back.
class UlidSequence {
public:
  Ulid next(std::uint64_t now) {
    const std::lock_guard lock(mutex_);
    if (now > last_.ms)
      last_ = fresh_ulid(now);
    else
      increment();
    return last_;
  }

private:
  void increment() {
    if (++last_.random_low != 0 || ++last_.random_high != 0) return;
    last_ = fresh_ulid(last_.ms + 1); // all 2^80 values of this millisecond are used up
  }

  std::mutex mutex_; // guards last_
  Ulid last_;
};

std::uint64_t now_for_ulid() {
  return static_cast<std::uint64_t>(unix_ms_now());
}

} // namespace

std::string new_ulid() {
  static UlidSequence sequence;
  return ulid_text(sequence.next(now_for_ulid()));
}

std::string new_secret_ulid() {
  return ulid_text(fresh_ulid(now_for_ulid()));
}

std::int64_t unix_ms_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

} // namespace trellis
