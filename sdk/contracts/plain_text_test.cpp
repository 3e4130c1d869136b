#include "contracts/plain_text.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

TEST_CASE("what a terminal would act on doesn't stay in a plain text") {
  CHECK(plain_text("a\nb\t\x1b[2J\x7F", '?') == "a?b??[2J?");
  CHECK(plain_text("\xC2\x85\xC2\x9B"
                   "31m",
                   '?') == "??31m"); // next line, and what begins a command
  CHECK(plain_text("a\xE2\x80\xA8"
                   "b\xE2\x80\xAE"
                   "c\xE2\x81\xA6",
                   ' ') == "a b c ");
  CHECK(plain_text("a\nb\rc", '?', true) == "a\nb?c");
}

TEST_CASE("writing of any language stays, and what is no UTF-8 becomes a replacement character") {
  const std::string text = "gr\xC3\xBC\xC3\x9F \xC2\xA0\xE2\x80\x8D \xE2\x9A\xA0\xEF\xB8\x8F \xF0\x9F\x98\x80";
  CHECK(plain_text(text, '?') == text);
  CHECK(plain_text("\x9B"
                   "31m\xC2",
                   '?') == "\xEF\xBF\xBD"
                           "31m\xEF\xBF\xBD");
}
