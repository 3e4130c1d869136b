/* trellis/small.h on texts that are right, odd, cut off and wrong. Runs under ASan, on copies of exactly their size. */
#include <trellis/small.h>

static int passed = 0, failed = 0;

static void check(bool holds, const char *what) {
  if (holds) {
    ++passed;
  } else {
    ++failed;
    printf("FAIL %s\n", what);
  }
}

/* A copy without anything behind it, so that reading too far is noticed. */
static trellis_str exact(const char *text, size_t size) {
  char *copy = malloc(size > 0 ? size : 1);
  if (!copy) abort();
  memcpy(copy, text, size);
  const trellis_str out = {copy, size};
  return out;
}

static void let_go(trellis_str text) {
  free((char *)text.data);
}

static bool equals(trellis_str value, const char *text) {
  return value.size == strlen(text) && memcmp(value.data, text, value.size) == 0;
}

/* The member's text, "" when there is none. */
static void check_member(const char *object, const char *name, const char *expected) {
  const trellis_str text = exact(object, strlen(object));
  trellis_str value = {NULL, 0};
  const bool found = ts_member(text, name, &value);
  check(found == (*expected != '\0') && (!found || equals(value, expected)), object);
  let_go(text);
}

static void check_string(const char *json, const char *expected) {
  const trellis_str text = exact(json, strlen(json));
  char *string = ts_string(text);
  check(expected ? string && strcmp(string, expected) == 0 : !string, json);
  if (string) {
    ts_buffer out = {0};
    ts_put_string(&out, string);
    char *again = ts_string(ts_written(&out));
    check(again && strcmp(again, string) == 0, "what is written reads back the same");
    free(again);
    free(out.data);
  }
  free(string);
  let_go(text);
}

static void check_integer(const char *json, bool is_integer, int64_t expected) {
  int64_t number = 0;
  const trellis_str text = exact(json, strlen(json));
  check(ts_integer(text, &number) == is_integer && (!is_integer || number == expected), json);
  let_go(text);
}

static void members_are_found(void) {
  check_member("{\"sku\":\"bolt\",\"quantity\":3}", "sku", "\"bolt\"");
  check_member("{\"sku\":\"bolt\",\"quantity\":3}", "quantity", "3");
  check_member(" { \"a\" : [ 1 , {\"b\":\"]}\"} ] , \"b\" : true } ", "a", "[ 1 , {\"b\":\"]}\"} ]");
  check_member(" { \"a\" : [ 1 , {\"b\":\"]}\"} ] , \"b\" : true } ", "b", "true");
  check_member("{\"s\\u006Bu\":1}", "sku", "1");
  check_member("{\"a\":1,\"a\":2}", "a", "2");
  check_member("{\"\":0}", "", "0");
  check_member("{\"a\\\"\":1,\"a\\\\\":2}", "a\\", "2");
  check_member("{\"a\\u0000\":1}", "a", ""); /* a name of two characters */
  check_member("{\"a\\u0000b\":1,\"\\u0000\":2}", "", "");
  check_member("{\"ab\":1}", "a", "");
  check_member("{\"a\":1}", "ab", "");
  check_member("{}", "a", "");
  check_member("", "a", "");
  check_member("[\"a\",1]", "a", "");
  check_member("{\"a\"", "a", "");
  check_member("{\"a\":", "a", "");
  check_member("{\"a\":\"x", "a", "");
  check_member("{\"a\":[1", "a", "");
}

static void strings_are_unescaped_and_written_again(void) {
  check_string("\"\"", "");
  check_string("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\b\f\n\r\t");
  check_string("\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac");
  check_string("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80");
  check_string("\"\\ud83dx\"", "\xed\xa0\xbdx"); /* unpaired, and comes back as it was */
  check_string("\"\\ude00\\ud83d\"", "\xed\xb8\x80\xed\xa0\xbd");
  check_string("\"\\u001f\"", "\x1f");
  check_string("1", NULL);
  check_string("", NULL);
  ts_buffer out = {0};
  ts_put_string(&out, "\x01\"\xed\xa0\xbd");
  check(equals(ts_written(&out), "\"\\u0001\\\"\\ud83d\""), "control characters, quotes and surrogates are escaped");
  free(out.data);
}

/* What a C string can't hold isn't cut off: "bolt\u0000x" is another article than "bolt". */
static void a_text_with_a_nul_is_whole_or_refused(void) {
  static const char json[] = "\"bolt\\u0000x\"";
  const trellis_str text = exact(json, sizeof json - 1);
  size_t size = 0;
  char *whole = ts_sized_string(text, &size);
  ts_buffer out = {0};
  check(ts_string(text) == NULL, "no C string holds it");
  check(whole && size == 6 && memcmp(whole, "bolt\0x", 7) == 0, "with a size it is whole");
  ts_put_sized_string(&out, whole ? whole : "", size);
  check(equals(ts_written(&out), json), "and written again the same");
  free(out.data);
  free(whole);
  let_go(text);
}

static void integers_are_read_in_every_spelling(void) {
  check_integer("0", true, 0);
  check_integer("-7", true, -7);
  check_integer("9223372036854775807", true, INT64_MAX);
  check_integer("9223372036854775808", false, 0);
  check_integer("-9223372036854775808", true, INT64_MIN);
  check_integer("-9223372036854775809", false, 0);
  check_integer("99999999999999999999999999", false, 0);
  check_integer("3.0", true, 3);
  check_integer("25e2", true, 2500);
  check_integer("3.5", false, 0);
  check_integer("1e300", false, 0);
  check_integer("\"3\"", false, 0);
  check_integer("+3", false, 0);
  check_integer(" 3", false, 0);
  check_integer("nan", false, 0);
  check_integer("1e16", true, INT64_C(10000000000000000)); /* beyond 2^53 */
  check_integer("9223372036854775807.0", true, INT64_MAX);
  check_integer("-9.223372036854775808e18", true, INT64_MIN);
  check_integer("9.223372036854775808e18", false, 0);
  check_integer("0.3E+1", true, 3);
  check_integer("300e-2", true, 3);
  check_integer("305e-2", false, 0);
  check_integer("0e99999999999999999999", true, 0);
  check_integer("1e99999999999999999999", false, 0);
  check_integer("1e-99999999999999999999", false, 0);
  check_integer("-0.0", true, 0);
  check_integer("3.00000000000000000000000000000000000000000000000000000000000000000000000", true, 3);
  check_integer("3.", false, 0);
  check_integer("3e", false, 0);
  check_integer("-", false, 0);
  check_integer("", false, 0);
}

/* Whatever a text is cut down to, or has in one place, nothing is read beyond it. */
static void damaged_texts_are_survived(void) {
  static const char whole[] = "{\"a\\u0041\":[1,{\"b\":\"x\\\\\"}],\"c\":\"\\ud83d\\ude00\",\"d\":-1.5e3}";
  static const char damage[] = "\"\\{}[]:,u0 ";
  for (size_t size = 0; size < sizeof whole; ++size)
    for (size_t i = 0; i < sizeof damage; ++i) {
      trellis_str text = exact(whole, size);
      if (size > 0) ((char *)text.data)[size - 1] = damage[i];
      ts_reader in = ts_read(text);
      for (trellis_str name, value; ts_next_member(&in, &name, &value);) {
        int64_t number;
        free(ts_string(name));
        free(ts_string(value));
        ts_integer(value, &number);
      }
      check(in.at <= in.end, "it stays inside");
      let_go(text);
    }
}

static void many_pieces_make_one_text(void) {
  ts_buffer out = {0};
  for (int i = 0; i < 1000; ++i)
    ts_put_integer(&out, i);
  check(out.size == 10 + 180 + 2700 && !out.failed, "nothing is lost");
  free(out.data);
}

int main(void) {
  members_are_found();
  strings_are_unescaped_and_written_again();
  a_text_with_a_nul_is_whole_or_refused();
  integers_are_read_in_every_spelling();
  damaged_texts_are_survived();
  many_pieces_make_one_text();
  printf("test result: %s. %d passed; %d failed\n", failed == 0 ? "ok" : "FAILED", passed, failed);
  return failed == 0 ? 0 : 1;
}
