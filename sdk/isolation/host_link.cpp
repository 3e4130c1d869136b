#include "isolation/host_link.h"

#include "isolation/abi_frames.h"
#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

[[noreturn]] void host_is_gone() {
  ::_exit(0); // no destructors: threads of the plugin are running
}

ReceivedFrame own_answer(std::uint64_t id, trellis_status status) {
  return {{}, answer_frame(id, status)};
}

} // namespace

bool HostLink::send(const Frame &frame) {
  const auto bytes = encode_frame(frame);
  if (bytes.empty()) return false;
  const std::lock_guard lock(send_mutex_);
  std::string_view left = bytes;
  while (!left.empty()) {
    const auto sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) host_is_gone();
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::uint64_t HostLink::expect(std::function<void(ReceivedFrame)> on_answer) {
  const std::lock_guard lock(mutex_);
  asked_.emplace(next_id_, std::move(on_answer));
  return next_id_++;
}

void HostLink::ask(Frame question, std::function<void(ReceivedFrame)> on_answer) {
  question.id = expect(std::move(on_answer));
  if (!send(question)) answered(own_answer(question.id, TRELLIS_E_TOO_LARGE));
}

ReceivedFrame HostLink::ask(Frame question) {
  std::mutex mutex;
  std::condition_variable arrived;
  std::optional<ReceivedFrame> answer;
  ask(std::move(question), [&](ReceivedFrame frame) {
    const std::lock_guard lock(mutex);
    answer = std::move(frame);
    arrived.notify_one(); // under the lock: whoever waits may end these variables as soon as it is free
  });
  std::unique_lock lock(mutex);
  arrived.wait(lock, [&] { return answer.has_value(); });
  return std::move(*answer);
}

void HostLink::answered(ReceivedFrame answer) {
  std::function<void(ReceivedFrame)> on_answer;
  {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(answer.frame.id);
    if (found == asked_.end()) return;
    on_answer = std::move(found->second);
    asked_.erase(found);
  }
  on_answer(std::move(answer));
}

ReceivedFrame HostLink::receive_first() {
  const auto read = [this](void *into, std::size_t size) {
    if (::recv(socket_, into, size, MSG_WAITALL) != static_cast<ssize_t>(size)) host_is_gone();
  };
  std::uint32_t size = 0;
  read(&size, sizeof size);
  if (size > kMaxFrameBytes) host_is_gone();
  ReceivedFrame out{std::vector<char>(size), {}};
  read(out.bytes.data(), size);
  auto frame = decode_frame(out.bytes);
  if (!frame) host_is_gone();
  out.frame = std::move(*frame);
  return out;
}

ReceivedFrame HostLink::receive() {
  for (;;) {
    while (auto frame = reader_.next()) {
      if (frame->frame.kind != FrameKind::answer) return std::move(*frame);
      answered(std::move(*frame));
    }
    if (reader_.malformed()) host_is_gone();
    std::array<char, kReadBytes> bytes;
    const auto got = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) host_is_gone();
    reader_.add({bytes.data(), static_cast<std::size_t>(got)});
  }
}

} // namespace trellis::isolation
