#include "contracts/schema_formats.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

using namespace trellis::schema;

namespace {

// Whether every text, or none, has the format; a failed CHECK shows those that are wrong.
bool each_has(Format format, const std::vector<std::string> &texts, bool expected) {
  bool right = true;
  for (const auto &text : texts) {
    if (has_format(format, text) == expected) continue;
    UNSCOPED_INFO(format_name(format) << (expected ? " refuses: " : " takes: ") << text);
    right = false;
  }
  return right;
}
bool all_have(Format format, const std::vector<std::string> &texts) {
  return each_has(format, texts, true);
}
bool none_has(Format format, const std::vector<std::string> &texts) {
  return each_has(format, texts, false);
}

} // namespace

TEST_CASE("only the formats that are asserted have a meaning") {
  CHECK(format_named("date-time") == Format::date_time);
  CHECK(format_named("json-pointer-uri-fragment") == Format::json_pointer_uri_fragment);
  CHECK_FALSE(format_named("byte"));
  CHECK_FALSE(format_named(""));
}

TEST_CASE("date-time needs a zone, and takes a fraction of any length") {
  CHECK(all_have(Format::date_time,
                 {"1963-06-19T08:30:06Z", "1963-06-19t08:30:06.283185z", "1985-04-12T00:59:59.999999999999999Z",
                  "1990-12-31T15:59:50.123-08:00", "0000-02-29T00:00:00Z"}));
  CHECK(none_has(Format::date_time, {"1963-06-19T08:30:06", "1963-06-19 08:30:06Z", "1963-06-19T08:30Z",
                                     "1963-06-19T08:30:06.Z", "1990-02-31T15:59:59Z", "1985-04-12T23:20:50+01",
                                     "1985-04-12T23:20:50Z\n", "2020-01-01T00:00:00Z[Europe/Paris]", ""}));
}

TEST_CASE("a leap second is where 23:59:60 UTC is") {
  CHECK(all_have(Format::date_time, {"1998-12-31T23:59:60Z", "1998-12-31T15:59:60.123-08:00"}));
  CHECK(none_has(Format::date_time, {"1998-12-31T23:59:61Z", "1998-12-31T23:58:60Z", "1998-12-31T22:59:60Z"}));
  CHECK(all_have(Format::time, {"01:29:60+01:30", "00:29:60-23:30", "23:59:60-00:00"}));
  CHECK(none_has(Format::time, {"23:59:60+01:00", "24:00:00Z", "08:30:06", "08:30:06-8:00", "01:02:03+24:00"}));
}

TEST_CASE("date is a day of the calendar") {
  CHECK(all_have(Format::date, {"2020-02-29", "0400-02-29", "1582-10-10"}));
  CHECK(none_has(Format::date,
                 {"2021-02-29", "2100-02-29", "2020-1-01", "20200101", "2020-04-31", "2020-00-01", "2020-01-00"}));
}

TEST_CASE("duration leaves no unit out between its first and its last") {
  CHECK(all_have(Format::duration, {"P4DT12H30M5S", "PT36H", "P1Y2M3D", "P1M", "P2W", "PT0S", "P1Y"}));
  CHECK(none_has(Format::duration,
                 {"P", "PT", "P1YT", "P1Y1D", "PT1H1S", "P1Y2W", "P2S", "4D", "P1D2H", "P1", "P1.5D", "p1D"}));
}

TEST_CASE("email is a mailbox") {
  CHECK(all_have(Format::email, {"joe.bloggs@example.com", "te~st@example.com", "\"joe bloggs\"@example.com",
                                 "\"a@\\\"b\"@c.d", "joe@[127.0.0.1]", "joe@[IPv6:::1]", "a@localhost"}));
  CHECK(none_has(Format::email, {"2962", ".a@b.c", "a.@b.c", "a..b@c.d", "a@b_c", "a@[127.0.0.300]", "a@", "@b",
                                 "a b@c.d", "\"a\"b@c", "a@-b", "a@b.", "\u00e4@b.c", "a@b@c"}));
  CHECK(all_have(Format::idn_email, {"\uc2e4\ub840@\uc2e4\ub840.\ud14c\uc2a4\ud2b8", "a@b.c"}));
  CHECK(none_has(Format::idn_email, {"\uc2e4\ub840", "a@\u302e", "a b@c"}));
}

TEST_CASE("hostname has labels of letters, digits and inner hyphens") {
  CHECK(all_have(Format::hostname, {"www.example.com", "1host", "a--b", std::string(63, 'a') + ".com"}));
  CHECK(none_has(Format::hostname, {"", ".", ".a", "a.", "a..b", "-a", "a-", "a_b", std::string(64, 'a'), "ab--cd",
                                    "\u00e4.de", std::string("a\0b", 3)}));
  std::string longest;
  for (int i = 0; i < 126; ++i)
    longest += "a.";
  CHECK(all_have(Format::hostname, {longest + "a"}));
  CHECK(none_has(Format::hostname, {longest + "ab"}));
}

TEST_CASE("an A-label decodes to a right label that encodes to it") {
  CHECK(all_have(Format::hostname, {"xn--4gbwdl.xn--wgbh1c", "xn--mnchen-3ya.de", "XN--MNCHEN-3YA.de"}));
  CHECK(none_has(Format::hostname,
                 {"xn--X", "xn--", "xn--a", "XN--aa---o47jg78q", "xn--hello-txk", "xn--a-2hc5h", "xn--99999999"}));
}

TEST_CASE("idn-hostname follows the rules of IDNA 2008") {
  CHECK(all_have(Format::idn_hostname,
                 {"\uc2e4\ub840.\ud14c\uc2a4\ud2b8", "a.b", "a\u3002b", "a\uff0eb", "a\uff61b", "fa\u00df.de",
                  "l\u00b7l", "\u03b1\u0375\u03b2", "\u05d0\u05f3\u05d1", "\u30fb\u3041", "\u0628\u0660\u0628",
                  "\u0915\u094d\u200d\u0937", "\u0628\u064a\u200c\u0628\u064a"}));
  CHECK(
      none_has(Format::idn_hostname, {"", "\u3002", "\u302e", "\u0903hello", "a\u00b7l", "\u03b1\u0375S",
                                      "A\u05f3\u05d1", "def\u30fbabc", "\u0628\u0660\u06f0", "\u0915\u200d\u0937",
                                      "\u2603.net", "a b", "1\u05d0\u05d1", "\u05d0a\u05d1", "\uc2e4\ub840--\ud14c"}));
}

TEST_CASE("addresses") {
  CHECK(all_have(Format::ipv4, {"192.168.0.1", "0.0.0.0"}));
  CHECK(none_has(Format::ipv4, {"256.0.0.1", "01.2.3.4", "1.2.3", "1.2.3.4.", "1.2.3.4.5", " 1.2.3.4"}));
  CHECK(all_have(Format::ipv6, {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::ffff:192.168.0.1",
                                "1:2:3:4:5:6:1.2.3.4"}));
  CHECK(none_has(Format::ipv6, {"1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1:2:3:4:5:6:7", "12345::",
                                "1::g", "::1%eth0", "1.2.3.4::", ":::", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4::5:6:7:8"}));
}

TEST_CASE("uri, iri and their references") {
  CHECK(all_have(Format::uri,
                 {"http://foo.bar/?baz=qux#quux", "urn:a:b", "mailto:a@b", "ldap://[2001:db8::7]/c=GB?one?two",
                  "a:", "http://[v1.x]/", "http://-.~_!$&'()*+,;=:%40:80%2f::::::@example.com"}));
  CHECK(none_has(Format::uri, {"//a/b", "/a", "a", "", "1a:b", "http://a b", "http://a/%4", "http://a:b/",
                               "http://[::1", "a:\u00e4", "a:b#c#d", "http:/[::1]", "http://a|b"}));
  CHECK(all_have(Format::uri_reference, {"", "//a/b", "/a", "a", "#f", "?q", "./1a:b"}));
  CHECK(none_has(Format::uri_reference, {"1a:b", "a\\b", "#a\\b", ":a", "a b"}));
  CHECK(all_have(Format::iri, {"http://\u0192\u00f8\u00f8.\u00dfr/?\u2202=\u03c0#\u00ef", "a:?\ue000"}));
  CHECK(none_has(Format::iri, {"/\u00e2", "a:\ue000", "a:\ufffe", "http://a b"}));
  CHECK(all_have(Format::iri_reference, {"\u00e2\u03c0", "#\u0192"}));
  CHECK(none_has(Format::iri_reference, {"#\u0192\\m"}));
  CHECK(all_have(Format::url, {"https://\u00e4.de/a", "mailto:a@b", "http://a:80/"}));
  CHECK(none_has(Format::url, {"http://", "http:a", "HTTPS:///a", "a", "http://a:65536"}));
}

TEST_CASE("uri-template") {
  CHECK(all_have(Format::uri_template,
                 {"http://a/{term:1}/{term}", "{+a*,b:9999}", "{?x.y}", "", "\u00e4", "{%41}", "it's"}));
  CHECK(none_has(Format::uri_template, {"{", "a}", "{}", "{a:0}", "{a:10000}", "{a..b}", "{a,}", "a b", "%4", "<a>"}));
}

TEST_CASE("JSON pointers") {
  CHECK(all_have(Format::json_pointer, {"", "/", "/foo/bar~0/baz~1/%a", "/\u00e4"}));
  CHECK(none_has(Format::json_pointer, {"a", "#", "/~", "/~2", "/a~"}));
  CHECK(all_have(Format::json_pointer_uri_fragment, {"#", "#/a~1b/%25", "#/a?b"}));
  CHECK(none_has(Format::json_pointer_uri_fragment, {"", "/a", "#a", "#/%2", "#/a b", "#/~2"}));
  CHECK(all_have(Format::relative_json_pointer, {"0", "12/foo", "0#", "1/"}));
  CHECK(none_has(Format::relative_json_pointer, {"", "/a", "-1/a", "01/a", "0##", "1a", "0#/a"}));
}

TEST_CASE("regex and uuid") {
  CHECK(all_have(Format::regex, {"([abc])+\\s+$", "(?<=a+)b", ""}));
  CHECK(none_has(Format::regex, {"^(abc]", "\\Z", "a**"}));
  CHECK(all_have(Format::uuid, {"2EB8AA08-aa98-f1ea-b4aa-73b441d16380", "00000000-0000-0000-0000-000000000000"}));
  CHECK(none_has(Format::uuid,
                 {"2eb8aa08aa9811eab4aa73b441d16380", "2eb8aa08-aa98-11ea-b4aa-73b441d1638g", "", "urn:uuid:x"}));
}
