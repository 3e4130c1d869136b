#include "answer_ledger.h"

#include "contracts/json.h"
#include "wire/names.h"
#include "wire/ulid.h"
#include <rapidjson/document.h>
#include <stdexcept>

namespace trellis::test {

AnswerLedger::AnswerLedger(Caller &caller, std::string name, RpcMethod method)
    : caller_(caller), method_(std::move(method)), inbox_(caller.key().inbox_prefix() + "." + std::move(name) + ".") {
  auto subscription =
      caller_.transport().subscribe(inbox_ + "*", {}, [this](MessagePtr message) { on_answer(*message); });
  if (!subscription) throw std::runtime_error(subscription.error().text());
  subscription_ = std::move(*subscription);
  if (!caller_.transport().flush(std::chrono::seconds(5))) throw std::runtime_error("the server doesn't answer");
}

void AnswerLedger::send(const std::string &input) {
  const auto id = new_ulid();
  const auto request = sign_request(method_, input, caller_.key(), unix_ms_now() / 1000, id);
  if (!request) throw std::runtime_error(request.error().envelope.to_json());
  const std::string reply = inbox_ + id;
  {
    const std::lock_guard lock(mutex_);
    entries_[id].sent = Clock::now();
    ++totals_.sent;
    ++totals_.open;
  }
  const auto sent = caller_.transport().publish(
      {.subject = request->subject, .reply = reply, .payload = request->payload, .headers = &request->headers});
  if (!sent) throw std::runtime_error(sent.error().text());
}

std::string AnswerLedger::outcome_of(const Message &message) const {
  const bool is_error = message.header(wire::kStatus) == wire::kStatusError;
  if (!is_error) return decode_reply(method_, false, message.payload()) ? "ok" : "no answer of a service";
  const auto error = parse_json(message.payload());
  if (!error) return "an error that is no JSON";
  return std::string(string_member(*error, "code", string_member(*error, "type")));
}

void AnswerLedger::on_answer(const Message &message) {
  const std::string id(message.subject().substr(inbox_.size()));
  const std::string outcome = outcome_of(message);
  const std::lock_guard lock(mutex_);
  Entry &entry = entries_[id];
  if (++entry.answers == 2) ++totals_.twice;
  if (entry.answers > 1) return;
  ++totals_.answered;
  --totals_.open;
  ++totals_.outcomes[outcome];
  totals_.answer_ms[outcome].push_back(std::chrono::duration<double, std::milli>(Clock::now() - entry.sent).count());
  changed_.notify_all();
}

bool AnswerLedger::wait_open_below(std::size_t count, std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [&] { return totals_.open < count; });
}

AnswerLedger::Totals AnswerLedger::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

std::string AnswerLedger::Totals::text() const {
  std::string out = std::to_string(sent) + " sent, " + std::to_string(answered) + " answered, " +
                    std::to_string(twice) + " twice, " + std::to_string(open) + " unanswered:";
  for (const auto &[outcome, count] : outcomes)
    out += " " + std::to_string(count) + " x " + outcome;
  return out;
}

LedgerLoad::LedgerLoad(AnswerLedger &ledger, std::string input, std::size_t window)
    : ledger_(ledger), input_(std::move(input)), window_(window), thread_([this] { run(); }) {}

void LedgerLoad::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void LedgerLoad::run() {
  while (!stopping_)
    if (ledger_.wait_open_below(window_, std::chrono::milliseconds(200))) ledger_.send(input_);
}

} // namespace trellis::test
