#include "runtime/event_acks.h"

#include "contracts/json_write.h"
#include <algorithm>
#include <charconv>
#include <limits>
#include <rapidjson/document.h>

namespace trellis {
namespace {

std::vector<std::string_view> tokens_of(std::string_view subject) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto dot = subject.find('.');
    out.push_back(subject.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    subject.remove_prefix(dot + 1);
  }
}

std::optional<std::uint64_t> number_in(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (problem != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<std::chrono::nanoseconds> duration_in(const JsonValue *value) {
  if (!value || !value->IsInt64() || value->GetInt64() < 0) return std::nullopt;
  return std::chrono::nanoseconds(value->GetInt64());
}

} // namespace

// $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>, or with two more tokens before
// the stream (domain and account) and perhaps one at the end, as newer servers write it.
std::optional<AckSubject> parse_ack_subject(std::string_view reply) {
  constexpr std::size_t kShort = 9, kLong = 11;
  if (!reply.starts_with("$JS.ACK.")) return std::nullopt;
  const auto tokens = tokens_of(reply);
  if (tokens.size() != kShort && tokens.size() < kLong) return std::nullopt;
  const std::size_t delivered_at = tokens.size() == kShort ? 4 : 6;
  const auto delivered = number_in(tokens[delivered_at]), sequence = number_in(tokens[delivered_at + 1]);
  if (!delivered || !sequence || *delivered > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return AckSubject{static_cast<std::uint32_t>(*delivered), *sequence};
}

// After its first deliveries a message's deadline follows the backoff list; which entry belongs to a redelivery differs
// between server versions, so the shorter of the two neighbours counts.
std::chrono::nanoseconds ConsumerTimes::wait_for(std::uint32_t delivery) const {
  if (backoff.empty()) return ack_wait;
  const auto entry = [&](std::uint32_t at) { return backoff[std::min<std::size_t>(at, backoff.size() - 1)]; };
  const std::uint32_t before = delivery > 0 ? delivery - 1 : 0;
  return std::min(entry(before), entry(before > 0 ? before - 1 : 0));
}

bool ConsumerTimes::is_last(std::uint32_t delivery) const {
  return max_deliver > 0 && delivery >= max_deliver;
}

std::string ConsumerTimes::nak(std::uint32_t delivery) const {
  if (backoff.empty() || is_last(delivery)) return kNak;
  const std::size_t at = std::min<std::size_t>(delivery > 0 ? delivery - 1 : 0, backoff.size() - 1);
  if (backoff[at].count() == 0) return kNak;
  return std::string(kNak) + " " + JsonObjectText().number("delay", backoff[at].count()).str();
}

ConsumerTimes read_consumer_times(const JsonValue &config) {
  ConsumerTimes out;
  if (const auto wait = duration_in(find_member(config, "ack_wait"))) out.ack_wait = *wait;
  if (const auto *most = find_member(config, "max_deliver"); most && most->IsInt64())
    out.max_deliver = most->GetInt64();
  const auto *list = find_member(config, "backoff");
  if (!list || !list->IsArray()) return out;
  for (const auto &entry : list->GetArray())
    if (const auto pause = duration_in(&entry)) out.backoff.push_back(*pause);
  return out;
}

} // namespace trellis
