#include "wire/app_identity.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

TEST_CASE("an app that is sent back to a web page is known by the page's origin") {
  CHECK(app_identity("a@v1", "https://App.example:443/cb?x=1").origin == "https://app.example");
  CHECK(app_identity("a@v1", "http://localhost:8080/").origin == "http://localhost:8080");
  CHECK(app_identity("a@v1", "https://app.example/cb").contract_id == "a@v1");
}

TEST_CASE("a redirect into an app of its own has the origin null") {
  CHECK(app_identity("a@v1", "acme-app://done").origin == "null");
}

TEST_CASE("an app without an absolute redirect has no origin") {
  CHECK_FALSE(app_identity("a@v1", "/relative").origin);
  CHECK_FALSE(app_identity("a@v1", "").origin);
  CHECK_FALSE(app_identity("a@v1", "//app.example/cb").origin);
}
