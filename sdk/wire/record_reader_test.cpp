#include "wire/record_reader.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

template <class Read>
std::string error_of(std::string_view text, const Read &read, Nulls nulls = Nulls::are_values) {
  const auto result = read_record(text, read, nulls);
  return result ? "" : result.error().code + " " + result.error().where;
}

const auto read_size = [](const RecordReader &reader) { return reader.integer("size"); };

} // namespace

TEST_CASE("the first member that doesn't fit is named by its JSON pointer") {
  const auto read = [](const RecordReader &reader) {
    return reader.list("items", [](const RecordReader &item) { return item.object("a/b").text("name"); });
  };
  CHECK(error_of(R"({"items":[{"a/b":{"name":"x"}},{"a/b":{"name":1}},{"a/b":2}]})", read) ==
        "invalid_record /items/1/a~1b/name");
  CHECK(error_of(R"({"items":[{"a/b":[]}]})", read) == "invalid_record /items/0/a~1b");
  CHECK(error_of(R"({"items":{}})", read) == "invalid_record /items");
  CHECK(error_of("[]", read) == "invalid_record ");
  CHECK(error_of("{", read).starts_with("json_invalid"));
}

TEST_CASE("an integer may be written with a zero fraction but not with another") {
  CHECK(read_record(R"({"size":3.0})", read_size).value() == 3);
  CHECK(read_record(R"({"size":9007199254740993})", read_size).value() == 9007199254740993);
  for (const char *text : {R"({"size":1.5})", R"({"size":-1})", R"({"size":"1"})", R"({"size":1e300})", "{}"}) {
    CAPTURE(text);
    CHECK(error_of(text, read_size) == "invalid_record /size");
  }
}

TEST_CASE("null is absence only where the reader says so") {
  const auto read = [](const RecordReader &reader) { return reader.optional_text("t").value_or("absent"); };
  CHECK(read_record(R"({"t":null})", read, Nulls::are_absent).value() == "absent");
  CHECK(error_of(R"({"t":null})", read) == "invalid_record /t");
  CHECK(error_of(R"({"size":null})", read_size, Nulls::are_absent) == "invalid_record /size");
}
