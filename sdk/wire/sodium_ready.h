// libsodium picks its implementations and its random source once; whoever makes keys or random bytes asks for that
// first. A function instead of a global object, so that no order of static initialization matters.
#pragma once

namespace trellis {

// [thread-safe] Throws std::runtime_error when libsodium can't start, for example without a source of randomness.
void ensure_sodium();

} // namespace trellis
