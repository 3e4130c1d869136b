#include "callout_watch.h"

#include "wire/credentials.h"
#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace trellis::bench {
namespace {

constexpr char kRequests[] = "$SYS.REQ.USER.AUTH";
constexpr char kAnswers[] = "$SYS._INBOX.>"; // where nats-server waits for them

} // namespace

CalloutWatch::CalloutWatch(const std::string &url, const std::filesystem::path &credentials) {
  auto loop = NatsLoop::start();
  if (!loop) throw std::runtime_error(loop.error().text());
  loop_ = std::move(*loop);
  NatsOptions options;
  options.servers = {url};
  options.name = "callout watch";
  options.inbox_prefix = "_INBOX.watch";
  options.credentials = [credentials]() -> Result<ConnectionCredentials> {
    std::ifstream in(credentials);
    auto user = parse_credentials(std::string(std::istreambuf_iterator<char>(in), {}));
    if (!user) return tl::make_unexpected(user.error());
    return ConnectionCredentials{std::move(*user), {}, std::nullopt};
  };
  transport_ = NatsTransport::open(*loop_, std::move(options));
  const auto listen = [this](const char *subject, auto heard) {
    auto subscription =
        transport_->subscribe(subject, "", [this, heard](const MessagePtr &message) { (this->*heard)(*message); });
    if (!subscription) throw std::runtime_error(subscription.error().text());
    subscriptions_.push_back(std::move(*subscription));
  };
  listen(kRequests, &CalloutWatch::asked);
  listen(kAnswers, &CalloutWatch::answered);
  const std::chrono::seconds limit(10);
  if (!transport_->wait_connected(limit) || !transport_->flush(limit))
    throw std::runtime_error("the callout watch can't connect");
}

CalloutWatch::~CalloutWatch() {
  subscriptions_.clear();
  transport_->close(std::chrono::seconds(1));
}

void CalloutWatch::asked(const Message &request) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  open_.emplace(request.reply(), now);
}

void CalloutWatch::answered(const Message &answer) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  const auto asked = open_.find(answer.subject());
  if (asked == open_.end()) return;
  ms_.push_back(std::chrono::duration<double, std::milli>(now - asked->second).count());
  open_.erase(asked);
}

std::vector<double> CalloutWatch::take() {
  std::vector<double> out;
  {
    const std::lock_guard lock(mutex_);
    out.swap(ms_);
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace trellis::bench
