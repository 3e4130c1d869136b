#include "callout_limiter.h"

#include <utility>

namespace trellis::auth {
namespace {

template <class Counts>
std::size_t count_of(const Counts &counts, std::string_view name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

template <class Counts>
void take_one(Counts &counts, std::string_view name) {
  const auto found = counts.find(name);
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

} // namespace

bool CalloutLimiter::fits(const Place &place) const {
  return admitted_.size() < limits_.concurrent && count_of(by_client_ip_, place.client_ip) < limits_.per_client_ip &&
         count_of(by_server_, place.server_name) < limits_.per_server;
}

void CalloutLimiter::admit(Ticket ticket, Place place) {
  ++by_client_ip_[place.client_ip];
  ++by_server_[place.server_name];
  admitted_.emplace(ticket, std::move(place));
}

// Nobody who waits fits (leave() saw to it), so one that fits overtakes nobody that could go.
CalloutLimiter::Entry CalloutLimiter::enter(Ticket ticket, std::string_view client_ip, std::string_view server_name) {
  Place place{std::string(client_ip), std::string(server_name)};
  if (fits(place)) {
    admit(ticket, std::move(place));
    return Entry::admitted;
  }
  if (waiting_.size() >= limits_.waiting) return Entry::refused;
  waiting_.emplace_back(ticket, std::move(place));
  return Entry::waiting;
}

std::vector<CalloutLimiter::Ticket> CalloutLimiter::leave(Ticket ticket) {
  const auto found = admitted_.find(ticket);
  if (found == admitted_.end()) return {};
  take_one(by_client_ip_, found->second.client_ip);
  take_one(by_server_, found->second.server_name);
  admitted_.erase(found);

  std::vector<Ticket> now_fit;
  for (auto waiter = waiting_.begin(); waiter != waiting_.end() && admitted_.size() < limits_.concurrent;) {
    if (!fits(waiter->second)) {
      ++waiter;
      continue;
    }
    now_fit.push_back(waiter->first);
    admit(waiter->first, std::move(waiter->second));
    waiter = waiting_.erase(waiter);
  }
  return now_fit;
}

} // namespace trellis::auth
