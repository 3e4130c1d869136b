// JetStream's JSON API over a Transport: streams, consumers and direct reads, as far as the platform uses them.
//
// nats.c's own JetStream structs lack subject transforms of sources and filtered consumer creation, and a plugin has no
// nats.c at all; the API is JSON requests on `$JS.API.>`. Configurations are JSON texts: their members are the
// server's, and a struct here could only leave some out. All functions block until the answer or the timeout: not for
// network threads.
#pragma once

#include "contracts/json.h"
#include "transport/transport.h"
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// Codes besides those of transport_error: "jetstream_<err_code>" for an error answer ("jetstream_10059" = stream not
// found), where = stream or subject, message = the server's words; "jetstream_invalid": an answer that is no answer, or
// a name that would make another subject of the request.
namespace jetstream_error {
inline constexpr char kStreamNotFound[] = "jetstream_10059";
inline constexpr char kStreamExists[] = "jetstream_10058"; // with another configuration
inline constexpr char kConsumerNotFound[] = "jetstream_10014";
inline constexpr char kMessageNotFound[] = "jetstream_10037";
inline constexpr char kWrongLastSequence[] = "jetstream_10071";
inline constexpr char kWrongLastSequenceConstant[] = "jetstream_10164"; // the same, from newer servers
inline constexpr char kInvalid[] = "jetstream_invalid";
} // namespace jetstream_error

struct StoredMessage {
  std::string subject;
  std::string payload;
  Headers headers;
  std::uint64_t sequence = 0;
  std::string time; // RFC 3339
};
// First value of the header of exactly this name, "" when absent.
std::string_view header_of(const StoredMessage &message, std::string_view name);

struct PubAck {
  std::string stream;
  std::uint64_t sequence = 0;
  bool duplicate = false;
};

// The answer to a publish, for those who send it with Transport::request() because they can't wait; where = the
// subject.
Result<PubAck> read_publish_answer(std::string_view payload, std::string_view subject);

// [thread-safe] Holds nothing but the transport's reference.
class JetStream {
public:
  explicit JetStream(Transport &transport, std::chrono::milliseconds timeout = std::chrono::seconds(5));

  // `body` is the request's JSON, "" for none. The value is the answer's document.
  Result<JsonDocument> api(std::string_view operation, std::string_view body = {});

  Result<JsonDocument> stream_info(std::string_view stream);
  Result<JsonDocument> create_stream(std::string_view stream, std::string_view config);
  Result<JsonDocument> update_stream(std::string_view stream, std::string_view config);
  Result<void> delete_stream(std::string_view stream);
  // Durable or named consumers.
  Result<JsonDocument> consumer_info(std::string_view stream, std::string_view consumer);
  Result<JsonDocument> create_consumer(std::string_view stream, std::string_view config); // CONSUMER.DURABLE.CREATE
  Result<void> delete_consumer(std::string_view stream, std::string_view consumer);

  // Waits for the stream's acknowledgement: once it returns, the message is stored.
  Result<PubAck> publish(std::string_view subject, std::string_view payload, const Headers *headers = nullptr);
  // DIRECT.GET of the last message on `subject`; nullopt when there is none. Any replica answers, so it may miss what
  // was acknowledged a moment ago; a stream without allow_direct, or none at all, gives no_responders.
  Result<std::optional<StoredMessage>> last_on(std::string_view stream, std::string_view subject);
  // The same from the stream's leader (STREAM.MSG.GET): sees every acknowledged write, works on every stream.
  Result<std::optional<StoredMessage>> last_on_leader(std::string_view stream, std::string_view subject);
  // last_on_leader() of many subjects with several requests under way; in their order, without those that have none.
  Result<std::vector<StoredMessage>> last_on_each(std::string_view stream, const std::vector<std::string> &subjects);
  // Subjects with at least one message that match `filter`, through STREAM.INFO, page by page.
  Result<std::vector<std::string>> subjects(std::string_view stream, std::string_view filter);

private:
  Result<JsonDocument> about(std::string_view stream, std::string_view operation, std::string_view body = {});

  Transport &transport_;
  std::chrono::milliseconds timeout_;
};

} // namespace trellis
