#include "http/http_client.h"
#include "tests/support/http_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <fstream>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

HttpServer answering(int status, const std::string &body, const std::string &headers = {}) {
  return HttpServer([=](const HttpRequest &) { return http_answer(status, body, headers); });
}

Error error_of(const Result<HttpAnswer> &result) {
  REQUIRE_FALSE(result);
  return result.error();
}

std::uint16_t free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto *generic = reinterpret_cast<sockaddr *>(&address);
  REQUIRE(::bind(probe, generic, size) == 0);
  REQUIRE(::getsockname(probe, generic, &size) == 0);
  ::close(probe);
  return ::ntohs(address.sin_port);
}

} // namespace

TEST_CASE("Any status is an answer with body and headers") {
  const auto server = answering(404, R"({"reason":"unknown_service"})", "X-Thing:  a b \r\nRETRY-AFTER: 7\r\n");
  HttpClient client;
  const auto answer = client.get(server.url() + "/bootstrap/service");
  REQUIRE(answer);
  CHECK(answer->status == 404);
  CHECK(answer->body == R"({"reason":"unknown_service"})");
  CHECK(answer->header("retry-after") == "7");
  CHECK(answer->header("x-thing") == "a b");
  CHECK(answer->header("absent").empty());
}

TEST_CASE("A redirect is an answer too and isn't followed") {
  const auto server = answering(302, "", "Location: /elsewhere\r\n");
  HttpClient client;
  const auto answer = client.get(server.url());
  REQUIRE(answer);
  CHECK(answer->status == 302);
  CHECK(server.requests().size() == 1);
}

TEST_CASE("A posted body arrives as JSON, whole, and without waiting for permission to send it") {
  const auto server = answering(200, "{}");
  HttpClient client;
  const std::string body(3 << 20, 'x');
  REQUIRE(client.post_json(server.url() + "/auth/requests?q=1", body));
  const auto requests = server.requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].method == "POST");
  CHECK(requests[0].target == "/auth/requests?q=1");
  CHECK(requests[0].body == body);
  CHECK(requests[0].head.find("Content-Type: application/json\r\n") != std::string::npos);
  CHECK(requests[0].head.find("Expect") == std::string::npos);
}

TEST_CASE("An empty body is posted with length 0") {
  const auto server = answering(200, "{}");
  HttpClient client;
  REQUIRE(client.post_json(server.url(), {}));
  CHECK(server.requests().at(0).method == "POST");
  CHECK(server.requests().at(0).head.find("Content-Length: 0\r\n") != std::string::npos);
}

TEST_CASE("One client makes many requests, alternating between get and post") {
  const auto server = answering(200, "{}");
  HttpClient client;
  for (int i = 0; i < 4; ++i) {
    REQUIRE(client.post_json(server.url(), "{}"));
    REQUIRE(client.get(server.url()));
  }
  const auto requests = server.requests();
  REQUIRE(requests.size() == 8);
  CHECK(requests[6].method == "POST");
  CHECK(requests[7].method == "GET");
  CHECK(requests[7].body.empty());
}

TEST_CASE("A body of exactly the limit is taken") {
  const auto server = answering(200, std::string(1000, 'x'));
  HttpClient client({.max_body = 1000});
  const auto answer = client.get(server.url());
  REQUIRE(answer);
  CHECK(answer->body.size() == 1000);
}

TEST_CASE("A body of one byte more than the limit is refused") {
  const auto server = answering(200, std::string(1001, 'x'));
  HttpClient client({.max_body = 1000});
  CHECK(error_of(client.get(server.url())).code == "http_too_large");
}

TEST_CASE("Endless headers are refused") {
  const auto server = answering(200, "",
                                "A: " + std::string(90'000, 'x') + "\r\nB: " + std::string(90'000, 'x') +
                                    "\r\nC: " + std::string(90'000, 'x') + "\r\n");
  HttpClient client;
  CHECK(error_of(client.get(server.url())).code == "http_too_large");
}

TEST_CASE("A server that never answers ends in a timeout") {
  HttpServer server([](const HttpRequest &) { return std::string(); });
  HttpClient client({.timeout = 200ms});
  const auto error = error_of(client.get(server.url() + "/auth/flow/01SECRET?token=hidden"));
  CHECK(error.code == "http_timeout");
  CHECK(error.where == server.url() + "/auth/flow/01SECRET");
}

TEST_CASE("A server that isn't there is unreachable") {
  HttpClient client;
  CHECK(error_of(client.get("http://127.0.0.1:" + std::to_string(free_port()))).code == "http_unreachable");
}

TEST_CASE("An answer that is cut off is no answer") {
  HttpServer server(
      [](const HttpRequest &) { return std::string("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"); });
  HttpClient client;
  CHECK(error_of(client.get(server.url())).code == "http_unreachable");
}

TEST_CASE("Bytes that are no HTTP are no answer") {
  HttpServer server([](const HttpRequest &) { return std::string("SSH-2.0-server\r\n\r\n"); });
  HttpClient client;
  CHECK(error_of(client.get(server.url())).code == "http_unreachable");
}

TEST_CASE("Other schemes and malformed URLs are refused, and a password isn't repeated") {
  HttpClient client;
  CHECK(error_of(client.get("file:///etc/passwd")).code == "http_url");
  CHECK(error_of(client.get("http://")).code == "http_url");
  const auto error = error_of(client.get("ftp://user:secret@127.0.0.1/x"));
  CHECK(error.code == "http_url");
  CHECK(error.text().find("secret") == std::string::npos);
}

TEST_CASE("A request is cancelled from another thread, and so is every later one") {
  HttpServer server([](const HttpRequest &) { return std::string(); });
  HttpClient client;
  std::thread canceller([&] {
    wait_until([&] { return !server.requests().empty(); });
    client.cancel();
  });
  const auto started = std::chrono::steady_clock::now();
  CHECK(error_of(client.get(server.url())).code == "http_cancelled");
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  canceller.join();
  CHECK(error_of(client.get(server.url())).code == "http_cancelled");
}

TEST_CASE("A file server's answers arrive as they are") {
  const TempDir folder;
  const std::string port = std::to_string(free_port());
  write_file(folder / "hello.json", "{\"hello\":1}");
  Process server({"/usr/bin/env", "python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory",
                  folder.path().string(), port},
                 folder / "log");
  HttpClient client;
  const std::string url = "http://127.0.0.1:" + port;
  REQUIRE(wait_until([&] { return client.get(url + "/hello.json").has_value(); }));
  const auto answer = client.get(url + "/hello.json");
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "{\"hello\":1}");
  CHECK(answer->header("content-type") == "application/json");
  CHECK(client.get(url + "/absent").value().status == 404);
  CHECK(client.post_json(url + "/hello.json", "{}").value().status == 501);
}

TEST_CASE("A certificate that nobody vouches for is refused") {
  const TempDir folder;
  const auto key = (folder / "key.pem").string(), certificate = (folder / "cert.pem").string();
  const auto made = run_program({"/usr/bin/env", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                 "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate, "-days",
                                 "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"});
  if (made.status != 0) SKIP("no openssl program: " + made.err);
  const std::string port = std::to_string(free_port());
  Process server({"/usr/bin/env", "openssl", "s_server", "-accept", "127.0.0.1:" + port, "-www", "-quiet", "-key", key,
                  "-cert", certificate},
                 folder / "log");
  HttpClient client;
  // Until it listens it is unreachable; then its certificate is what is wrong.
  REQUIRE(wait_until([&] { return error_of(client.get("https://127.0.0.1:" + port)).code != "http_unreachable"; }));
  CHECK(error_of(client.get("https://127.0.0.1:" + port)).code == "http_tls");
}

TEST_CASE("A server without TLS isn't taken for one with") {
  const auto server = answering(200, "{}");
  HttpClient client({.timeout = 2000ms});
  const auto error = error_of(client.get("https://127.0.0.1:" + std::to_string(server.port())));
  CHECK((error.code == "http_tls" || error.code == "http_timeout"));
}
