// trellis feed: subscribes to a feed and prints one event a line.
#include "call_errors.h"
#include "call_target.h"
#include "commands.h"
#include "contracts/json.h"
#include "runtime/feed_client.h"
#include "wire/ulid.h"
#include <chrono>
#include <csignal>
#include <ostream>
#include <rapidjson/document.h>
#include <thread>

namespace trellis::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConnectLimit{5000};
constexpr milliseconds kSignalPoll{200};

struct FeedArguments {
  CallArguments target;
  bool no_resubscribe = false;
  std::int64_t silence_ms = 0, count = 0;
};

// Ctrl-C and SIGTERM cancel the reader. The signals are blocked before any other thread starts, so that they come here.
class Interrupt {
public:
  Interrupt() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // While the result lives. `cancel` runs at most once.
  std::jthread watch(std::function<void()> cancel) const {
    return std::jthread([signals = signals_, cancel = std::move(cancel)](const std::stop_token &stop) {
      const timespec limit{0, std::chrono::nanoseconds(kSignalPoll).count()};
      while (!stop.stop_requested())
        if (sigtimedwait(&signals, nullptr, &limit) > 0) return cancel();
    });
  }

private:
  sigset_t signals_{};
};

FeedOptions reader_options(const FeedArguments &arguments) {
  FeedOptions options;
  options.timeout = milliseconds(arguments.target.timeout_ms);
  options.resubscribe = !arguments.no_resubscribe;
  options.silence_limit = milliseconds(arguments.silence_ms);
  options.request_id = arguments.target.request_id;
  return options;
}

bool is_cancelled(const CallError &error) {
  return error.envelope.code() == feed_error::kAborted;
}

// What the service said is inside the frame: the person at the terminal wants that.
CallError shown(CallError error) {
  const auto context = parse_json(error.envelope.context);
  if (!context || error.envelope.code() != feed_error::kFailed) return error;
  auto inner = parse_envelope(string_member(*context, "frame"));
  if (inner) return {std::move(*inner), false};
  return error;
}

// Until the stream's end. nullopt: by Ctrl-C, or with as many events as were asked for.
std::optional<CallError> print_events(FeedReader &reader, const FeedArguments &arguments, Output &out) {
  if (const auto opened = reader.open(); !opened) return opened.error();
  for (std::int64_t printed = 0; arguments.count == 0 || printed < arguments.count;) {
    const auto item = reader.next(FeedReader::Clock::time_point::max());
    if (!item) return item.error();
    if (item->kind == FeedReader::Kind::resubscribed)
      out.err() << "subscribed again: events may be missing" << std::endl;
    if (item->kind != FeedReader::Kind::event) continue;
    out.out() << item->event << std::endl;
    ++printed;
  }
  return std::nullopt;
}

int run_feed(const FeedArguments &arguments, Output &out) {
  const auto target = find_target(arguments.target, out);
  if (!target) return out.fail(target.error());
  const Interrupt interrupt; // after a login, whose prompts Ctrl-C ends as ever
  const auto loop = NatsLoop::start();
  if (!loop) return out.fail(loop.error());
  LastProblem problem;
  const auto transport = NatsTransport::open(**loop, connection_options(*target, "trellis feed", problem));
  if (!transport->wait_connected(kConnectLimit)) return out.fail(not_connected(*target, problem.last()));

  const FeedParticipant self{*transport, target->key, target->now};
  std::optional<CallError> end;
  {
    FeedReader reader(self, target->feed, arguments.target.input, reader_options(arguments));
    const auto watch = interrupt.watch([&reader] { reader.cancel(); });
    end = print_events(reader, arguments, out);
  }
  transport->close(kConnectLimit);
  if (!end || is_cancelled(*end)) return 0;
  return fail_call(arguments.target, *target, shown(std::move(*end)), out);
}

} // namespace

void add_feed_command(Command root) {
  const auto arguments = std::make_shared<FeedArguments>();
  auto &target = arguments->target;
  target.is_feed = true;
  auto feed = root.command("feed", "Subscribe to a feed and print one event a line, until it ends or Ctrl-C");
  feed.argument("FEED", target.rpc, "name of the feed, as in Orders.Watch");
  feed.argument("JSON", target.input, "its input");
  feed.option("--config", target.config,
              "trellis.toml of a host with static policy; without it the login session is used");
  feed.option("--as", target.caller,
              "caller of the policy file (default local); signs with callers/NAME.seed beside it");
  feed.option("--contract", target.contract, "contract id, manifest or plugin file, when the feed's name isn't enough");
  feed.number("--timeout", target.timeout_ms, 1, 3'600'000, "how long to wait for the feed to open, in milliseconds");
  feed.number("--count", arguments->count, 1, 1'000'000'000, "end after so many events");
  feed.number("--silence", arguments->silence_ms, 1, 86'400'000,
              "subscribe again when no event came for so long, in milliseconds");
  feed.flag("--no-resubscribe", arguments->no_resubscribe, "end when the stream is lost instead of subscribing again");
  feed.action([arguments](Output &out) { return run_feed(*arguments, out); });
}

} // namespace trellis::cli
