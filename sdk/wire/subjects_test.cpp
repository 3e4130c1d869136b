#include "wire/subjects.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

TEST_CASE("subjects match by token, with * for one and > for the rest") {
  CHECK(subject_matches("a.b", "a.b"));
  CHECK_FALSE(subject_matches("a.b", "a.c"));
  CHECK_FALSE(subject_matches("a.b", "a.b.c"));
  CHECK_FALSE(subject_matches("a.b", "a"));
  CHECK_FALSE(subject_matches("a.b", "A.b"));
  CHECK(subject_matches("a.*.c", "a.b.c"));
  CHECK_FALSE(subject_matches("a.*", "a"));
  CHECK_FALSE(subject_matches("a.*", "a.b.c"));
  CHECK_FALSE(subject_matches("a.b*", "a.bc"));
  CHECK(subject_matches("a.>", "a.b"));
  CHECK(subject_matches("a.>", "a.b.c"));
  CHECK(subject_matches("a.>", "a")); // also an empty rest
  CHECK_FALSE(subject_matches("a.>", "ab"));
  CHECK(subject_matches(">", "a"));
  CHECK_FALSE(subject_matches("", "a"));
}
