#include "runtime/metrics_events.h"

#include "runtime/event_acks.h"
#include <span>

namespace trellis {
namespace {

constexpr MetricInfo kDeliveries{MetricKind::counter, "trellis.event.consumer.deliveries", "{event}",
                                 "Events that listeners took, redeliveries included."};
constexpr MetricInfo kAcks{MetricKind::counter, "trellis.event.consumer.acks", "{event}",
                           "Answers of consumer groups to the stream."};
constexpr MetricInfo kPublished{MetricKind::counter, "trellis.event.publisher.events", "{event}",
                                "Events that were published, or failed to be."};

struct Answer {
  std::string_view body, outcome;
};
constexpr std::array<Answer, 3> kAnswers = {{{kAck, "ack"}, {kNak, "nak"}, {kTerm, "term"}}};

} // namespace

EventConsumerMetrics::EventConsumerMetrics(MetricSet &set, std::string_view event, std::string_view group) {
  std::array<MetricAttribute, 3> attributes = {{{"trellis.operation", event},
                                                {"trellis.mode", group.empty() ? "ephemeral" : "durable"},
                                                {"trellis.group", group}}};
  deliveries_ = set.counter(kDeliveries, std::span(attributes).first(group.empty() ? 2 : 3)).value_or(nullptr);
  for (std::size_t i = 0; i < kAnswers.size() && !group.empty(); ++i) {
    attributes[1] = {"trellis.outcome", kAnswers.at(i).outcome};
    acks_.at(i) = set.counter(kAcks, attributes).value_or(nullptr);
  }
}

void EventConsumerMetrics::delivered() {
  if (deliveries_) deliveries_->count();
}

void EventConsumerMetrics::answered(std::string_view ack) {
  for (std::size_t i = 0; i < kAnswers.size(); ++i)
    if (ack.starts_with(kAnswers.at(i).body) && acks_.at(i)) acks_.at(i)->count();
}

void count_published(MetricSet &set, std::string_view event, bool acknowledged) {
  const std::array<MetricAttribute, 2> attributes = {
      {{"trellis.operation", event}, {"trellis.outcome", acknowledged ? "ok" : "failed"}}};
  if (const auto counter = set.counter(kPublished, attributes)) (*counter)->count();
}

} // namespace trellis
