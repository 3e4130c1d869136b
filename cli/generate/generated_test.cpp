// Generated code at work: what it writes passes the contract's schemas, and what passes them it can read.
#include "contracts/canonical.h"
#include "contracts/manifest.h"
#include "contracts/schema.h"
#include "everything.h"
#include "everything_service.h"
#include "runtime/rpc_client_caller.h"
#include "runtime/rpc_fixture.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>

using namespace trellis;
using namespace acme::everything;

namespace {

const Manifest &manifest() {
  static const Manifest kManifest = Manifest::parse(contract_text()).value();
  return kManifest;
}

bool validates(std::string_view schema, const std::string &text) {
  const auto value = parse_json(text);
  REQUIRE(value);
  return Schema::compile(*manifest().schema(schema)).value().valid(*value);
}

std::string canonical(const std::string &text) {
  return canonical_json(*parse_json(text)).value();
}

// Reads and writes `text`, which is valid by `schema`, and gives what came out, which is valid, too.
template <class T>
std::string round_trip(std::string_view schema, const std::string &text) {
  INFO(text);
  REQUIRE(validates(schema, text));
  const auto value = json::decode<T>(text);
  INFO((value ? "" : value.problem().text()));
  REQUIRE(value);
  const auto written = json::encode(*value);
  INFO((written ? *written : written.problem().text()));
  REQUIRE(written);
  CHECK(validates(schema, *written));
  const auto again = json::decode<T>(*written);
  REQUIRE(again);
  CHECK(*again == *value);
  return *written;
}

// Nothing of it is lost.
template <class T>
void keeps(std::string_view schema, const std::string &text) {
  CHECK(canonical(round_trip<T>(schema, text)) == canonical(text));
}

template <class T>
std::string problem_of(const std::string &text) {
  const auto value = json::decode<T>(text);
  REQUIRE_FALSE(value);
  return value.problem().text();
}

const std::string kOrder =
    R"({"orderId":"o","kind":"order","level":"<=","lines":[{"sku":"s","count":3.0}],"note":null,)"
    R"("amount":1.5,"flag":true,"empty":null,"version":2,"undeclared":[1,{"a":null}])";

OrderPlaced order() {
  return OrderPlaced{.order_id = "o.1", .level = Level::new_, .lines = {{.sku = "s", .count = 2}}, .amount = 1e21};
}

} // namespace

TEST_CASE("a struct keeps all that its schema describes") {
  keeps<OrderPlaced>("OrderPlaced", kOrder + "}");
  keeps<OrderPlaced>("OrderPlaced",
                     kOrder + R"(,"header":{"id":"1","time":"2026-01-01T00:00:00Z"},"class":"c","std":"s",
    "to-json":"t","toJson":"u","2fa":false,"gr\u00f6\u00dfe":-3,"a\u0000b":"n","maybe":true,"huge":1e300,
    "matrix":[[1],[],[2,3]],"pair":["x",1],"byName":{"":{"sku":"","count":1},"~/":{"sku":"","count":1,"price":0.1}},
    "mixed":7,"untyped":5,"nothing":{"deep":[true]},"remark":null})");
}

TEST_CASE("absent, null and a text are three things") {
  const auto remark = [](const std::string &more) {
    const auto value = OrderPlaced::from_json(kOrder + more + "}");
    REQUIRE(value);
    return value->remark;
  };
  CHECK_FALSE(remark("").has_value());
  CHECK_FALSE(remark(R"(,"remark":null)")->has_value());
  CHECK(**remark(R"(,"remark":"r")") == "r");
}

TEST_CASE("unknown members are passed over, and the last of repeated ones counts") {
  const auto value = OrderPlaced::from_json(kOrder + R"(,"unknown":1,"orderId":"last"})");
  REQUIRE(value);
  CHECK(value->order_id == "last");
  CHECK(value->to_json()->find("unknown") == std::string::npos);
}

TEST_CASE("members are written in the schema's order") {
  const auto text = order().to_json();
  REQUIRE(text);
  CHECK(*text == R"({"orderId":"o.1","kind":"order","level":"new","lines":[{"sku":"s","count":2}],"note":null,)"
                 R"("amount":1e+21,"flag":false,"empty":null,"version":2,"undeclared":null})");
  CHECK(validates("OrderPlaced", *text));
}

TEST_CASE("a problem names the place") {
  CHECK(problem_of<OrderPlaced>("{}") == "/orderId: the member is missing");
  CHECK(problem_of<OrderPlaced>("[]") == "not an object");
  CHECK(problem_of<OrderPlaced>("{") == "not a JSON text");
  auto text = kOrder + R"(,"byName":{"a/b":{"sku":"s","count":1.5}}})";
  CHECK(problem_of<OrderPlaced>(text) == "/byName/a~1b/count: not an integer");
  text = kOrder + R"(,"matrix":[[1],[2,"x"]]})";
  CHECK(problem_of<OrderPlaced>(text) == "/matrix/1/1: not an integer");
  text = kOrder + R"(,"level":"middle"})";
  CHECK(problem_of<OrderPlaced>(text) == "/level: not one of the texts that are allowed here");
  text = kOrder + R"(,"version":3})";
  CHECK(problem_of<OrderPlaced>(text) == "/version: not the one value that is allowed here");
}

TEST_CASE("what JSON can't hold isn't written") {
  auto value = order();
  value.lines[0].sku = "\xFF";
  CHECK(value.to_json().problem().text() == "/lines/0/sku: the text is not UTF-8");
  value = order();
  value.amount = std::numeric_limits<double>::infinity();
  CHECK(value.to_json().problem().text() == "/amount: the number is not finite");
  value = order();
  value.undeclared.text = R"(1,"flag":true)";
  CHECK(value.to_json().problem().text() == "/undeclared: the RawJson is not JSON");
  value = order();
  value.level = static_cast<Level>(99);
  CHECK(value.to_json().problem().text() == "/level: the enumerator doesn't exist");
}

TEST_CASE("integers are doubles without fraction that fit into 64 bits") {
  const auto read = [](const std::string &number) { return json::decode<std::int64_t>(number); };
  CHECK(*read("1e3") == 1000);
  CHECK(*read("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  CHECK(*read("9007199254740993") == 9007199254740992); // as every reader of the protocol has it
  CHECK_FALSE(read("9223372036854775807"));             // is 2^63 as a double
  CHECK_FALSE(read("1e300"));
  CHECK_FALSE(read("0.5"));
  CHECK_FALSE(read("\"1\""));
}

TEST_CASE("enumerators have their texts") {
  CHECK(to_text(Level::empty).empty());
  CHECK(to_text(Level::a_b_2) == "a_b");
  Level level = Level::low;
  CHECK_FALSE(from_text("Low", level));
  CHECK(from_text("linux", level));
  CHECK(level == Level::linux_);
  keeps<Level>("Level", R"("")");
}

TEST_CASE("a union is read by its constants and kinds") {
  keeps<Shape>("Shape", R"({"kind":"circle","radius":1})");
  keeps<Shape>("Shape", R"({"kind":"square","side":0.5})");
  keeps<Shape>("Shape", R"("text")");
  keeps<Shape>("Shape", "[1,2]");
  keeps<Shape>("Shape", "null");
  const auto shape = json::decode<Shape>(R"({"kind":"square","side":2})");
  REQUIRE(shape);
  CHECK(std::get<ShapeSquare>(**shape).side > 1.9);
  CHECK(problem_of<Shape>(R"({"kind":"oval"})") == "none of the alternatives that are allowed here");
  keeps<Found>("Found", R"({"found":false})");
  keeps<Found>("Found", R"({"found":true,"value":{"a":[null]}})");
}

TEST_CASE("other members are kept where a schema speaks of them") {
  keeps<Open>("Open", R"({"name":"n","otherMembers":1,"x":2,"y":-3})");
  keeps<Guarded>("Guarded", R"({"x":1,"y":{}})");
  CHECK(problem_of<Open>(R"({"name":"n","x":"no"})") == "/x: not an integer");
  Open open;
  open.other_members_2["name"] = 1;
  CHECK(open.to_json().problem().text() == "/name: the member exists already");
}

TEST_CASE("everything else keeps what it holds") {
  keeps<Ping>("Ping", "{}");
  keeps<Anything>("Anything", R"({"a":[1.5,"\ud800",-0.25,1e-7,123456789012]})");
  keeps<Unclear>("Unclear", R"({"a":"x","c":[]})");
  keeps<Numbers>("Numbers", "[1,2.5,1e300]");
  keeps<Labels>("Labels", R"({"":"","a\u0000":"\ud83d\ude00\udc00"})");
  keeps<acme::everything::Event>("EVENT", "null");
  keeps<Joined>("Joined", R"({"header":{"id":"1"},"device":"d","count":1})");
  keeps<Settings>("Settings", R"({"theme":null})");
  keeps<Settings>("Settings", R"({"theme":"dark"})");
}

TEST_CASE("hostile depth is refused, not followed") {
  const std::string deep(100000, '[');
  CHECK(json::decode<RawJson>(deep).problem().message.find("512 nested") != std::string::npos);
  CHECK(json::decode<RawJson>(std::string(512, '[') + std::string(512, ']')));
}

TEST_CASE("subjects of events are those of the template") {
  using events::OrderPlaced;
  CHECK(OrderPlaced::subject("a.b", 1.5) == "events.v1.Order.Placed.a~2E~b.x.1~2E~5");
  CHECK(OrderPlaced::subject("", 1e21) == "events.v1.Order.Placed._.x.1e+21");
  CHECK(OrderPlaced::subject("$SYS \xC2\xA0", 0) == "events.v1.Order.Placed._$SYS~20~~A0~.x.0");
  CHECK(OrderPlaced::filter() == "events.v1.Order.Placed.*.x.*");
  CHECK(OrderPlaced::filter("*", 2) == "events.v1.Order.Placed.*.x.2");
  CHECK(OrderPlaced::filter(">") == "events.v1.Order.Placed.~3E~.x.*");
}

TEST_CASE("the embedded contract is the one that the code is made for") {
  CHECK(manifest().id() == kContractId);
  CHECK(manifest().digest() == kContractDigest);
}

// ------------------------------------------------------------------------------------------------------------ client

namespace {

struct Calls {
  SessionKey key = SessionKey::generate();
  test::ScriptedTransport transport;
  std::string sent, answer;
  bool is_error = false;
  RpcClient client{transport, key, [] { return test::kNow; }};
  RpcClientCaller caller{client};

  Calls() {
    REQUIRE(caller.add(manifest()));
    transport.on_request = [this](const Outbound &request, std::chrono::milliseconds, const Transport::OnReply &reply) {
      sent = request.payload;
      reply(test::reply_message(answer, is_error));
    };
  }
};

} // namespace

TEST_CASE("a program calls through a generated client") {
  Calls calls;
  calls.answer = R"("pong")";
  const auto answer = Client(calls.caller).ping({});
  REQUIRE(answer);
  CHECK(*answer == "pong");
  CHECK(calls.sent == "{}");
  std::string later;
  Client(calls.caller).ping_async({}, [&](rpc::Ping::Result result) { later = *result; });
  CHECK(later == "pong");
}

TEST_CASE("a declared error arrives with its members") {
  Calls calls;
  calls.is_error = true;
  calls.answer =
      R"({"id":"1","type":"QuotaExceeded","message":"no more","context":{},"limit":10,"used":11,"levels":["low"]})";
  const auto answer = Client(calls.caller).everything_place(order());
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().origin == RpcFailure::Origin::remote);
  CHECK_FALSE(answer.error<Gone>());
  const auto quota = answer.error<QuotaExceeded>();
  REQUIRE(quota);
  CHECK(quota->message == "no more");
  CHECK(quota->limit == 10);
  CHECK(quota->levels->front() == QuotaExceededLevelsItem::low);
}

TEST_CASE("a built-in error arrives with its members") {
  Calls calls;
  calls.is_error = true;
  calls.answer =
      R"({"id":"1","type":"AuthError","message":"Auth failed: forbidden","context":{},"reason":"forbidden"})";
  const auto answer = Client(calls.caller).everything_place(order());
  REQUIRE_FALSE(answer);
  CHECK(answer.error<AuthError>()->reason == "forbidden");
}

TEST_CASE("an input that JSON can't hold isn't sent") {
  Calls calls;
  auto bad = order();
  bad.order_id = "\xFF";
  const auto answer = Client(calls.caller).everything_place(bad);
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().type == "ValidationError");
  CHECK(answer.failure().message.find("/orderId") != std::string::npos);
  CHECK(calls.sent.empty());
}

TEST_CASE("a contract that wasn't added can't be called") {
  Calls calls;
  RpcClientCaller empty(calls.client);
  const auto answer = Client(empty).ping({});
  REQUIRE_FALSE(answer);
  CHECK(answer.failure().message.find("acme.everything@v2") != std::string::npos);
}

// ----------------------------------------------------------------------------------------------------------- service

namespace {

// What the host would be told.
struct FakeHost {
  std::string output, error_type, message, fields;
  int released = 0;
  trellis_host table{};

  FakeHost() {
    table.size = sizeof table;
    table.self = this;
    table.complete = [](void *self, trellis_call, trellis_str text) {
      static_cast<FakeHost *>(self)->output = view(text);
      return trellis_status{TRELLIS_OK};
    };
    table.fail = [](void *self, trellis_call, const trellis_error *error) {
      auto &host = *static_cast<FakeHost *>(self);
      host.error_type = view(error->type);
      host.message = view(error->message);
      host.fields = view(error->fields);
      return trellis_status{TRELLIS_OK};
    };
    table.release = [](void *self, trellis_call) {
      ++static_cast<FakeHost *>(self)->released;
      return trellis_status{TRELLIS_OK};
    };
  }
};

struct Everything : Handlers {
  std::optional<rpc::EverythingShape::Later> later;

  rpc::EverythingPlace::Reply everything_place(const OrderPlaced &in, Call &) override {
    if (in.order_id == "auth") return AuthError("forbidden");
    if (in.order_id == "full") return QuotaExceeded{.message = "no more", .limit = 1, .used = 2};
    if (in.order_id == "bad") return OrderPlaced{.order_id = "\xFF"};
    return in;
  }
  rpc::EverythingShape::Reply everything_shape(const Shape &, Call &call) override {
    later.emplace(call);
    return deferred;
  }
  rpc::Ping::Reply ping(const Ping &, Call &) override { return deferred; } // forgets to keep the call
  void everything_watch(const feeds::EverythingWatch::Input &, Stream<feeds::EverythingWatch::Event> stream) override {
    watching.emplace(std::move(stream));
  }
  std::optional<Stream<feeds::EverythingWatch::Event>> watching;
};

// Doesn't leave Everything.Health to the host.
struct Nurse : Everything, EverythingHealthHandler {
  rpc::EverythingHealth::Reply everything_health(const Ping &, Call &) override { return deferred; }
};

struct ServiceFixture {
  FakeHost host;
  Service service{&host.table, std::string(kContractId)};
  std::shared_ptr<Everything> handlers = std::make_shared<Everything>();
  const trellis_plugin *plugin;

  ServiceFixture() {
    serve(service, handlers);
    plugin = service.table();
  }
  void call(std::string_view name, const std::string &input) {
    trellis_request request{};
    request.size = sizeof request;
    request.call = 7;
    request.surface = str(name);
    request.input = str(input);
    plugin->handlers[0]->rpc(plugin->self, &request);
  }
  void place(const std::string &id) {
    auto value = order();
    value.order_id = id;
    call("Everything.Place", *value.to_json());
  }
};

} // namespace

TEST_CASE("serve registers every rpc and feed of the contract") {
  const ServiceFixture fixture;
  REQUIRE(fixture.plugin->handler_count == 4);
  CHECK(fixture.plugin->handlers[3]->kind == TRELLIS_SURFACE_FEED);
  CHECK(view(fixture.plugin->handlers[3]->name) == "Everything.Watch");
  CHECK(view(fixture.plugin->handlers[0]->name) == "Everything.Place");
  CHECK(view(fixture.plugin->handlers[0]->contract_id) == kContractId);
}

TEST_CASE("the rpc that the host answers by itself is registered only when the service has a handler for it") {
  const auto has_health = [](const std::shared_ptr<Handlers> &handlers) {
    FakeHost host;
    Service service(&host.table, std::string(kContractId));
    serve(service, handlers);
    const auto *plugin = service.table();
    return std::any_of(plugin->handlers, plugin->handlers + plugin->handler_count,
                       [](const auto *handler) { return view(handler->name) == "Everything.Health"; });
  };
  CHECK_FALSE(has_health(std::make_shared<Everything>()));
  CHECK(has_health(std::make_shared<Nurse>()));
}

TEST_CASE("a handler answers with its output or a declared error") {
  ServiceFixture fixture;
  fixture.place("x");
  CHECK(validates("OrderPlaced", fixture.host.output));
  fixture.place("full");
  CHECK(fixture.host.error_type == "QuotaExceeded");
  CHECK(fixture.host.message == "no more");
  CHECK(fixture.host.fields == R"({"limit":1,"used":2})");
  fixture.place("auth");
  CHECK(fixture.host.error_type == "AuthError");
  CHECK(fixture.host.fields == R"({"reason":"forbidden"})");
  fixture.place("bad");
  CHECK(fixture.host.error_type == "UnexpectedError");
  CHECK(fixture.host.message.find("/orderId") != std::string::npos);
}

TEST_CASE("a handler answers later, or never and is released") {
  ServiceFixture fixture;
  fixture.call("Everything.Shape", "null");
  CHECK(fixture.host.output.empty());
  CHECK(fixture.host.released == 0);
  fixture.handlers->later->complete({1, 2.5});
  CHECK(fixture.host.output == "[1,2.5]");
  fixture.call("Everything.Shape", "null");
  fixture.handlers->later.reset();
  CHECK(fixture.host.released == 1);
  fixture.call("Ping", "{}");
  CHECK(fixture.host.released == 2);
}

TEST_CASE("an input that passed its schema and doesn't fit its type is a ValidationError") {
  ServiceFixture fixture;
  fixture.call("Everything.Place", kOrder + R"(,"gr\u00f6\u00dfe":1e300})");
  CHECK(fixture.host.error_type == "ValidationError");
  CHECK(fixture.host.fields == "{\"issues\":[{\"path\":\"/gr\xC3\xB6\xC3\x9F"
                               "e\",\"message\":\"not an integer that fits\"}]}");
}
