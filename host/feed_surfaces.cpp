#include "feed_surfaces.h"

#include "abi/abi_values.h"
#include "generation.h"
#include "hosting/workers.h"
#include "plugin_connection.h"
#include "runtime/metrics_surfaces.h"
#include <algorithm>
#include <utility>

namespace trellis::host {
namespace {

constexpr std::chrono::milliseconds kConnectTime{10'000}; // for the server to have the subscriptions when open returns
constexpr std::chrono::milliseconds kCloseTime{2000};     // for the last frames to leave

trellis_feed_request request_of(const FeedStreams::Open &open) {
  const auto &request = open.request;
  return {sizeof(trellis_feed_request),
          0,
          open.handle,
          str(open.feed.method.name),
          str(request.input),
          str(request.caller->caller),
          str(request.session_key),
          str(request.request_id),
          str(request.traceparent),
          str(request.tracestate)};
}

} // namespace

bool has_feeds(const Manifest &contract) {
  return contract.model().feeds && !contract.model().feeds->empty();
}

FeedSurfaces::FeedSurfaces(SurfaceContext context)
    : context_(std::move(context)),
      streams_(context_.config.feed_limits, context_.service, context_.validator, hooks()) {}

FeedSurfaces::~FeedSurfaces() = default;

FeedStreams::Hooks FeedSurfaces::hooks() {
  return {[this](FeedStreams::Handle handle, const FeedStreams::Feed &feed) {
            const auto run = [](void *self, std::uint64_t stream) {
              static_cast<FeedSurfaces *>(self)->run_begin(stream);
            };
            return context_.workers.post({run, this, handle, feed.method.name});
          },
          [this](FeedStreams::Handle handle, const FeedStreams::Feed &feed) {
            const auto run = [](void *self, std::uint64_t stream) {
              static_cast<FeedSurfaces *>(self)->run_cancel(stream);
            };
            // At most one for each open stream, and it must not get lost: past the queue's limit too.
            context_.workers.post({run, this, handle, feed.method.name}, Workers::Limit::none);
          },
          [this](FeedStreams::Problem problem, const FeedStreams::Feed &feed, const std::string &detail) {
            report(problem, feed, detail);
          },
          [this](const FeedStreams::Feed &feed, const RpcReply &error) {
            count_feed_error(context_.metrics.errors(), feed.method.name, error);
          }};
}

Result<void> FeedSurfaces::open() {
  auto options = plugin_connection(context_.host, context_.config, context_.contracts.front(), context_.key, "stream");
  options.linger_max = std::chrono::hours(24 * 365); // as long as its JWT and its streams live
  options.on_connection_end = [this](std::uint64_t connection, bool alive) {
    streams_.connection_ended(connection, alive);
  };
  transport_ = NatsTransport::open(context_.host.loop, std::move(options));
  for (std::uint32_t i = 0; i < context_.plugin.handler_count; ++i)
    if (const auto &handler = *context_.plugin.handlers[i]; handler.kind == TRELLIS_SURFACE_FEED)
      if (auto done = subscribe(handler); !done) return done;
  // Without a connection by then the subscriptions are made when there is one.
  if (transport_->wait_connected(kConnectTime)) static_cast<void>(transport_->flush(kCloseTime));
  return {};
}

Result<void> FeedSurfaces::subscribe(const trellis_handler &handler) {
  const auto contract = std::ranges::find(context_.contracts, view(handler.contract_id), &Manifest::id);
  auto method = compile_feed(*contract, view(handler.name));
  if (!method) return tl::make_unexpected(method.error());
  const std::string subject = wildcard_subject(method->subject); // a template's tokens are each caller's (06 §1.1)
  handlers_.push_back(&handler);
  const auto &feed = streams_.add(std::move(*method));
  auto subscription = transport_->subscribe(
      subject, subject, [this, &feed](MessagePtr message) { streams_.arrive(feed, std::move(message)); });
  if (!subscription) return tl::make_unexpected(subscription.error());
  subscriptions_.push_back(std::move(*subscription));
  return {};
}

// [worker] The request's struct lives as long as the stream's memory does: until the plugin closes it.
void FeedSurfaces::run_begin(FeedStreams::Handle handle) {
  auto *open = streams_.begin(handle);
  if (!open) return;
  struct Begun { // also when the handler ends its thread: the stream has to end some day
    FeedStreams &streams;
    FeedStreams::Handle handle;
    ~Begun() { streams.begun(handle); }
  } const begun{streams_, handle};
  const auto request = std::make_shared<trellis_feed_request>(request_of(*open));
  open->attachment = request;
  handlers_[open->feed.index]->feed(context_.plugin.self, request.get()); // `open` may be gone after this
}

// [worker]
void FeedSurfaces::run_cancel(FeedStreams::Handle handle) {
  const auto *feed = streams_.cancelling(handle);
  if (!feed) return; // the plugin closed it meanwhile
  const auto &handler = *handlers_[feed->index];
  if (TRELLIS_HAS(trellis_handler, &handler, feed_cancel) && handler.feed_cancel)
    handler.feed_cancel(context_.plugin.self, handle);
}

void FeedSurfaces::report(FeedStreams::Problem problem, const FeedStreams::Feed &feed,
                          const std::string &detail) const {
  using Kind = FeedStreams::Problem;
  const auto kind = problem == Kind::overloaded  ? CallEvent::Kind::overloaded
                    : problem == Kind::too_many  ? CallEvent::Kind::too_many_streams
                    : problem == Kind::bad_event ? CallEvent::Kind::bad_output
                                                 : CallEvent::Kind::bad_error;
  context_.report({kind, feed.method.name, detail});
}

void FeedSurfaces::drain(std::function<void()> done) {
  auto ended = [this, done = std::move(done)] {
    streams_.end_all();
    done();
  };
  if (subscriptions_.empty()) return ended();
  const auto one = when_all(subscriptions_.size(), std::move(ended));
  for (auto &subscription : subscriptions_)
    subscription->drain(one);
}

bool FeedSurfaces::wait_idle(Clock::time_point until) {
  subscriptions_.clear();
  streams_.end_all(); // also when the drain took too long
  return streams_.wait_empty(until);
}

void FeedSurfaces::stop(Clock::time_point) {
  for (const auto &[name, count] : streams_.held())
    context_.host.log.warn("streams that the plugin didn't close in time",
                           {{"plugin", context_.config.name}, {"surface", name}, {"count", count}});
  if (transport_) transport_->close(kCloseTime);
}

void FeedSurfaces::rotate() {
  if (transport_) transport_->rotate();
}

} // namespace trellis::host
