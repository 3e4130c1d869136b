// A service with state, a declared error, a capability, and a call to another service through `uses`.
#include <map>
#include <mutex>
#include <trellis/service.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1",
  "id": "acme.inventory@v1",
  "displayName": "Inventory",
  "description": "Counts what is on the shelves.",
  "kind": "service",
  "capabilities": {
    "acme.inventory::stock.take": {
      "displayName": "Take stock",
      "description": "May take items off the shelves.",
      "consequence": "Taken items can't be sold again."
    }
  },
  "uses": {"required": {"echo": {"contract": "acme.echo@v1", "rpc": {"call": ["Echo.Say"]}}}},
  "schemas": {
    "Sku": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string", "minLength": 1}}},
    "Take": {
      "type": "object",
      "required": ["sku", "quantity"],
      "properties": {"sku": {"type": "string", "minLength": 1}, "quantity": {"type": "integer", "minimum": 1}}
    },
    "Stock": {
      "type": "object",
      "required": ["sku", "available"],
      "properties": {
        "sku": {"type": "string"},
        "available": {"type": "integer", "minimum": 0},
        "label": {"type": "string"}
      }
    },
    "OutOfStockData": {
      "type": "object",
      "required": ["id", "type", "message", "sku", "available"],
      "properties": {
        "id": {"type": "string"},
        "type": {"type": "string", "const": "OutOfStock"},
        "message": {"type": "string"},
        "sku": {"type": "string"},
        "available": {"type": "integer"}
      }
    }
  },
  "errors": {"OutOfStock": {"type": "OutOfStock", "schema": {"schema": "OutOfStockData"}}},
  "rpc": {
    "Inventory.Get": {
      "version": "v1",
      "subject": "rpc.v1.Inventory.Get",
      "input": {"schema": "Sku"},
      "output": {"schema": "Stock"}
    },
    "Inventory.Take": {
      "version": "v1",
      "subject": "rpc.v1.Inventory.Take",
      "input": {"schema": "Take"},
      "output": {"schema": "Stock"},
      "capabilities": {"call": ["acme.inventory::stock.take"]},
      "errors": [{"type": "OutOfStock"}]
    }
  }
});

namespace {

struct Sku {
  std::string sku;
  static constexpr auto fields = std::tuple(trellis::field("sku", &Sku::sku));
};

struct Take {
  std::string sku;
  int quantity = 0;
  static constexpr auto fields =
      std::tuple(trellis::field("sku", &Take::sku), trellis::field("quantity", &Take::quantity));
};

struct Stock {
  std::string sku;
  int available = 0;
  std::optional<std::string> label;
  static constexpr auto fields =
      std::tuple(trellis::field("sku", &Stock::sku), trellis::field("available", &Stock::available),
                 trellis::field("label", &Stock::label));
};

struct Message {
  std::string message;
  static constexpr auto fields = std::tuple(trellis::field("message", &Message::message));
};

struct Config {
  std::map<std::string, int> shelves; // sku -> items, from [plugins.inventory.config]
  static constexpr auto fields = std::tuple(trellis::field("shelves", &Config::shelves));
};

// What is on the shelves. Handlers run on several workers, so one mutex guards the counts.
class Shelves {
public:
  explicit Shelves(std::map<std::string, int> items) : items_(std::move(items)) {}

  int available(const std::string &sku) {
    const std::lock_guard lock(mutex_);
    return items_[sku];
  }

  int take(const Take &wanted) {
    const std::lock_guard lock(mutex_);
    int &available = items_[wanted.sku];
    if (available < wanted.quantity)
      throw trellis::Fault("OutOfStock", "There are only " + std::to_string(available) + " of " + wanted.sku + ".",
                           Stock{wanted.sku, available, {}});
    return available -= wanted.quantity;
  }

private:
  std::mutex mutex_;
  std::map<std::string, int> items_;
};

void setup(trellis::Service &service) {
  const auto shelves = std::make_shared<Shelves>(service.config<Config>().shelves);

  service.rpc("Inventory.Get", [shelves](const Sku &in, trellis::Call &call) {
    const auto label = call.call<Message>("acme.echo@v1", "Echo.Say", Message{"shelf " + in.sku});
    return Stock{in.sku, shelves->available(in.sku), label.message};
  });

  service.rpc("Inventory.Take", [shelves](const Take &in, trellis::Call &) {
    return Stock{in.sku, shelves->take(in), {}};
  });
}

} // namespace

TRELLIS_SERVICE("acme.inventory@v1", "inventory", "1.0.0", setup);
