// libargon2, the reference implementation, and not libsodium: libsodium fixes one lane and a salt of 16 bytes, while a
// stored record may have up to four lanes and 64 bytes (04 §19).
#include "passwords.h"

#include <algorithm>
#include <argon2.h>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace trellis::auth {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kMaxEncoded = 128;
constexpr int kMaxFailures = 5;
constexpr UnixMs kLockMs = UnixMs{15} * 60 * 1000;

using Hash = std::array<std::uint8_t, kHashBytes>;

// The lanes are computed one after the other on this thread: the pool bounds the work, not the library.
std::optional<Hash> argon2id(const Credential &parameters, std::string_view password, ByteView salt) {
  Hash out{};
  argon2_context context{};
  context.out = out.data();
  context.outlen = kHashBytes;
  // The library takes mutable pointers, and writes to them only with a flag that isn't set.
  context.pwd = reinterpret_cast<std::uint8_t *>(const_cast<char *>(password.data()));
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = const_cast<std::uint8_t *>(salt.data());
  context.saltlen = static_cast<std::uint32_t>(salt.size());
  context.t_cost = static_cast<std::uint32_t>(parameters.iterations);
  context.m_cost = static_cast<std::uint32_t>(parameters.memory_kib);
  context.lanes = static_cast<std::uint32_t>(parameters.parallelism);
  context.threads = 1;
  context.version = ARGON2_VERSION_13;
  context.flags = ARGON2_DEFAULT_FLAGS;
  if (argon2_ctx(&context, Argon2_id) != ARGON2_OK) return std::nullopt;
  return out;
}

bool acceptable(const Credential &credential) {
  return credential.version == 1 && credential.memory_kib >= 19456 && credential.memory_kib <= 65536 &&
         credential.iterations >= 2 && credential.iterations <= 10 && credential.parallelism >= 1 &&
         credential.parallelism <= 4 && credential.salt.size() <= kMaxEncoded && credential.hash.size() <= kMaxEncoded;
}

} // namespace

Credential hash_password(std::string_view password, ByteView salt, std::string_view identity_id, UnixMs now) {
  Credential out;
  out.identity_id = identity_id;
  out.salt = base64url(salt);
  out.set_at = out.updated_at = now;
  const auto hash = argon2id(out, password, salt);
  if (!hash) throw std::bad_alloc(); // of fixed good parameters nothing else can go wrong
  out.hash = base64url(*hash);
  return out;
}

bool verify_password(const Credential &credential, std::string_view password) {
  if (!acceptable(credential)) return false;
  const auto salt = base64url_decode(credential.salt);
  const auto stored = base64url_decode(credential.hash);
  if (!salt || salt->size() < 16 || salt->size() > 64 || !stored || stored->size() != kHashBytes) return false;
  const auto hash = argon2id(credential, password, *salt);
  return hash && secret_equal(*hash, *stored);
}

// Each byte that isn't a continuation begins one code point; those beyond the BMP are two units. An unpaired surrogate
// (contracts/json.h) is one unit, as it is in ECMAScript.
std::size_t password_length(std::string_view password) {
  std::size_t units = 0;
  for (const char c : password) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

Credential after_failed_login(Credential credential, UnixMs now) {
  ++credential.failed_logins;
  if (credential.failed_logins >= kMaxFailures) credential.locked_until = now + kLockMs;
  credential.updated_at = now;
  return credential;
}

bool is_locked(const Credential &credential, UnixMs now) {
  return credential.locked_until && now < *credential.locked_until;
}

namespace {
constexpr int kNiceness = 10;
}

struct PasswordPool::State {
  std::mutex mutex; // guards what follows
  std::condition_variable changed;
  std::deque<std::function<void()>> waiting;
  bool stopping = false;
  std::size_t queue = 0;
  std::vector<std::thread> threads;

  void work() {
    // Hashing may take all the time that is left, but none that a callout waits for. Only this thread's priority.
    static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNiceness));
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stopping || !waiting.empty(); });
      if (waiting.empty()) return;
      auto next = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      next();
      lock.lock();
    }
  }
};

PasswordPool::PasswordPool(std::size_t threads, std::size_t queue) : state_(std::make_unique<State>()) {
  state_->queue = queue;
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i)
    state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

// What was accepted still runs: somebody waits for it.
PasswordPool::~PasswordPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  for (auto &thread : state_->threads)
    thread.join();
}

bool PasswordPool::run(std::function<void()> work) {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping || state_->waiting.size() >= state_->queue) return false;
    state_->waiting.push_back(std::move(work));
  }
  state_->changed.notify_one();
  return true;
}

} // namespace trellis::auth
