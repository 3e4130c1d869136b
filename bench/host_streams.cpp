#include "host_streams.h"

#include "nats/nats_transport.h"
#include "rpc_load.h"
#include "rpc_site.h"
#include "support/wait_until.h"
#include "transport/jetstream.h"
#include "wire/credentials.h"
#include "wire/names.h"
#include "wire/ulid.h"
#include <cstdlib>
#include <rapidjson/document.h>
#include <stdexcept>

namespace trellis::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr char kContract[] = "bench.streams@v1";
constexpr char kFeed[] = "feeds.v1.Streams.Watch";
constexpr int kInFlight = 256; // as host_stream_plugin.c
const std::string kPayload = R"({"message":")" + std::string(114, 'x') + R"("})";

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

// What a control plane would have made (02 §7.7).
void make_event_stream(test::LiveHost &host) {
  const auto user = expect(parse_credentials(test::read_file(host.bundle() / "nats/creds/trellis-auth.creds")));
  NatsOptions options;
  options.servers = {host.nats().url()};
  options.inbox_prefix = "_INBOX.bench";
  options.credentials = [&user]() -> Result<ConnectionCredentials> {
    return ConnectionCredentials{{user.jwt, user.seed.clone()}, {}, {}};
  };
  const auto transport = NatsTransport::open(host.loop(), std::move(options));
  if (!transport->wait_connected(10s)) throw std::runtime_error("no connection for making the stream");
  expect(JetStream(*transport).create_stream("trellis", R"({"name":"trellis","subjects":["events.>"]})"));
  transport->close(1s);
}

std::filesystem::path plugin() {
  return std::filesystem::path(std::getenv("TRELLIS_BUILD_DIR")) / "bench" / "bench-stream-plugin.so";
}

} // namespace

StreamSite::StreamSite() {
  make_event_stream(host_);
  host_.set_plugin("streams",
                   {.file = plugin(), .lines = "deadline_ms = 120000\nmax_streams_per_caller = 4096\nqueue = 4096\n"});
  host_.accept(plugin());
  host_.set_caller("bench", {{}, {{kContract, {"*"}}}});
  host_.start();
  if (!host_.logged({"plugin running", "\"streams\""})) throw std::runtime_error(host_.log());
  caller_ = host_.connect("bench");
  inbox_ = caller_->key().inbox_prefix() + ".frames.";
  client_ = connect("client", {kFeed}, {caller_->key().inbox_prefix() + ".>"});
  publisher_ = connect("floor", {"events.v1.>", inbox_ + "*"}, {"_INBOX.>"});
}

StreamSite::~StreamSite() {
  if (frames_ != nullptr) natsSubscription_Destroy(frames_);
  loop_.end();
  publisher_loop_.end();
  host_.stop();
}

std::unique_ptr<RawConnection> StreamSite::connect(const std::string &name, std::vector<std::string> publish,
                                                   std::vector<std::string> subscribe) {
  const auto file = write_credentials(host_.bundle(), folder_ / name, std::move(publish), std::move(subscribe));
  auto &loop = name == "client" ? loop_ : publisher_loop_;
  return std::make_unique<RawConnection>(host_.nats().url(), &loop, false, [&file](natsOptions *options) {
    return natsOptions_SetUserCredentialsFromFiles(options, file.c_str(), nullptr);
  });
}

void StreamSite::call(const std::string &rpc, int count) {
  const auto answer = caller_->call(kContract, rpc, R"({"count":)" + std::to_string(count) + "}", {.timeout = 120s});
  if (!answer) throw std::runtime_error(test::error_text(answer));
  if (*answer != R"({"failed":0})") throw std::runtime_error(rpc + " of " + std::to_string(count) + ": " + *answer);
}

double StreamSite::events_per_second(int count) {
  const auto begun = Clock::now();
  call("Streams.Publish", count);
  return count / seconds_since(begun);
}

double StreamSite::raw_events_per_second(int count) {
  jsOptions options;
  check(jsOptions_Init(&options), "js options");
  options.PublishAsync.MaxPending = kInFlight;
  options.PublishAsync.StallWait = 30'000;
  jsCtx *context = nullptr;
  check(natsConnection_JetStream(&context, publisher_->get(), &options), "js");
  const auto begun = Clock::now();
  for (int i = 0; i < count; ++i)
    check(js_PublishAsync(context, "events.v1.Streams.Ticked", kPayload.data(), static_cast<int>(kPayload.size()),
                          nullptr),
          "publish");
  check(js_PublishAsyncComplete(context, nullptr), "acknowledgements");
  const double taken = seconds_since(begun);
  jsCtx_Destroy(context);
  return count / taken;
}

void StreamSite::subscribe(int subscribers) {
  check(natsConnection_Subscribe(
            &frames_, client_->get(), (inbox_ + "*").c_str(),
            [](natsConnection *, natsSubscription *, natsMsg *message, void *self) {
              natsMsg_Destroy(message);
              ++static_cast<StreamSite *>(self)->received_;
            },
            this),
        "inbox");
  check(natsConnection_FlushTimeout(client_->get(), 5000), "flush");
  const auto requests = sign_requests(caller_->key(), {kFeed}, R"({"count":0})", static_cast<std::size_t>(subscribers));
  for (int i = 0; i < subscribers; ++i) {
    const auto &one = requests.requests[static_cast<std::size_t>(i)];
    natsMsg *message = nullptr;
    check(natsMsg_Create(&message, kFeed, (inbox_ + std::to_string(i)).c_str(), requests.payload.data(),
                         static_cast<int>(requests.payload.size())),
          "message");
    natsMsgHeader_Set(message, wire::kSessionKey, requests.session_key.c_str());
    natsMsgHeader_Set(message, wire::kProof, one.proof.c_str());
    natsMsgHeader_Set(message, wire::kIat, one.iat.c_str());
    natsMsgHeader_Set(message, wire::kRequestId, one.id.c_str());
    check(natsConnection_PublishMsg(client_->get(), message), "subscribe");
    natsMsg_Destroy(message);
  }
  await_deliveries(subscribers, Clock::now()); // a ready frame each
  subscribers_ = subscribers;
}

double StreamSite::await_deliveries(std::int64_t count, Clock::time_point begun) const {
  if (!test::wait_until([&] { return received_ >= count; }, 60s))
    throw std::runtime_error(std::to_string(received_) + " of " + std::to_string(count) + " frames came");
  return seconds_since(begun);
}

double StreamSite::deliveries_per_second(int events) {
  received_ = 0;
  const auto count = static_cast<std::int64_t>(events) * subscribers_;
  const auto begun = Clock::now();
  call("Streams.Emit", events);
  return static_cast<double>(count) / await_deliveries(count, begun);
}

double StreamSite::raw_deliveries_per_second(int events) {
  received_ = 0;
  const auto count = static_cast<std::int64_t>(events) * subscribers_;
  const auto begun = Clock::now();
  for (int event = 0; event < events; ++event)
    for (int i = 0; i < subscribers_; ++i)
      check(natsConnection_Publish(publisher_->get(), (inbox_ + std::to_string(i)).c_str(), kPayload.data(),
                                   static_cast<int>(kPayload.size())),
            "publish");
  return static_cast<double>(count) / await_deliveries(count, begun);
}

} // namespace trellis::bench
