// Structs that a plugin makes, cut off at every size: what the host takes from them, and that it reads no further.
#include "abi/abi_values.h"
#include "abi/health_table.h"
#include "hosting/handler_table.h"
#include "hosting/loader.h"

#include "tests/support/guarded.h"
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <trellis/plugin.h>

using namespace trellis;
using namespace trellis::host;
using trellis::test::Guarded;

namespace {

trellis_status never_made(const trellis_host *, const trellis_plugin **, trellis_error_sink) {
  return TRELLIS_E_FAILED;
}

trellis_plugin_entry good_entry() {
  return {
      sizeof(trellis_plugin_entry), TRELLIS_ABI_MAJOR, TRELLIS_ABI_MINOR, 0, str("sized"), str("1.0.0"), never_made};
}

// "" or the code of what is wrong with it.
std::string entry_problem(const trellis_plugin_entry &entry, std::size_t size) {
  const Guarded<trellis_plugin_entry> guarded(entry, size);
  const auto checked = check_entry(*guarded.get(), "sized.so");
  return checked ? std::string{} : checked.error().code;
}

Manifest sized_contract() {
  auto made = Manifest::parse(
      R"({"format":"trellis.contract.v1","id":"test.sized@v1","displayName":"A","description":"B","kind":"service",)"
      R"("schemas":{"Any":{"type":"object"}},"rpc":{"Sized.Ping":{"version":"v1","subject":"rpc.v1.Sized.Ping",)"
      R"("input":{"schema":"Any"},"output":{"schema":"Any"},"errors":[]}},"events":{"Sized.Happened":)"
      R"({"version":"v1","subject":"events.v1.Sized.Happened","event":{"schema":"Any"}}}})");
  INFO((made ? "" : made.error().text()));
  REQUIRE(made);
  return std::move(*made);
}

void ping(void *, const trellis_request *) {}
trellis_status happened(void *, const trellis_event_delivery *, trellis_error_sink) {
  return TRELLIS_OK;
}

trellis_handler rpc_handler() {
  trellis_handler handler{};
  handler.size = sizeof handler;
  handler.kind = TRELLIS_SURFACE_RPC;
  handler.contract_id = str("test.sized@v1");
  handler.name = str("Sized.Ping");
  handler.rpc = ping;
  return handler;
}

Manifest feed_contract() {
  auto made = Manifest::parse(
      R"({"format":"trellis.contract.v1","id":"test.sized@v1","displayName":"A","description":"B","kind":"service",)"
      R"("schemas":{"Any":{"type":"object"}},"feeds":{"Sized.Watch":{"version":"v1","subject":"feeds.v1.Sized.Watch",)"
      R"("input":{"schema":"Any"},"event":{"schema":"Any"}}}})");
  REQUIRE(made);
  return std::move(*made);
}

trellis_handler feed() {
  auto handler = rpc_handler();
  handler.kind = TRELLIS_SURFACE_FEED;
  handler.name = str("Sized.Watch");
  handler.rpc = nullptr;
  handler.feed = [](void *, const trellis_feed_request *) {};
  return handler;
}

trellis_handler listener() {
  auto handler = rpc_handler();
  handler.kind = TRELLIS_SURFACE_EVENT;
  handler.name = str("Sized.Happened");
  handler.rpc = nullptr;
  handler.event = happened;
  return handler;
}

// Whether a table of these handlers, each as its size says and nothing behind it, agrees with the contract.
std::vector<std::string> problems_of(const std::vector<trellis_handler> &handlers,
                                     const Manifest &contract = sized_contract()) {
  std::vector<std::unique_ptr<Guarded<trellis_handler>>> guarded;
  std::vector<const trellis_handler *> pointers;
  for (const auto &handler : handlers) {
    guarded.push_back(std::make_unique<Guarded<trellis_handler>>(handler, handler.size));
    pointers.push_back(guarded.back()->get());
  }
  trellis_plugin plugin{};
  plugin.size = sizeof plugin;
  plugin.handler_count = static_cast<std::uint32_t>(pointers.size());
  plugin.handlers = pointers.data();
  return table_disagreements(plugin, {contract}, PluginRole::service);
}

constexpr std::uint32_t kEnd = 200; // larger than every struct here

} // namespace

TEST_CASE("an entry struct is taken when its size covers create, and never read beyond it") {
  auto entry = good_entry();
  for (entry.size = 0; entry.size < sizeof entry; ++entry.size) {
    INFO(entry.size);
    CHECK(entry_problem(entry, entry.size) == "abi_entry");
  }
  for (entry.size = sizeof entry; entry.size < kEnd; ++entry.size) {
    INFO(entry.size);
    CHECK(entry_problem(entry, entry.size) == "");
  }
}

TEST_CASE("an entry of another major version is refused before anything else of it is read") {
  auto entry = good_entry();
  for (const std::uint32_t major : {0U, 2U, 0xFFFFFFFFU}) {
    entry.abi_major = major;
    for (entry.size = 8; entry.size < kEnd; ++entry.size)
      CHECK(entry_problem(entry, 8) == "abi_major");
  }
}

TEST_CASE("an entry of any minor version is taken") {
  auto entry = good_entry();
  for (const std::uint32_t minor : {0U, 1U, 99U, 0xFFFFFFFFU}) {
    entry.abi_minor = minor;
    CHECK(entry_problem(entry, entry.size) == "");
  }
}

TEST_CASE("an entry's texts are texts") {
  const auto with_texts = [](trellis_str name, trellis_str version) {
    auto entry = good_entry();
    entry.name = name;
    entry.version = version;
    return entry_problem(entry, entry.size);
  };
  const std::string longest(128, 'a'), too_long(129, 'a');
  CHECK(with_texts(str("a"), {}) == "");
  CHECK(with_texts(str(longest), str(longest)) == "");
  CHECK(with_texts({}, str("1")) == "abi_entry");
  CHECK(with_texts({nullptr, 5}, str("1")) == "abi_entry");
  CHECK(with_texts({nullptr, SIZE_MAX}, str("1")) == "abi_entry");
  CHECK(with_texts(str("a"), {nullptr, 5}) == "abi_entry");
  CHECK(with_texts(str(too_long), str("1")) == "abi_entry");
  CHECK(with_texts(str("a"), str(too_long)) == "abi_entry");
  CHECK(with_texts(str("\xFF"), str("1")) == "abi_entry");
}

TEST_CASE("an error struct is read as far as its size covers it") {
  trellis_error error{sizeof(trellis_error), 0, str("T"), str("M"), str("{}"), str(R"({"a":1})")};
  for (error.size = 0; error.size < kEnd; ++error.size) {
    INFO(error.size);
    const Guarded<trellis_error> guarded(error, error.size);
    const auto read = read_error(guarded.get());
    CHECK(read.type == (error.size >= 24 ? "T" : ""));
    CHECK(read.message == (error.size >= 40 ? "M" : ""));
    CHECK(read.context == (error.size >= 56 ? "{}" : ""));
    CHECK(read.fields == (error.size >= 72 ? R"({"a":1})" : ""));
  }
  CHECK(read_error(nullptr).type.empty());
}

TEST_CASE("an rpc handler of every size from 1.0's on serves, a smaller one doesn't") {
  auto handler = rpc_handler();
  for (handler.size = 0; handler.size < kEnd; ++handler.size) {
    INFO(handler.size);
    CHECK(problems_of({handler}).empty() == (handler.size >= 48));
  }
}

TEST_CASE("a listener needs its function, and no more of the struct") {
  auto handler = listener();
  for (handler.size = 0; handler.size < kEnd; ++handler.size) {
    INFO(handler.size);
    CHECK(problems_of({rpc_handler(), handler}).empty() == (handler.size >= 56));
  }
}

TEST_CASE("a feed needs its function, not the one that cancels, and no more of the struct") {
  auto handler = feed();
  for (handler.size = 0; handler.size < kEnd; ++handler.size) {
    INFO(handler.size);
    CHECK(problems_of({handler}, feed_contract()).empty() == (handler.size >= 96));
  }
}

TEST_CASE("names in a table that are no texts are refused, and told in part when they are long") {
  const std::string huge(1 << 20, 'n');
  for (const auto name :
       {trellis_str{}, trellis_str{nullptr, 5}, trellis_str{nullptr, SIZE_MAX}, str("\xFF\xC3("), str(huge)}) {
    auto handler = rpc_handler(), other = rpc_handler();
    handler.name = name;
    other.contract_id = name;
    const auto problems = problems_of({handler, other});
    CHECK(problems.size() == 3); // two that nobody declared, and the rpc that has no handler
    for (const auto &problem : problems)
      CHECK(problem.size() < 1000);
  }
}

TEST_CASE("handlers of different sizes are in one table") {
  auto small = rpc_handler();
  small.size = 48;
  auto large = listener();
  large.size = kEnd;
  CHECK(problems_of({small, large, listener()}).empty());
}

TEST_CASE("a table that is NULL or endless is refused with one problem, not a billion") {
  trellis_plugin plugin{};
  plugin.size = sizeof plugin;
  const auto problems = [&] { return table_disagreements(plugin, {sized_contract()}, PluginRole::service).size(); };
  CHECK(problems() == 1); // the rpc that has no handler
  plugin.handler_count = 0xFFFFFFFF;
  CHECK(problems() == 1);
  const trellis_handler *const one = nullptr;
  plugin.handlers = &one;
  CHECK(problems() == 1);
  plugin.handler_count = 1;
  CHECK(problems() == 2); // a NULL handler, and the rpc that has none
}

// ---------------------------------------------------------------------------------------------------------- health

namespace {

trellis_status fine(void *, trellis_sink, trellis_error_sink) {
  return TRELLIS_OK;
}
trellis_status tell(void *, trellis_sink) {
  return TRELLIS_OK;
}

trellis_health_check check_named(std::string_view name) {
  return {sizeof(trellis_health_check), 0, str(name), fine};
}

// A plugin that offers this table as trellis.health/1, whatever it is asked for.
struct Offering {
  explicit Offering(const trellis_health_v1 *table) {
    plugin.size = sizeof plugin;
    plugin.self = const_cast<trellis_health_v1 *>(table);
    plugin.get_extension = [](void *self, trellis_str) -> const void * { return self; };
  }
  Result<HealthTable> read() const { return read_health_table(plugin, "sized"); }
  trellis_plugin plugin{};
};

// "" or what is said about a table of these checks.
std::string health_problem(const std::vector<const trellis_health_check *> &checks) {
  const trellis_health_v1 table{sizeof table, static_cast<std::uint32_t>(checks.size()), checks.data(), nullptr};
  const auto read = Offering(&table).read();
  if (read) return {};
  CHECK(read.error().code == "health_malformed");
  CHECK(read.error().where == "sized");
  return read.error().message;
}

} // namespace

TEST_CASE("a table of health checks is read as far as its size covers it") {
  const auto check = check_named("pulse");
  const trellis_health_check *const checks[] = {&check};
  trellis_health_v1 table{0, 1, checks, tell};
  for (; table.size < kEnd; ++table.size) {
    INFO(table.size);
    const Guarded<trellis_health_v1> guarded(table, table.size);
    const auto read = Offering(guarded.get()).read();
    REQUIRE(read.has_value() == (table.size >= 16));
    if (!read) continue;
    CHECK(read->checks.size() == 1);
    CHECK((read->info != nullptr) == (table.size >= 24));
  }
}

TEST_CASE("a health check of every size from 1.1's on is one, a smaller one isn't") {
  auto check = check_named("pulse");
  for (check.size = 0; check.size < kEnd; ++check.size) {
    INFO(check.size);
    const Guarded<trellis_health_check> guarded(check, check.size);
    CHECK(health_problem({guarded.get()}).empty() == (check.size >= 32));
  }
}

TEST_CASE("a health table of NULLs, of too many, and one with a check that is none are refused with words") {
  const auto good = check_named("pulse");
  auto no_function = check_named("mood");
  no_function.check = nullptr;
  CHECK(health_problem({&good}) == "");
  CHECK(health_problem({&good, nullptr}).find("check 1 is NULL") != std::string::npos);
  CHECK(health_problem({&no_function}).find("check 0 has no function") != std::string::npos);
  trellis_health_v1 table{sizeof table, 1, nullptr, nullptr};
  for (const std::uint32_t count : {1U, 65U, 0xFFFFFFFFU}) {
    table.check_count = count;
    CHECK_FALSE(Offering(&table).read());
  }
  const trellis_health_check *const one[] = {&good};
  table.checks = one; // a count that lies is seen before anything behind it is read
  table.check_count = 65;
  CHECK_FALSE(Offering(&table).read());
  table.check_count = 0;
  CHECK(Offering(&table).read()->checks.empty());
  table.checks = nullptr;
  CHECK(Offering(&table).read()->checks.empty());
}

TEST_CASE("health checks have names of their own, of 96 bytes at most") {
  const std::string longest(96, 'a'), too_long(97, 'a');
  const auto pulse = check_named("pulse"), again = check_named("pulse"), mood = check_named("mood");
  CHECK(health_problem({&pulse, &mood}) == "");
  CHECK(health_problem({&pulse, &mood, &again}).find("check 2 is the second one named \"pulse\"") != std::string::npos);
  const auto with_name = [](trellis_str name) {
    auto check = check_named("");
    check.name = name;
    return health_problem({&check});
  };
  CHECK(with_name(str(longest)) == "");
  CHECK(with_name(str(too_long)).find("97 bytes") != std::string::npos);
  CHECK(with_name({}).find("no name") != std::string::npos);
  CHECK(with_name({nullptr, 7}).find("no name") != std::string::npos);
  CHECK(with_name({nullptr, SIZE_MAX}).find("no name") != std::string::npos);
  CHECK(with_name({"a", SIZE_MAX}).find("bytes") != std::string::npos); // not read
  CHECK(with_name(str("\xFF\xFE")).find("UTF-8") != std::string::npos);
  CHECK(with_name(str("nats")).find("the host's own") != std::string::npos);
}

TEST_CASE("a plugin without a way to extensions, or without health, has no checks") {
  trellis_plugin plugin{};
  plugin.size = sizeof plugin;
  CHECK(read_health_table(plugin, "sized")->checks.empty());
  plugin.get_extension = [](void *, trellis_str) -> const void * { return nullptr; };
  CHECK(read_health_table(plugin, "sized")->checks.empty());
  plugin.get_extension = [](void *, trellis_str) -> const void * { return "never asked"; };
  plugin.size = offsetof(trellis_plugin, get_extension);
  CHECK(read_health_table(plugin, "sized")->checks.empty());
}
