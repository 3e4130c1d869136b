// What a plugin shows the host, one thing wrong at a time: refused with words, and nobody else notices.
#include "live_host.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace trellis;
using namespace trellis::test;

namespace {

struct Variant {
  int number;
  const char *name;
  std::vector<std::string> log; // what the log line says
};

std::filesystem::path variant_file(int number) {
  return built("abi-" + std::to_string(number) + ".so");
}

// A host with the variant and a healthy plugin beside it.
struct Bench : LiveHost {
  explicit Bench(int variant) {
    set_plugin("variant", {variant_file(variant)});
    set_plugin("echo", {built("echo-c.so")});
    accept(variant_file(variant));
    accept(built("echo-c.so"));
    set_caller("clerk", {{}, {{"acme.echo@v1", {"*"}}, {"test.abi@v1", {"*"}}}});
    start();
  }
};

} // namespace

TEST_CASE("a plugin that disagrees with the ABI or its contract is refused by name") {
  const auto variant =
      GENERATE(Variant{1, "wrong major", {"abi_major", "major 1"}}, Variant{2, "no create", {"abi_entry", "create"}},
               Variant{3, "tiny entry struct", {"abi_entry", "4 bytes"}},
               Variant{4, "missing handler", {"handlers_disagree", "Abi.Ping", "has no handler"}},
               Variant{5, "undeclared handler", {"handlers_disagree", "Abi.Undeclared", "doesn't declare"}},
               Variant{6, "double handler", {"handlers_disagree", "two handlers"}},
               Variant{7, "handler without function", {"handlers_disagree", "without a function"}},
               Variant{8, "unknown kind", {"handlers_disagree", "unknown kind 77"}},
               Variant{11, "create yields nothing", {"create_failed"}},
               Variant{12, "NULL handler", {"handlers_disagree", "NULL"}},
               Variant{13, "handler of another contract", {"handlers_disagree", "test.other@v1"}},
               Variant{18, "a health table that covers nothing", {"health_malformed", "a struct of 4 bytes"}},
               Variant{19, "a health check without a function", {"health_malformed", "check 0 has no function"}},
               Variant{21, "a health table of 4 billion", {"health_malformed", "4294967295 checks"}},
               Variant{20, "a plugin that offers everything", {"host_only_extension", "trellis.policy/1"}});
  INFO(variant.name);
  Bench bench(variant.number);
  auto texts = variant.log;
  texts.insert(texts.end(), {"plugin failed", "\"variant\""});
  CHECK(bench.logged(texts));
  CHECK(bench.connect("clerk")->call("acme.echo@v1", "Echo.Say", R"({"message":"fine"})"));
}

TEST_CASE("a plugin struct that ends before start, stop and destroy works, and what lies behind is never read") {
  Bench bench(9);
  CHECK(bench.connect("clerk")->call("test.abi@v1", "Abi.Ping", "{}").value() == R"({"count":1})");
  CHECK(bench.stop() == 0);
}

TEST_CASE("of a plugin struct of any size exactly what its size covers is used") {
  struct Sized {
    int size;
    bool starts, stops, destroys, asks;
  };
  const std::vector<Sized> good{{24, false, false, false, false}, {31, false, false, false, false},
                                {32, true, false, false, false},  {40, true, true, false, false},
                                {48, true, true, true, false},    {55, true, true, true, false},
                                {56, true, true, true, true},     {120, true, true, true, true}};
  const std::vector<int> bad{0, 4, 8, 16, 23};
  LiveHost host;
  LiveHost::CallerEntry clerk;
  const auto add = [&](int size) {
    const auto file = built("abi-size-" + std::to_string(size) + ".so");
    host.set_plugin("size" + std::to_string(size), {file});
    host.accept(file);
    clerk.uses["test.sizes-" + std::to_string(size) + "@v1"] = {"*"};
  };
  for (const int size : bad)
    add(size);
  for (const auto &sized : good)
    add(sized.size);
  host.set_caller("clerk", clerk);
  host.start();
  const auto caller = host.connect("clerk");
  for (const auto &[size, starts, stops, destroys, asks] : good) {
    INFO(size);
    const auto number = std::to_string(size);
    CHECK(caller->call("test.sizes-" + number + "@v1", "Sizes" + number + ".Ping", "{}").value() ==
          R"({"size":)" + number + "}");
  }
  CHECK(host.stop() == 0);
  for (const int size : bad) {
    INFO(size);
    CHECK(host.logged({"plugin failed", "\"size" + std::to_string(size) + "\"", "smaller than its first version"}));
    CHECK(host.count_logged({"\"size " + std::to_string(size) + ": "}) == 0);
  }
  for (const auto &[size, starts, stops, destroys, asks] : good) {
    INFO(size);
    const auto said = [&, number = size](const std::string &what) {
      return host.count_logged({"\"size " + std::to_string(number) + ": " + what + "\""}) > 0;
    };
    CHECK(said("started") == starts);
    CHECK(said("stopped") == stops);
    CHECK(said("destroyed") == destroys);
    CHECK(said("asked") == asks);
  }
}

TEST_CASE("structs of a later minor version, larger than this host knows, work") {
  Bench bench(10);
  CHECK(bench.connect("clerk")->call("test.abi@v1", "Abi.Ping", "{}").value() == R"({"count":1})");
}

TEST_CASE("failures in create and start carry the plugin's words") {
  for (const std::string step : {"create", "start"}) {
    INFO(step);
    LiveHost host;
    host.set_plugin("thrower",
                    {.file = built("thrower.so"), .lines = "[plugins.thrower.config]\nfail_in = \"" + step + "\"\n"});
    host.accept(built("thrower.so"));
    host.start();
    CHECK(host.logged({"plugin failed", step + "_failed", step + " was told to fail"}));
  }
}

TEST_CASE("a create that fails has made nothing, whatever it stored") {
  Bench bench(16);
  CHECK(bench.logged({"plugin failed", "create_failed", "\"variant\"", "didn't want to be made"}));
  CHECK(bench.stop() == 0);
  CHECK(bench.count_logged({"variant destroyed"}) == 0);
}

TEST_CASE("a start that fails is followed by destroy, not by stop") {
  Bench bench(17);
  CHECK(bench.logged({"plugin failed", "start_failed", "\"variant\"", "didn't want to start"}));
  CHECK(bench.logged({"variant destroyed"}));
  CHECK(bench.stop() == 0);
  CHECK(bench.count_logged({"variant stopped"}) == 0);
}

TEST_CASE("a stop that throws is logged and doesn't hold the host up") {
  LiveHost host;
  host.set_plugin("thrower", {.file = built("thrower.so"), .lines = "[plugins.thrower.config]\nfail_in = \"stop\"\n"});
  host.accept(built("thrower.so"));
  host.start();
  CHECK(host.stop() == 0);
  CHECK(host.logged({"the plugin's stop failed"}));
}

TEST_CASE("a plugin that never returns from create delays nobody, and doesn't keep the host from ending") {
  LiveHost host({.host_lines = "drain_ms = 200\n"});
  host.set_plugin("hangs", {variant_file(15)});
  host.set_plugin("echo", {built("echo-c.so")});
  host.accept(variant_file(15));
  host.accept(built("echo-c.so"));
  host.set_caller("clerk", {{}, {{"acme.echo@v1", {"*"}}}});
  host.launch();
  CHECK(host.logged({"plugin running", "\"echo\""}));
  CHECK(host.connect("clerk")->call("acme.echo@v1", "Echo.Say", R"({"message":"fine"})"));
  CHECK(host.stop() == 3);
  CHECK(host.logged({"doesn't come back", "\"hangs\""}));
}
