// A service with state, a declared error, a capability, and a call to another service through `uses`. Its types and
// handlers, and those of the service that it calls, are generated from the contracts (docs/generate.md).
#include "echo.h"
#include "inventory_service.h"
#include <map>
#include <mutex>

namespace {

using namespace acme::inventory;

struct Config {
  std::map<std::string, std::int64_t> shelves; // sku -> items, from [plugins.inventory.config]
  std::optional<std::string> broken_shelf;     // a sku whose handler throws, to see what that does
  static constexpr auto fields =
      std::tuple(trellis::field("shelves", &Config::shelves), trellis::field("broken_shelf", &Config::broken_shelf));
};

// What the host checks [plugins.inventory.config] against before it loads this file.
TRELLIS_CONFIG_SCHEMA({
  "type" : "object",
  "additionalProperties" : false,
  "properties" : {
    "shelves" : {"type" : "object", "additionalProperties" : {"type" : "integer", "minimum" : 0}},
    "broken_shelf" : {"type" : "string"}
  }
});

// What is on the shelves. Handlers run on several workers, so one mutex guards the counts.
class Shelves : public Handlers {
public:
  explicit Shelves(Config config) : items_(std::move(config.shelves)), broken_(std::move(config.broken_shelf)) {}

  rpc::InventoryGet::Reply inventory_get(const Sku &in, trellis::Call &call) override {
    const auto label = acme::echo::Client(call).echo_say({.message = "shelf " + in.sku}).value();
    const std::lock_guard lock(mutex_);
    return Stock{.sku = in.sku, .available = items_[in.sku], .label = label.message};
  }

  rpc::InventoryTake::Reply inventory_take(const Take &in, trellis::Call &) override {
    if (in.sku == broken_) throw std::runtime_error("the shelf of " + in.sku + " is broken");
    const std::lock_guard lock(mutex_);
    auto &available = items_[in.sku];
    if (available < in.quantity)
      return OutOfStock{.message = "There are only " + std::to_string(available) + " of " + in.sku + ".",
                        .sku = in.sku,
                        .available = available};
    return Stock{.sku = in.sku, .available = available -= in.quantity};
  }

private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> items_;
  const std::optional<std::string> broken_;
};

void setup(trellis::Service &service) {
  serve(service, std::make_shared<Shelves>(service.config<Config>()));
}

} // namespace

TRELLIS_SERVICE(acme::inventory::kContractId, "inventory", "1.0.0", setup);
