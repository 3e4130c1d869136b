// Local passwords: Argon2id on a bounded pool of threads of its own (04 §19), so that logins never hold up a callout.
#pragma once

#include "store/accounts.h"
#include "wire/secret.h"
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace trellis::auth {

// Pure parts, blocking for the time of one hash (about 20 ms).
Credential hash_password(std::string_view password, ByteView salt, std::string_view identity_id, UnixMs now);
bool verify_password(const Credential &credential, std::string_view password); // false for parameters out of range
std::size_t password_length(std::string_view password);                        // UTF-16 code units
// 04 §10.2: after a wrong password. Locked while now < locked_until.
Credential after_failed_login(Credential credential, UnixMs now);
bool is_locked(const Credential &credential, UnixMs now);

class PasswordPool {
public:
  PasswordPool(std::size_t threads, std::size_t queue);
  ~PasswordPool();
  // [thread-safe] Runs `work` on a thread of the pool; false when the queue is full.
  bool run(std::function<void()> work);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace trellis::auth
