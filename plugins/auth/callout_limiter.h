// Who may be worked on now (03 §6.2): so many at once, so many of one client address, so many of one server.
//
// A pure class without threads or clock: the lane asks it under its own mutex. A waiter isn't timed out: the server
// that asked gives up by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

class CalloutLimiter {
public:
  struct Limits {
    std::size_t concurrent = 32, per_client_ip = 8, per_server = 16;
    std::size_t waiting = 256; // in total
  };
  enum class Entry { admitted, waiting, refused };
  using Ticket = std::uint64_t; // the caller's name for a request, unique among those inside

  CalloutLimiter() = default;
  explicit CalloutLimiter(Limits limits) : limits_(limits) {}

  Entry enter(Ticket ticket, std::string_view client_ip, std::string_view server_name);
  // An admitted one is done. Those that now fit, from the head of the queue: one that is blocked by its address
  // doesn't block others behind it.
  std::vector<Ticket> leave(Ticket ticket);

  std::size_t admitted() const { return admitted_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

private:
  struct Place {
    std::string client_ip, server_name;
  };
  using Counts = std::map<std::string, std::size_t, std::less<>>;
  bool fits(const Place &place) const;
  void admit(Ticket ticket, Place place);

  Limits limits_;
  std::map<Ticket, Place> admitted_;
  Counts by_client_ip_, by_server_; // of the admitted; entries leave at zero
  std::deque<std::pair<Ticket, Place>> waiting_;
};

} // namespace trellis::auth
