#include "policy/remote_policy.h"
#include "contracts/json.h"
#include "policy/remote_policy_answers.h"
#include "wire/clock_offset.h"
#include "wire/connect_token.h"
#include "wire/url.h"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <rapidjson/document.h>
#include <utility>

namespace trellis {
namespace {

using namespace std::chrono_literals;

constexpr char kRoute[] = "/bootstrap/service";

// The request without its manifest.
std::string without_contract(JsonDocument &request) {
  request.RemoveMember("contract");
  return to_json(request);
}

} // namespace

// The control plane's clock, as far as its answers tell: the local one plus an offset (03 §7.4).
struct RemotePolicy::ServerClock {
  std::function<std::int64_t()> local; // Unix milliseconds
  std::atomic<double> offset_ms{0};

  std::int64_t now() const { return corrected_iat(local(), offset_ms); }
};

// One HTTP request and what became of it.
struct RemotePolicy::Exchange {
  Result<HttpAnswer> result;
  std::int64_t sent_ms = 0, received_ms = 0;
};

Result<std::unique_ptr<RemotePolicy>> RemotePolicy::open(RemotePolicyOptions options) {
  const auto url = parse_url(options.url);
  if (!url || (url->scheme != "http" && url->scheme != "https"))
    return fail("config_value", "policy.url", "\"" + options.url + "\" is no URL of a control plane",
                "an http or https URL");
  std::string endpoint = url->origin() + kRoute;
  return std::unique_ptr<RemotePolicy>(new RemotePolicy(std::move(options), std::move(endpoint)));
}

RemotePolicy::RemotePolicy(RemotePolicyOptions options, std::string endpoint)
    : options_(std::move(options)), endpoint_(std::move(endpoint)), server_clock_(std::make_shared<ServerClock>()),
      http_(options_.http), network_retry_(options_.network_retry_min) {
  server_clock_->local = options_.clock;
  thread_ = std::thread([this] { run(); });
}

RemotePolicy::~RemotePolicy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  http_.cancel();
  thread_.join();
  for (Question &question : questions_)
    question.done(undecided_answer("policy_closed", "the host ends"));
}

// ------------------------------------------------------------------------------------------------------ any thread

void RemotePolicy::bootstrap(std::string request, ArtifactFacts /*artifact*/, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && questions_.size() < options_.max_waiting) {
      questions_.push_back({std::move(request), std::move(done)});
      arrived_.notify_all();
      return;
    }
  }
  done(undecided_answer("policy_overloaded", "too many questions wait for the control plane"));
}

Result<ConnectionCredentials> RemotePolicy::credentials(const SessionKey &key, std::string_view contract_digest,
                                                        std::string_view use) {
  std::shared_ptr<const NatsCredentials> sentinel;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sentinels_.find(Principal(key.text(), contract_digest));
    if (found != sentinels_.end()) sentinel = found->second;
  }
  if (!sentinel)
    return fail("policy_denied", std::string(contract_digest), "the control plane doesn't accept this contract now",
                "an accepted authority plan");
  auto token = [key = std::make_shared<const SessionKey>(key.clone()), digest = std::string(contract_digest),
                purpose = std::string(use),
                clock = server_clock_] { return make_connect_token(*key, clock->now(), digest, purpose); };
  return ConnectionCredentials{
      {sentinel->jwt, sentinel->seed.clone()}, std::move(token), options_.clock() / 1000 + options_.jwt_life.count()};
}

// The control plane says what became of the principal; not at once, because it may deny for as long as it recovers.
void RemotePolicy::connection_denied(const SessionKey & /*key*/, std::string_view /*contract_digest*/) {
  ask_again_in(options_.network_retry_min);
}

std::shared_ptr<Validator> RemotePolicy::validator_for(Transport &transport, const SessionKey &key) {
  return std::make_shared<RequestValidator>(transport, key, [clock = server_clock_] { return clock->now(); });
}

std::int64_t RemotePolicy::now() const {
  return server_clock_->now();
}

void RemotePolicy::on_change(std::function<void()> changed) {
  const std::lock_guard lock(changed_mutex_);
  changed_ = std::move(changed);
}

Result<void> RemotePolicy::reload() {
  ask_again_in(0ms);
  return {};
}

void RemotePolicy::ask_again_in(std::chrono::milliseconds pause) {
  const auto at = Clock::now() + pause;
  const std::lock_guard lock(mutex_);
  if (!ask_again_ || at < *ask_again_) ask_again_ = at;
  arrived_.notify_all();
}

// ------------------------------------------------------------------------------------------------------- its thread

void RemotePolicy::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!questions_.empty()) {
      const Question question = std::move(questions_.front());
      questions_.pop_front();
      lock.unlock();
      question.done(ask(question.request));
      lock.lock();
    } else if (!ask_again_) {
      arrived_.wait(lock);
    } else if (const auto at = *ask_again_; Clock::now() < at) {
      arrived_.wait_until(lock, at);
    } else {
      ask_again_.reset();
      lock.unlock();
      call_changed();
      lock.lock();
    }
  }
}

void RemotePolicy::call_changed() {
  const std::lock_guard lock(changed_mutex_);
  if (changed_) changed_();
}

PolicyAnswer RemotePolicy::ask(const std::string &request) {
  auto parsed = parse_json(request, {std::size_t{8} << 20, 512});
  if (!parsed || !parsed->IsObject())
    return {400, R"({"reason":"invalid_request","message":"the request is no JSON object"})"};
  const Principal principal(string_member(*parsed, "sessionKey"), string_member(*parsed, "contractDigest"));
  const bool has_manifest = find_member(*parsed, "contract") != nullptr;
  if (has_manifest && !wants_manifest_.contains(principal)) {
    auto first = exchange(without_contract(*parsed));
    const bool wanted = first.result && judge_remote_answer(first.result->status, first.result->body, {}).step ==
                                            RemoteStep::send_manifest;
    if (!wanted) return settle(principal, std::move(first));
    wants_manifest_.insert(principal);
  }
  return settle(principal, exchange(request));
}

RemotePolicy::Exchange RemotePolicy::exchange(std::string_view body) {
  const std::int64_t sent = options_.clock();
  auto result = http_.post_json(endpoint_, body);
  return {std::move(result), sent, options_.clock()};
}

PolicyAnswer RemotePolicy::settle(const Principal &principal, Exchange exchange) {
  if (!exchange.result) return unreachable(exchange.result.error().text(), {});
  const HttpAnswer &answer = *exchange.result;
  const auto pause = retry_after(answer.header("retry-after"), exchange.received_ms);
  auto verdict = judge_remote_answer(answer.status, answer.body, principal.first);
  if (verdict.step == RemoteStep::no_answer) {
    const auto message = parse_json(verdict.answer.body);
    return unreachable(endpoint_ + ": " + std::string(message ? string_member(*message, "message") : ""), pause);
  }
  network_retry_ = options_.network_retry_min;
  const bool corrected = verdict.server_now && correct_clock(*verdict.server_now, exchange);
  switch (verdict.step) {
  case RemoteStep::ready: wants_manifest_.erase(principal); break;
  case RemoteStep::wait: wants_manifest_.insert(principal); [[fallthrough]];
  case RemoteStep::send_manifest: // it came and was wanted again
    ask_again_in(pause.value_or(options_.pending_retry));
    break;
  case RemoteStep::refused: ask_again_in(std::max(options_.refused_retry, pause.value_or(0ms))); break;
  case RemoteStep::correct_clock:
    ask_again_in(pause.value_or(corrected ? 0ms : options_.pending_retry));
    // Nothing was decided: who was ready stays so.
    return undecided_answer("iat_out_of_range", clock_difference(server_clock_->offset_ms));
  case RemoteStep::no_answer: break;
  }
  const std::lock_guard lock(mutex_);
  if (verdict.sentinel)
    sentinels_[principal] = std::move(verdict.sentinel);
  else
    sentinels_.erase(principal);
  return verdict.answer;
}

// False when that changes next to nothing: asking again at once wouldn't help.
bool RemotePolicy::correct_clock(std::int64_t server_now, const Exchange &exchange) {
  const double offset = clock_offset_ms(exchange.sent_ms, exchange.received_ms, server_now);
  return std::abs(offset - server_clock_->offset_ms.exchange(offset)) >= 1000;
}

// Who was ready keeps the credentials: a control plane that is down refuses nobody.
PolicyAnswer RemotePolicy::unreachable(const std::string &message, std::optional<std::chrono::milliseconds> pause) {
  bool waits = false;
  {
    const std::lock_guard lock(mutex_);
    waits = ask_again_.has_value();
  }
  if (!waits) { // all questions of one round fail together
    ask_again_in(pause.value_or(network_retry_));
    network_retry_ = std::min(network_retry_ * 2, options_.network_retry_max);
  }
  return undecided_answer("policy_unreachable", message);
}

} // namespace trellis
