#include "callout_testing.h"

#include "contracts/json.h"
#include "contracts/json_write.h"
#include "wire/jwt.h"
#include "wire/subjects.h"
#include "wire/xkey.h"
#include <rapidjson/document.h>
#include <stdexcept>
#include <utility>

namespace trellis::auth::testing {
namespace {

constexpr std::string_view kKv = "$KV.", kInfo = "$JS.API.STREAM.INFO.", kGet = "$JS.API.STREAM.MSG.GET.",
                           kEvents = "events.v1.", kKick = "$SYS.REQ.SERVER.";

template <class T>
T required(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + ": " + result.error().text());
  return std::move(*result);
}

std::string_view header_in(const Headers &headers, std::string_view name) {
  for (const auto &header : headers)
    if (header.name == name) return header.value;
  return {};
}

class TextMessage : public Message {
public:
  TextMessage(Sent sent, std::string reply, Journal *journal)
      : sent_(std::move(sent)), reply_(std::move(reply)), journal_(journal) {}
  std::string_view subject() const override { return sent_.subject; }
  std::string_view reply() const override { return reply_; }
  std::string_view payload() const override { return sent_.payload; }
  std::string_view header(std::string_view name) const override { return header_in(sent_.headers, name); }
  Headers headers() const override { return sent_.headers; }
  Result<void> respond(std::string_view payload, const Headers *headers) const override {
    if (journal_) journal_->add({sent_.connection, reply_, std::string(payload), headers ? *headers : Headers()});
    return {};
  }

private:
  Sent sent_;
  std::string reply_;
  Journal *journal_;
};

std::string error_answer(int code, int err_code) {
  JsonObjectText error;
  error.number("code", code).number("err_code", err_code).text("description", "refused");
  return JsonObjectText().json("error", error.str()).str();
}

bool is_marker(const Headers &headers) {
  return !header_in(headers, "KV-Operation").empty();
}

} // namespace

// ---------------------------------------------------------------- journal

void Journal::add(const Sent &sent) {
  std::function<void(const Sent &)> look;
  {
    const std::lock_guard lock(mutex_);
    sent_.push_back(sent);
    look = look_;
  }
  if (look) look(sent);
}

std::vector<Sent> Journal::all() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

std::vector<Sent> Journal::with_prefix(std::string_view subject_prefix) const {
  auto sent = all();
  std::erase_if(sent, [&](const Sent &message) { return !message.subject.starts_with(subject_prefix); });
  return sent;
}

void Journal::on_send(std::function<void(const Sent &)> look) {
  const std::lock_guard lock(mutex_);
  look_ = std::move(look);
}

// ---------------------------------------------------------------- transport

class RecordingTransport::Listening : public Subscription {
public:
  Listening(RecordingTransport &owner, int id) : owner_(owner), id_(id) {}
  ~Listening() override {
    const std::lock_guard lock(owner_.mutex_);
    owner_.subscriptions_.erase(id_);
  }
  void drain(std::function<void()> done) override { done(); }

private:
  RecordingTransport &owner_;
  int id_;
};

Result<void> RecordingTransport::publish(const Outbound &message) {
  Sent sent{name_, std::string(message.subject), std::string(message.payload),
            message.headers ? *message.headers : Headers()};
  journal_.add(sent);
  (void)answer(sent);
  return {};
}

Result<std::unique_ptr<Subscription>> RecordingTransport::subscribe(std::string subject, std::string,
                                                                    OnMessage on_message) {
  const std::lock_guard lock(mutex_);
  const int id = next_subscription_++;
  subscriptions_[id] = {std::move(subject), std::make_shared<OnMessage>(std::move(on_message))};
  return std::make_unique<Listening>(*this, id);
}

void RecordingTransport::request(const Outbound &message, std::chrono::milliseconds timeout, OnReply on_reply) {
  Sent sent{name_, std::string(message.subject), std::string(message.payload),
            message.headers ? *message.headers : Headers()};
  journal_.add(sent);
  if (silent_) {
    waited_ms_ += timeout.count();
    return on_reply(fail(transport_error::kTimeout, sent.subject, "no answer in time"));
  }
  auto text = answer(sent);
  if (!text) return on_reply(tl::make_unexpected(text.error()));
  on_reply(std::make_unique<TextMessage>(Sent{name_, "_INBOX.x", std::move(*text), {}}, "", nullptr));
}

bool RecordingTransport::deliver(const std::string &subject, const std::string &reply, const std::string &payload,
                                 const Headers &headers) {
  std::vector<std::shared_ptr<OnMessage>> receivers;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[id, subscription] : subscriptions_)
      if (subject_matches(subscription.first, subject)) receivers.push_back(subscription.second);
  }
  for (const auto &receive : receivers)
    (*receive)(std::make_unique<TextMessage>(Sent{name_, subject, payload, headers}, reply, &journal_));
  return !receivers.empty();
}

std::map<std::string, std::string> RecordingTransport::bucket(std::string_view name) const {
  const std::string prefix = std::string(kKv).append(name).append(".");
  std::map<std::string, std::string> values;
  const std::lock_guard lock(mutex_);
  for (const auto &[subject, stored] : stored_)
    if (subject.starts_with(prefix) && !is_marker(stored.headers))
      values[subject.substr(prefix.size())] = stored.payload;
  return values;
}

Result<std::string> RecordingTransport::answer(const Sent &sent) {
  const std::string_view subject = sent.subject;
  if (subject.starts_with(kKick)) return std::string("{}");
  if (!broken_ && subject.starts_with(kKv)) return store(sent);
  if (!broken_ && subject.starts_with(kInfo)) return stream_info(sent);
  if (!broken_ && subject.starts_with(kGet)) return last_message(sent);
  if (!broken_ && subject.starts_with(kEvents)) return std::string(R"({"stream":"trellis","seq":1})");
  return fail(transport_error::kNoResponders, sent.subject, "nobody answers");
}

Result<std::string> RecordingTransport::store(const Sent &sent) {
  const std::lock_guard lock(mutex_);
  auto &stored = stored_[sent.subject];
  const auto expected = header_in(sent.headers, "Nats-Expected-Last-Subject-Sequence");
  if (!expected.empty() && expected != std::to_string(stored.sequence)) return error_answer(400, 10071);
  stored = {sent.payload, sent.headers, ++sequence_};
  return JsonObjectText().text("stream", "KV_x").number("seq", static_cast<std::int64_t>(sequence_)).str();
}

std::string RecordingTransport::stream_info(const Sent &sent) {
  const auto request = parse_json(sent.payload);
  const std::string filter(request ? string_member(*request, "subjects_filter") : std::string_view());
  JsonObjectText subjects;
  const std::lock_guard lock(mutex_);
  for (const auto &[subject, stored] : stored_)
    if (subject_matches(filter, subject)) subjects.number(subject, 1);
  return JsonObjectText().json("state", JsonObjectText().json("subjects", subjects.str()).str()).str();
}

std::string RecordingTransport::last_message(const Sent &sent) {
  const auto request = parse_json(sent.payload);
  const std::string subject(request ? string_member(*request, "last_by_subj") : std::string_view());
  const std::lock_guard lock(mutex_);
  const auto found = stored_.find(subject);
  if (found == stored_.end()) return error_answer(404, 10037);
  std::string headers = "NATS/1.0\r\n";
  for (const auto &header : found->second.headers)
    headers.append(header.name).append(": ").append(header.value).append("\r\n");
  JsonObjectText message;
  message.text("subject", subject).number("seq", static_cast<std::int64_t>(found->second.sequence));
  message.text("data", base64_padded(as_bytes(found->second.payload)));
  message.text("hdrs", base64_padded(as_bytes(headers + "\r\n"))).text("time", "2026-01-01T00:00:00Z");
  return JsonObjectText().json("message", message.str()).str();
}

// ---------------------------------------------------------------- domain

Domain::Domain(std::vector<Manifest> builtin)
    : db(required(Database::open(folder.path() / "trellis.sqlite"))),
      catalog(std::move(builtin)), core{config, *db, catalog, [this] { return now.load(); },
                                        [this](Level, std::string_view message, std::string_view fields) {
                                          const std::lock_guard lock(log_mutex);
                                          log_lines.push_back(std::string(message).append(" ").append(fields));
                                        }},
      connections(core, auth, system, trellis) {}

void Domain::change(const std::function<void(Writer &)> &change) {
  const auto done = db->write(std::function<Result<void>(Writer &)>([&](Writer &writer) -> Result<void> {
    change(writer);
    return {};
  }));
  if (!done) throw std::runtime_error(done.error().text());
}

std::optional<Session> Domain::session(std::string_view session_key) {
  return required(required(db->read([&](Reader &reader) { return find_session(reader, session_key, 0); })));
}

CalloutKeys generated_callout_keys() {
  return {NkeySeed::generate(NkeyType::account), NkeySeed::generate(NkeyType::account),
          NkeySeed::generate(NkeyType::curve), NkeySeed::generate(NkeyType::account).public_text(),
          NkeySeed::generate(NkeyType::account).public_text()};
}

// ---------------------------------------------------------------- nats-server's side

std::string ServerSide::request_jwt(std::string_view nats, std::int64_t now_seconds, std::string_view audience) const {
  JwtClaims claims;
  claims.audience = audience;
  claims.subject = auth_account;
  claims.issued_at = now_seconds;
  claims.expires_at = now_seconds + 2;
  claims.nats = nats;
  return sign_jwt(claims, server);
}

std::string ServerSide::nats_claims(std::optional<std::string_view> auth_token, std::string_view client_info) const {
  JsonObjectText options;
  options.text("jwt", "e30.e30.e30").text("sig", "c2ln").text("lang", "C").text("version", "3.4").number("protocol", 1);
  if (auth_token) options.text("auth_token", *auth_token);
  JsonObjectText server_id;
  server_id.text("name", "n1").text("host", "0.0.0.0").text("id", server.public_text()).text("version", "2.10.27");
  server_id.text("xkey", xkey.public_text());
  JsonObjectText nats;
  nats.json("server_id", server_id.str()).text("user_nkey", user.public_text()).json("client_info", client_info);
  nats.json("connect_opts", options.str()).text("type", "authorization_request").number("version", 2);
  return nats.str();
}

Bytes ServerSide::sealed(std::string_view text, std::string_view callout_xkey) const {
  return required(xkey_seal(xkey, callout_xkey, as_bytes(text)));
}

std::string ServerSide::opened(ByteView payload, std::string_view callout_xkey) const {
  return std::string(as_text(required(xkey_open(xkey, callout_xkey, payload))));
}

} // namespace trellis::auth::testing
