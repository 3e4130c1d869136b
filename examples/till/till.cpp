// A service with what isn't an rpc: it publishes an event, books it in a durable group, shows it live on a feed, counts
// it, and says how it is. Types, events and feeds are generated from the contract (docs/generate.md).
#include "till_service.h"
#include <list>
#include <mutex>

namespace {

using namespace acme::till;

struct Config {
  std::optional<std::string> broken_sku; // handlers throw at it, to see what that does
  std::optional<bool> broken_drawer;     // so does a health check
  static constexpr auto fields = std::tuple(trellis::field("broken_sku", &Config::broken_sku),
                                            trellis::field("broken_drawer", &Config::broken_drawer));
};

// What was sold. Events come on several workers, so one mutex guards the counts. A real one keeps them in a database,
// with an inbox (trellis/inbox.h): an event may come twice, and what is in memory ends with the process.
class Books {
public:
  void book(const Sold &sold) {
    const std::lock_guard lock(mutex_);
    quantities_[sold.sku] += sold.quantity;
  }
  void refuse(const std::string &sku) {
    const std::lock_guard lock(mutex_);
    unbooked_ = sku;
  }
  std::int64_t quantity(const std::string &sku) {
    const std::lock_guard lock(mutex_);
    const auto found = quantities_.find(sku);
    return found == quantities_.end() ? 0 : found->second;
  }
  // A health check: it has failed when it throws.
  trellis::CheckNote check() {
    const std::lock_guard lock(mutex_);
    if (unbooked_) throw std::runtime_error("a sale of " + *unbooked_ + " couldn't be booked");
    return {.summary = std::to_string(quantities_.size()) + " articles sold"};
  }

private:
  std::mutex mutex_; // guards what follows
  std::map<std::string, std::int64_t> quantities_;
  std::optional<std::string> unbooked_;
};

// Who watches. [thread-safe]
class Watchers {
public:
  void join(const Watch &in, const trellis::Stream<Sale> &stream) {
    {
      const std::lock_guard lock(mutex_);
      list_.push_back({in.sku, stream});
    }
    stream.on_cancel([this, id = stream.id()] { leave(id); });
  }
  void show(const Sale &sale) {
    const std::lock_guard lock(mutex_);
    for (const auto &watcher : list_)
      if (!watcher.sku || *watcher.sku == sale.sku) watcher.stream.emit(sale); // one that is gone is cancelled soon
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return list_.size();
  }

private:
  struct Watcher {
    std::optional<std::string> sku; // none: every sale
    trellis::Stream<Sale> stream;
  };
  void leave(trellis_stream id) {
    const std::lock_guard lock(mutex_);
    list_.remove_if([&](const auto &watcher) { return watcher.stream.id() == id; });
  }

  std::mutex mutex_; // guards what follows
  std::list<Watcher> list_;
};

struct Till {
  Config config;
  Books books;
  Watchers watchers;

  void touch(const std::string &sku) const {
    if (sku == config.broken_sku) throw std::runtime_error("the label of " + sku + " can't be read");
  }
};

void setup(trellis::Service &service) {
  const auto till = std::make_shared<Till>(service.config<Config>());
  const auto items = service.metric<trellis::metric::Counter>("till.items", "{item}", "Items sold.");

  service.typed_rpc<rpc::TillSell>([items](const Sale &in, trellis::Call &call) -> rpc::TillSell::Reply {
    const auto published = call.publish<events::TillSold>({.sku = in.sku, .quantity = in.quantity});
    items.add(static_cast<double>(in.quantity), {{"basket", in.quantity < 10 ? "small" : "large"}});
    return trellis::from_json<Receipt>(published); // its id is the event's
  });
  service.typed_rpc<rpc::TillBooked>([till](const Article &in, trellis::Call &) -> rpc::TillBooked::Reply {
    return Booked{.quantity = till->books.quantity(in.sku)};
  });

  // In the group each sale is booked, by one of all instances; what fails comes again.
  service.on_event<events::TillSold>("books", [till](const Sold &sold, trellis::Event &) {
    if (sold.sku == till->config.broken_sku) till->books.refuse(sold.sku);
    till->touch(sold.sku);
    till->books.book(sold);
  });
  // Live every instance hears of each sale, and shows it to those who watch there.
  service.on_live_event<events::TillSold>([till](const Sold &sold, trellis::Event &) {
    till->touch(sold.sku);
    till->watchers.show({.sku = sold.sku, .quantity = sold.quantity});
  });
  service.typed_feed<feeds::TillWatch>([till](const Watch &in, const trellis::Stream<Sale> &stream) {
    if (in.sku) till->touch(*in.sku);
    till->watchers.join(in, stream);
  });

  service.check("books", [till] { return till->books.check(); });
  service.check("drawer", [till] {
    if (till->config.broken_drawer.value_or(false)) throw std::runtime_error("the drawer is stuck");
  });
  service.health_info([till] { return "{\"watchers\":" + std::to_string(till->watchers.count()) + "}"; });
}

} // namespace

// Till.Health is answered by the host, from the checks.
TRELLIS_SERVICE(acme::till::kContractId, "till", "1.0.0", setup);
