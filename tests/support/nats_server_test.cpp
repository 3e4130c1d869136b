#include "nats_server.h"
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <filesystem>

using namespace trellis::test;

TEST_CASE("a server answers on a port of its own and leaves nothing behind") {
  std::filesystem::path folder;
  {
    NatsServer first;
    NatsServer second;
    CHECK(first.port() != second.port());
    CHECK(first.log().find("Server is ready") != std::string::npos);
    folder = first.dir().path();
    CHECK(std::filesystem::exists(folder));
  }
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("a server keeps its port over restarts and kills") {
  NatsServer server;
  const auto port = server.port();
  server.restart();
  CHECK(server.port() == port);
  server.kill();
  CHECK(server.pid() == -1);
  server.start();
  CHECK(server.port() == port);
}

TEST_CASE("a server with a broken config fails with its output") {
  CHECK_THROWS_WITH(NatsServer({.text = "no such option"}), Catch::Matchers::ContainsSubstring("Parse error"));
}
