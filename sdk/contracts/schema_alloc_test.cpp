// Checking a valid value allocates nothing. An executable of its own, because it counts every allocation.

#include "contracts/schema.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstddef>
#include <rapidjson/document.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TRELLIS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TRELLIS_SANITIZED
#endif
#endif

namespace {
std::atomic<std::size_t> allocations = 0;
}

#ifdef TRELLIS_SANITIZED
// Of the sanitizers' allocator_interface.h, which GCC doesn't install.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, std::size_t),
                                                         void (*)(const volatile void *));
namespace {
const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void *, std::size_t) { ++allocations; }, [](const volatile void *) {});
}
#else
extern "C" void *__libc_malloc(std::size_t size);
extern "C" void *malloc(std::size_t size) { // operator new and PCRE2 come through here
  ++allocations;
  return __libc_malloc(size);
}
#endif

using namespace trellis;

namespace {

std::size_t allocations_of(std::string_view schema_text, std::string_view value_text) {
  const auto schema = Schema::compile(*parse_json(schema_text));
  const auto value = parse_json(value_text);
  REQUIRE(schema);
  REQUIRE(value);
  const auto before = allocations.load();
  const bool valid = schema->valid(*value);
  const bool no_issues = schema->check(*value).empty();
  const auto count = allocations.load() - before;
  CHECK(valid);
  CHECK(no_issues);
  return count;
}

} // namespace

TEST_CASE("allocations are counted") {
#ifdef TRELLIS_SANITIZED
  REQUIRE(installed != 0);
#endif
  const auto before = allocations.load();
  const auto document = parse_json("[1,2,3]");
  CHECK(document.has_value());
  CHECK(allocations.load() > before);
}

TEST_CASE("an ordinary payload is checked without an allocation") {
  CHECK(allocations_of(R"({"type":"object","required":["id","cents"],"additionalProperties":false,"properties":{
      "id":{"type":"string","format":"uuid"},"cents":{"type":"integer","minimum":1,"multipleOf":1},
      "at":{"type":"string","format":"date-time"},"mail":{"format":"email"},"host":{"format":"idn-hostname"},
      "link":{"format":"uri"},"tags":{"type":"array","uniqueItems":true,"maxItems":16,"items":{"minLength":1}},
      "kind":{"enum":["a","b"]},"where":{"anyOf":[{"type":"null"},{"oneOf":[{"required":["x"]},{"required":["y"]}]}]}},
      "dependentRequired":{"id":["cents"]},"propertyNames":{"maxLength":10}})",
                       R"({"id":"2eb8aa08-aa98-11ea-b4aa-73b441d16380","cents":5,"at":"2020-01-01T00:00:00Z",
      "mail":"a@b.c","host":"\u00e4.example","link":"http://a/b?c","tags":["x","y"],"kind":"b","where":{"y":1}})") ==
        0);
}

TEST_CASE("patterns are searched for without an allocation") {
  CHECK(allocations_of(R"({"patternProperties":{"^[a-z]+$":{"pattern":"([0-9]+)-\\1"}},"items":{"pattern":"x"}})",
                       R"({"abc":"some text with 12-12 in it","def":"1-1"})") == 0);
}

TEST_CASE("unevaluated members and conditions are checked without an allocation") {
  CHECK(allocations_of(R"({"allOf":[{"properties":{"a":true}}],"if":{"required":["b"]},"then":{"properties":{"b":true}},
      "unevaluatedProperties":false})",
                       R"({"a":1,"b":2})") == 0);
}
