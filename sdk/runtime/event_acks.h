// What a durable consumer answers a message with, and when (06 §6.4). Pure.
//
// The times are the consumer's own, as the server has them, not those of the binding: the server replaces ack_wait by
// the first backoff entry, and an adopted consumer may differ. A NAK carries the backoff as its delay, because without
// one the server delivers again at once and a failing handler burns all its deliveries within milliseconds; existing
// services have that defect. Only the last NAK has none: nothing comes after it, and a strict group would stand still
// for the delay.
#pragma once

#include "contracts/json.h"
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

inline constexpr char kAck[] = "+ACK";
inline constexpr char kNak[] = "-NAK"; // alone: again at once
inline constexpr char kTerm[] = "+TERM";
inline constexpr char kInProgress[] = "+WPI";

// Where a durable message stands, from its reply subject $JS.ACK.….
struct AckSubject {
  std::uint32_t delivery = 0; // how often it was delivered, this time included
  std::uint64_t stream_sequence = 0;
};
std::optional<AckSubject> parse_ack_subject(std::string_view reply); // nullopt when it is none

struct ConsumerTimes {
  std::chrono::nanoseconds ack_wait{std::chrono::seconds(30)};
  std::vector<std::chrono::nanoseconds> backoff;
  std::int64_t max_deliver = -1; // below 1: without limit

  // How long the server waits for an answer to the n-th delivery (1 = first).
  std::chrono::nanoseconds wait_for(std::uint32_t delivery) const;
  bool is_last(std::uint32_t delivery) const;
  // "-NAK" with the backoff after the n-th delivery.
  std::string nak(std::uint32_t delivery) const;
};
// From `config` of CONSUMER.INFO; what is missing or malformed keeps the server's default.
ConsumerTimes read_consumer_times(const JsonValue &config);

} // namespace trellis
