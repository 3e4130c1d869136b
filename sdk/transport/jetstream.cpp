#include "transport/jetstream.h"
#include "contracts/json_write.h"
#include "transport/jetstream_messages.h"
#include <algorithm>
#include <future>
#include <memory>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

constexpr std::size_t kRequestsUnderWay = 256; // the server drops API requests when 10000 wait, of all its clients

// The server removes an account's folder after its last stream was deleted, and a stream that is created in that moment
// finds its own folder gone. The next attempt makes it.
constexpr char kCreationFailed[] = "jetstream_10049";
constexpr int kCreateAgain = 3;

// One token of an API subject: a dot or a wildcard would ask for something else.
bool is_token(std::string_view name) {
  const auto breaks = [](char c) {
    return c == '.' || c == '*' || c == '>' || c == '/' || c == '\\' || static_cast<unsigned char>(c) <= ' ' ||
           c == 127;
  };
  return !name.empty() && std::none_of(name.begin(), name.end(), breaks);
}

tl::unexpected<Error> bad_name(std::string_view name) {
  return fail(jetstream_error::kInvalid, std::string(name), "is no name of a stream or consumer");
}

std::string last_by_subject(std::string_view subject) {
  return JsonObjectText().text("last_by_subj", subject).str();
}

Result<std::optional<StoredMessage>> read_last(const Result<JsonDocument> &answer, std::string_view subject) {
  if (!answer && answer.error().code == jetstream_error::kMessageNotFound) return std::nullopt;
  if (!answer) return tl::make_unexpected(answer.error());
  auto message = read_stored_message(*answer, subject);
  if (!message) return tl::make_unexpected(message.error());
  return std::move(*message);
}

Result<void> without_value(const Result<JsonDocument> &answer) {
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

} // namespace

std::string_view header_of(const StoredMessage &message, std::string_view name) {
  for (const auto &header : message.headers)
    if (header.name == name) return header.value;
  return {};
}

JetStream::JetStream(Transport &transport, std::chrono::milliseconds timeout)
    : transport_(transport), timeout_(timeout) {}

Result<JsonDocument> JetStream::api(std::string_view operation, std::string_view body) {
  return about(operation, operation, body);
}

Result<JsonDocument> JetStream::about(std::string_view where, std::string_view operation, std::string_view body) {
  const std::string subject = "$JS.API." + std::string(operation);
  const auto answer = request_and_wait(transport_, {.subject = subject, .payload = body}, timeout_);
  if (!answer) return tl::make_unexpected(answer.error());
  return read_api_answer((*answer)->payload(), where);
}

Result<JsonDocument> JetStream::stream_info(std::string_view stream) {
  if (!is_token(stream)) return bad_name(stream);
  return about(stream, "STREAM.INFO." + std::string(stream));
}

Result<JsonDocument> JetStream::create_stream(std::string_view stream, std::string_view config) {
  if (!is_token(stream)) return bad_name(stream);
  auto made = about(stream, "STREAM.CREATE." + std::string(stream), config);
  for (int again = 0; again < kCreateAgain && !made && made.error().code == kCreationFailed; ++again)
    made = about(stream, "STREAM.CREATE." + std::string(stream), config);
  return made;
}

Result<JsonDocument> JetStream::update_stream(std::string_view stream, std::string_view config) {
  if (!is_token(stream)) return bad_name(stream);
  return about(stream, "STREAM.UPDATE." + std::string(stream), config);
}

Result<void> JetStream::delete_stream(std::string_view stream) {
  if (!is_token(stream)) return bad_name(stream);
  return without_value(about(stream, "STREAM.DELETE." + std::string(stream)));
}

Result<JsonDocument> JetStream::consumer_info(std::string_view stream, std::string_view consumer) {
  if (!is_token(stream) || !is_token(consumer)) return bad_name(is_token(stream) ? consumer : stream);
  return about(consumer, "CONSUMER.INFO." + std::string(stream) + "." + std::string(consumer));
}

Result<JsonDocument> JetStream::create_consumer(std::string_view stream, std::string_view config) {
  if (!is_token(stream)) return bad_name(stream);
  const auto parsed = parse_json(config);
  const std::string name(parsed ? string_member(*parsed, "durable_name") : std::string_view());
  if (!is_token(name)) return bad_name(name);
  const std::string body = JsonObjectText().text("stream_name", stream).json("config", config).str();
  return about(name, "CONSUMER.DURABLE.CREATE." + std::string(stream) + "." + name, body);
}

Result<void> JetStream::delete_consumer(std::string_view stream, std::string_view consumer) {
  if (!is_token(stream) || !is_token(consumer)) return bad_name(is_token(stream) ? consumer : stream);
  return without_value(about(consumer, "CONSUMER.DELETE." + std::string(stream) + "." + std::string(consumer)));
}

Result<PubAck> JetStream::publish(std::string_view subject, std::string_view payload, const Headers *headers) {
  const auto reply =
      request_and_wait(transport_, {.subject = subject, .payload = payload, .headers = headers}, timeout_);
  if (!reply) return tl::make_unexpected(reply.error());
  return read_publish_answer((*reply)->payload(), subject);
}

Result<std::optional<StoredMessage>> JetStream::last_on(std::string_view stream, std::string_view subject) {
  if (!is_token(stream)) return bad_name(stream);
  const std::string request = "$JS.API.DIRECT.GET." + std::string(stream) + "." + std::string(subject);
  const auto answer = request_and_wait(transport_, {.subject = request}, timeout_);
  if (!answer) return tl::make_unexpected(answer.error());
  return read_direct_message(**answer, subject);
}

Result<std::optional<StoredMessage>> JetStream::last_on_leader(std::string_view stream, std::string_view subject) {
  if (!is_token(stream)) return bad_name(stream);
  return read_last(about(subject, "STREAM.MSG.GET." + std::string(stream), last_by_subject(subject)), subject);
}

Result<std::vector<StoredMessage>> JetStream::last_on_each(std::string_view stream,
                                                           const std::vector<std::string> &subjects) {
  if (!is_token(stream)) return bad_name(stream);
  using Answers = std::vector<std::shared_ptr<std::promise<Result<MessagePtr>>>>;
  const std::string request = "$JS.API.STREAM.MSG.GET." + std::string(stream);
  std::vector<StoredMessage> out;
  Answers answers;
  const auto send = [&](const std::string &subject) {
    const auto &promise = answers.emplace_back(std::make_shared<std::promise<Result<MessagePtr>>>());
    const std::string body = last_by_subject(subject);
    transport_.request({.subject = request, .payload = body}, timeout_,
                       [promise](Result<MessagePtr> reply) { promise->set_value(std::move(reply)); });
  };
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    while (answers.size() < std::min(subjects.size(), i + kRequestsUnderWay))
      send(subjects[answers.size()]);
    auto reply = std::exchange(answers[i], nullptr)->get_future().get();
    if (!reply) return tl::make_unexpected(reply.error());
    auto message = read_last(read_api_answer((*reply)->payload(), subjects[i]), subjects[i]);
    if (!message) return tl::make_unexpected(message.error());
    if (*message) out.push_back(std::move(**message));
  }
  return out;
}

Result<std::vector<std::string>> JetStream::subjects(std::string_view stream, std::string_view filter) {
  if (!is_token(stream)) return bad_name(stream);
  std::vector<std::string> out;
  for (std::uint64_t total = 1; out.size() < total;) {
    const std::string body =
        JsonObjectText().text("subjects_filter", filter).number("offset", static_cast<std::int64_t>(out.size())).str();
    const auto page = about(stream, "STREAM.INFO." + std::string(stream), body);
    if (!page) return tl::make_unexpected(page.error());
    const JsonValue *state = find_member(*page, "state");
    const JsonValue *found = state == nullptr ? nullptr : find_member(*state, "subjects");
    if (found == nullptr || !found->IsObject() || found->ObjectEmpty()) break;
    for (const auto &subject : found->GetObject())
      out.emplace_back(subject.name.GetString(), subject.name.GetStringLength());
    total = unsigned_member(*page, "total"); // absent in an answer that has everything
  }
  // Subjects that come or go between two pages move the others.
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

} // namespace trellis
