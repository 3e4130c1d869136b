// Messages and a Transport without a network, for tests: replies are kept, requests are answered by a function.
#pragma once

#include "contracts/encoding.h"
#include "transport/transport.h"
#include "wire/names.h"
#include "wire/proof.h"
#include "wire/session_key.h"
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace trellis::test {

// What was answered, by whatever thread.
class Replies {
public:
  struct Reply {
    std::string payload;
    Headers headers;
    bool is_error() const { return headers.size() == 1 && headers[0].name == "status" && headers[0].value == "error"; }
  };

  void add(Reply reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    added_.notify_all();
  }
  std::vector<Reply> all() const {
    const std::lock_guard lock(mutex_);
    return replies_;
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }
  // Waits until there are `count`; false after `limit`.
  bool wait_for(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(20)) const {
    std::unique_lock lock(mutex_);
    return added_.wait_for(lock, limit, [&] { return replies_.size() >= count; });
  }

  // How many of them were sent with a watch, and the last one's.
  void watch(Message::OnUnheard unheard) {
    const std::lock_guard lock(mutex_);
    ++watches_;
    unheard_ = std::move(unheard);
  }
  std::size_t watches() const {
    const std::lock_guard lock(mutex_);
    return watches_;
  }
  void lose_receiver() const {
    Message::OnUnheard unheard;
    {
      const std::lock_guard lock(mutex_);
      unheard = unheard_;
    }
    unheard(fail(transport_error::kNoResponders, "inbox", "nobody").value());
  }

private:
  mutable std::mutex mutex_; // guards what follows
  mutable std::condition_variable added_;
  std::vector<Reply> replies_;
  Message::OnUnheard unheard_;
  std::size_t watches_ = 0;
};

struct FakeMessage : Message {
  std::string subject_text, reply_text, payload_text;
  Headers header_list;
  std::shared_ptr<Replies> replies = std::make_shared<Replies>();
  std::size_t max_payload = std::size_t{1} << 20;
  bool closed = false;
  std::uint64_t connection_id = 0;

  std::string_view subject() const override { return subject_text; }
  std::string_view reply() const override { return reply_text; }
  std::string_view payload() const override { return payload_text; }
  std::string_view header(std::string_view name) const override {
    for (const auto &header : header_list)
      if (header.name == name) return header.value;
    return {};
  }
  Headers headers() const override { return header_list; }
  Result<void> respond(std::string_view payload, const Headers *headers) const override {
    if (closed) return fail(transport_error::kClosed, subject_text, "the connection is gone");
    if (payload.size() > max_payload) return fail(transport_error::kTooLarge, subject_text, "larger than max_payload");
    replies->add({std::string(payload), headers ? *headers : Headers{}});
    return {};
  }
  Result<void> respond_and_watch(std::string_view payload, const Headers *headers, OnUnheard unheard) const override {
    auto sent = respond(payload, headers);
    if (sent) replies->watch(std::move(unheard));
    return sent;
  }
  std::uint64_t connection() const override { return connection_id; }
};

// A request as a client signs it, with its reply subject in the caller's inbox.
inline FakeMessage signed_message(const SessionKey &caller, std::string_view subject, std::string_view payload,
                                  std::int64_t iat, std::string_view request_id) {
  FakeMessage message;
  message.subject_text = subject;
  message.payload_text = payload;
  message.reply_text = caller.inbox_prefix() + ".r";
  const auto hash = sha256(as_bytes(payload));
  message.header_list = {{wire::kSessionKey, caller.text()},
                         {wire::kProof, make_request_proof(caller, subject, hash, iat, request_id)},
                         {wire::kIat, std::to_string(iat)},
                         {wire::kRequestId, std::string(request_id)}};
  return message;
}

inline void set_header(FakeMessage &message, std::string_view name, std::string_view value) {
  std::erase_if(message.header_list, [&](const Header &header) { return header.name == name; });
  message.header_list.push_back({std::string(name), std::string(value)});
}

inline MessagePtr to_message(FakeMessage message) {
  return std::make_unique<const FakeMessage>(std::move(message));
}

inline Result<MessagePtr> reply_message(std::string_view payload, bool is_error = false) {
  FakeMessage message;
  message.payload_text = payload;
  if (is_error) message.header_list = {{wire::kStatus, wire::kStatusError}};
  return to_message(std::move(message));
}

// Each request goes to `on_request`, which answers now, later, or never.
class ScriptedTransport : public Transport {
public:
  std::function<void(const Outbound &, std::chrono::milliseconds, OnReply)> on_request;

  Result<void> publish(const Outbound &) override { return {}; }
  Result<std::unique_ptr<Subscription>> subscribe(std::string subject, std::string, OnMessage) override {
    return fail(transport_error::kClosed, std::move(subject), "nothing to subscribe to");
  }
  void request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) override {
    on_request(message, timeout, std::move(on_reply));
  }
  std::size_t max_payload() const override { return std::size_t{1} << 20; }
  Result<void> flush(std::chrono::milliseconds) override { return {}; }
};

} // namespace trellis::test
