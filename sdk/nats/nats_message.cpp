#include "nats/nats_message.h"
#include "nats/connection.h"
#include <cstdlib>

namespace trellis {

namespace {

std::string_view view_of(const char *text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// A list that nats.c allocates for the caller; what it points to belongs to the message.
struct TextList {
  const char **texts = nullptr;
  int count = 0;
  TextList() = default;
  ~TextList() { std::free(static_cast<void *>(texts)); }
  TextList(const TextList &) = delete;
  TextList &operator=(const TextList &) = delete;
};

} // namespace

std::string_view NatsMessage::subject() const {
  return view_of(natsMsg_GetSubject(message_));
}
std::string_view NatsMessage::reply() const {
  return view_of(natsMsg_GetReply(message_));
}

std::string_view NatsMessage::payload() const {
  const char *data = natsMsg_GetData(message_);
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(natsMsg_GetDataLength(message_))};
}

std::string_view NatsMessage::header(std::string_view name) const {
  const char *value = nullptr;
  if (natsMsgHeader_Get(message_, std::string(name).c_str(), &value) != NATS_OK) return {};
  return view_of(value);
}

Headers NatsMessage::headers() const {
  Headers out;
  TextList names;
  if (natsMsgHeader_Keys(message_, &names.texts, &names.count) != NATS_OK) return out;
  for (int i = 0; i < names.count; ++i) {
    TextList values;
    if (natsMsgHeader_Values(message_, names.texts[i], &values.texts, &values.count) != NATS_OK) continue;
    for (int k = 0; k < values.count; ++k)
      out.push_back({names.texts[i], values.texts[k]});
  }
  return out;
}

Result<void> NatsMessage::respond(std::string_view payload, const Headers *headers) const {
  if (reply().empty()) return fail(transport_error::kNoReply, std::string(subject()), "the message asks for no answer");
  return connection_->publish({.subject = reply(), .payload = payload, .headers = headers});
}

Result<void> NatsMessage::respond_and_watch(std::string_view payload, const Headers *headers,
                                            OnUnheard on_unheard) const {
  if (reply().empty()) return fail(transport_error::kNoReply, std::string(subject()), "the message asks for no answer");
  return connection_->publish_watched({.subject = reply(), .payload = payload, .headers = headers},
                                      std::move(on_unheard));
}

std::uint64_t NatsMessage::connection() const {
  return connection_->id();
}

} // namespace trellis
