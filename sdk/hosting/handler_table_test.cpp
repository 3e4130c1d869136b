#include "hosting/handler_table.h"

#include <catch2/catch_test_macros.hpp>
#include <trellis/plugin.h>

using namespace trellis;
using namespace trellis::host;

namespace {

Manifest contract(const std::string &id, const std::vector<std::string> &names) {
  std::string rpc;
  for (const auto &name : names)
    rpc +=
        (rpc.empty() ? "" : ",") +
        ("\"" + name + "\":{\"version\":\"v1\",\"subject\":\"rpc.v1." + name + "\",\"input\":{\"schema\":\"Any\"},") +
        R"("output":{"schema":"Any"},"errors":[]})";
  auto made = Manifest::parse(R"({"format":"trellis.contract.v1","id":")" + id +
                              R"(","displayName":"A","description":"B","kind":"service","schemas":{"Any":{}},)" +
                              R"("rpc":{)" + rpc + "}}");
  INFO((made ? "" : made.error().text()));
  REQUIRE(made);
  return std::move(*made);
}

void answer(void *, const trellis_request *) {}

// A plugin's table, kept alive.
struct Table {
  std::vector<trellis_handler> handlers;
  std::vector<const trellis_handler *> pointers;
  trellis_plugin plugin{};

  void add(std::string_view contract_id, std::string_view name, trellis_rpc_fn function) {
    handlers.push_back({sizeof(trellis_handler),
                        TRELLIS_SURFACE_RPC,
                        {contract_id.data(), contract_id.size()},
                        {name.data(), name.size()},
                        function,
                        nullptr,
                        {},
                        {},
                        nullptr,
                        nullptr});
  }
  void listen(std::string_view contract_id, std::string_view name, std::string_view group = {}) {
    add(contract_id, name, nullptr);
    handlers.back().kind = TRELLIS_SURFACE_EVENT;
    handlers.back().event = [](void *, const trellis_event_delivery *, trellis_error_sink) { return TRELLIS_OK; };
    handlers.back().group = {group.data(), group.size()};
  }
  void feed(std::string_view contract_id, std::string_view name) {
    add(contract_id, name, nullptr);
    handlers.back().kind = TRELLIS_SURFACE_FEED;
    handlers.back().feed = [](void *, const trellis_feed_request *) {};
  }
  const trellis_plugin &get() {
    for (const auto &handler : handlers)
      pointers.push_back(&handler);
    plugin.size = sizeof plugin;
    plugin.handler_count = static_cast<std::uint32_t>(pointers.size());
    plugin.handlers = pointers.data();
    return plugin;
  }
};

} // namespace

TEST_CASE("a service has a function for each rpc of its contract") {
  const std::vector<Manifest> one{contract("acme.a@v1", {"A.One", "A.Two"})};
  Table table;
  table.add("acme.a@v1", "A.One", answer);
  table.add("acme.a@v1", "A.Two", nullptr);
  table.add("acme.b@v1", "B.One", answer);
  CHECK(table_disagreements(table.get(), one, PluginRole::service) ==
        std::vector<std::string>{"rpc \"A.Two\" of acme.a@v1 has a handler without a function",
                                 "rpc \"B.One\" of acme.b@v1 has a handler, but the contract doesn't declare it",
                                 "rpc \"A.Two\" of acme.a@v1 is in the contract, but has no handler"});
}

TEST_CASE("the host answers <Plugin>.Health in place of a handler, by either of a plugin's names") {
  const std::vector<Manifest> one{contract("acme.a@v1", {"A.One", "RtBilling.Health", "Other.Health"})};
  const auto answered = host_answered_rpcs("billing-eu", "rt-billing");
  CHECK(answered == std::vector<std::string>{"BillingEu.Health", "RtBilling.Health"});
  Table table;
  table.add("acme.a@v1", "A.One", answer);
  CHECK(table_disagreements(table.get(), one, PluginRole::service, answered) ==
        std::vector<std::string>{"rpc \"Other.Health\" of acme.a@v1 is in the contract, but has no handler"});
}

TEST_CASE("the control plane may list what it doesn't serve yet") {
  const std::vector<Manifest> two{contract("acme.a@v1", {"A.One", "A.Two"}), contract("acme.b@v1", {"B.One"})};
  Table table;
  table.add("acme.a@v1", "A.Two", nullptr);
  table.add("acme.a@v1", "A.One", answer);
  table.add("acme.b@v1", "B.One", nullptr);
  CHECK(table_disagreements(table.get(), two, PluginRole::control_plane).empty());
  CHECK(unserved_handlers(table.plugin) == std::vector<std::string>{"A.Two", "B.One"});
}

TEST_CASE("of the control plane's contracts each is served by it in whole, or by others") {
  const std::vector<Manifest> two{contract("acme.a@v1", {"A.One", "A.Two"}), contract("acme.b@v1", {"B.One"})};
  Table table;
  table.add("acme.a@v1", "A.One", answer);
  CHECK(table_disagreements(table.get(), two, PluginRole::control_plane) ==
        std::vector<std::string>{"rpc \"A.Two\" of acme.a@v1 is in the contract, but has no handler"});
}

TEST_CASE("a listener hears what the contract owns or uses, in a group that lists it") {
  const auto own = Manifest::parse(R"({
    "format": "trellis.contract.v1", "id": "acme.a@v1", "displayName": "A", "description": "a", "kind": "service",
    "schemas": {"Any": {}},
    "uses": {"optional": {"b": {"contract": "acme.b@v1", "events": {"publish": ["B.Sent"], "subscribe": ["B.Seen"]}}}},
    "events": {"A.Made": {"version": "v1", "subject": "events.v1.A.Made", "event": {"schema": "Any"}}},
    "eventConsumers": {"work": {"uses": {"b": ["B.Seen"]}, "self": ["A.Made"]}, "rest": {"self": ["A.Made"]}},
    "feeds": {"A.Watch": {"version": "v1", "subject": "feeds.v1.A.Watch", "input": {"schema": "Any"},
      "event": {"schema": "Any"}}}})");
  INFO((own ? "" : own.error().text()));
  REQUIRE(own);
  Table good;
  good.listen("acme.a@v1", "A.Made");
  good.listen("acme.a@v1", "A.Made", "work");
  good.listen("acme.b@v1", "B.Seen", "work");
  good.listen("acme.b@v1", "B.Seen");
  good.feed("acme.a@v1", "A.Watch");
  CHECK(table_disagreements(good.get(), {*own}, PluginRole::service).empty());
  CHECK(unserved_handlers(good.plugin).empty());

  Table bad;
  bad.listen("acme.b@v1", "B.Sent");
  bad.listen("acme.c@v1", "C.Any");
  bad.listen("acme.b@v1", "B.Seen", "rest");
  bad.listen("acme.a@v1", "A.Made", "none");
  bad.feed("acme.a@v1", "A.Other");
  CHECK(table_disagreements(bad.get(), {*own}, PluginRole::service) ==
        std::vector<std::string>{
            "event \"B.Sent\" of acme.b@v1 has a listener, but the contract neither owns it nor uses it to subscribe",
            "event \"C.Any\" of acme.c@v1 has a listener, but the contract neither owns it nor uses it to subscribe",
            "event \"B.Seen\" of acme.b@v1 has a listener in the group \"rest\", which doesn't list it",
            "event \"A.Made\" of acme.a@v1 has a listener in the group \"none\", which doesn't list it",
            "feed \"A.Other\" of acme.a@v1 has a handler, but the contract doesn't declare it",
            "feed \"A.Watch\" of acme.a@v1 is in the contract, but has no handler"});
}
