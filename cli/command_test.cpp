#include "command.h"

#include <catch2/catch_test_macros.hpp>
#include <sstream>

using namespace trellis;
using namespace trellis::cli;

namespace {

struct Run {
  int code = 0;
  std::string out, err;
};

// A program with the two commands `box open FILE [--tag T]... [--size N] [--lid] (--red | --blue)` and `box close`.
class Boxes {
public:
  Run run(const std::vector<std::string> &arguments) {
    Program program("boxes", "1.2.3", "For tests.");
    auto group = program.root().group("box", "Boxes");
    auto open = group.command("open", "Open one");
    open.argument("FILE", file, "the box");
    open.options("--tag", tags, "a tag");
    open.number("--size", size, 1, 9, "its size");
    open.flag("--lid", lid, "with its lid");
    open.report([] { return Result<Report>(Report("opened").text("colour", "red")); });
    auto paint = program.root().group("box", "Boxes").command("paint", "Paint one");
    paint.option("--red", red, "");
    paint.option("--blue", blue, "");
    paint.exactly_one("--red", "--blue");
    paint.action([](Output &out) { return out.fail({"dry", "box", "the paint is dry", {}, {}}); });

    std::ostringstream out, err;
    const int code = program.run(arguments, out, err);
    return {code, out.str(), err.str()};
  }

  std::string file, red, blue;
  std::vector<std::string> tags;
  std::int64_t size = 2;
  bool lid = false;
};

} // namespace

TEST_CASE("a command gets its arguments and shows its result") {
  Boxes boxes;
  const auto run = boxes.run({"box", "open", "--tag", "a", "f.box", "--tag", "b", "--size", "9", "--lid"});
  CHECK(run.err.empty());
  CHECK(run.code == 0);
  CHECK(run.out == "ok opened\ncolour=red\n");
  CHECK(boxes.file == "f.box");
  CHECK(boxes.tags == std::vector<std::string>{"a", "b"});
  CHECK(boxes.size == 9);
  CHECK(boxes.lid);
}

TEST_CASE("the format may be chosen before and after the command") {
  const auto json = "{\n  \"colour\": \"red\"\n}\n";
  CHECK(Boxes().run({"--format", "json", "box", "open", "f"}).out == json);
  CHECK(Boxes().run({"box", "open", "f", "--format", "json"}).out == json);
  CHECK(Boxes().run({"box", "--json", "open", "f"}).out == json);
  CHECK(Boxes().run({"box", "open", "f", "--format=text", "-v", "-v"}).out == "ok opened\ncolour=red\n");
}

TEST_CASE("help and version go to stdout and are no failure") {
  const auto version = Boxes().run({"--version"});
  CHECK(version.code == 0);
  CHECK(version.out == "boxes 1.2.3\n");
  const auto help = Boxes().run({"box", "open", "--help"});
  CHECK(help.code == 0);
  CHECK(help.out.find("Open one") != std::string::npos);
  CHECK(help.err.empty());
}

TEST_CASE("an error at run time is one line on stderr and exit code 1") {
  const auto run = Boxes().run({"box", "paint", "--red", "r", "--json"});
  CHECK(run.code == 1);
  CHECK(run.out.empty());
  CHECK(run.err == "error: box: the paint is dry\n");
}

TEST_CASE("a usage error tells the usage on stderr and has exit code 2") {
  const auto check = [](const std::vector<std::string> &arguments, const std::string &message) {
    const auto run = Boxes().run(arguments);
    CHECK(run.code == 2);
    CHECK(run.out.empty());
    CHECK(run.err.starts_with("error: " + message));
    CHECK(run.err.find("Usage: ") != std::string::npos);
  };
  check({}, "A subcommand is required");
  check({"box"}, "A subcommand is required");
  check({"bxo"}, "unknown command bxo, did you mean box?");
  check({"box", "opne", "f"}, "unknown command opne, did you mean open?");
  check({"box", "x\x1b"}, "unknown command x?");
  check({"box", "open"}, "FILE is required");
  check({"box", "open", "f", "g"}, "The following argument was not expected: g");
  check({"box", "open", "f", "--size", "10"}, "--size: Value 10 not in range 1 to 9");
  check({"box", "open", "f", "--format", "xml"}, "--format: xml not in {text,json}");
  check({"box", "paint"}, "Exactly 1 option");
  check({"box", "paint", "--red", "r", "--blue", "b"}, "Exactly 1 option");
}
