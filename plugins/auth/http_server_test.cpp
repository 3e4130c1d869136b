// The listener on a real socket: what it refuses by itself, and what it hands to the routes.
#include "http_api.h"
#include "http_reply.h"
#include "http_workers.h"

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <future>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace trellis::auth {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

HttpResponse echo(const HttpRequest &request) {
  if (request.body_too_large) return error_reply(413, "too_large");
  return text_reply(200, request.method + " " + request.target + " " + request.body + " " + request.request_origin +
                             " " + request.remote_ip + " " + std::string(request.header("x-test")));
}

std::unique_ptr<HttpServer> serve(const std::function<void(ControlPlaneConfig &)> &change = {},
                                  HttpServer::Handler handler = echo) {
  ControlPlaneConfig config;
  config.port = 0;
  if (change) change(config);
  auto server = HttpServer::open(config, std::move(handler));
  if (!server) throw std::runtime_error(server.error().text());
  return std::move(*server);
}

class Client {
public:
  explicit Client(const HttpServer &server) : socket_(io_) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), server.port()});
  }
  void send(std::string_view text) { asio::write(socket_, asio::buffer(text)); }
  // Everything until the server closes.
  std::string rest() {
    std::string out;
    boost::system::error_code problem;
    asio::read(socket_, asio::dynamic_buffer(out), problem);
    return out;
  }
  // One response with Content-Length.
  std::string response() {
    std::string out;
    const auto head = asio::read_until(socket_, buffer_, "\r\n\r\n");
    out = take(head);
    const auto at = out.find("Content-Length: ");
    const std::size_t length = at == std::string::npos ? 0 : std::stoul(out.substr(at + 16));
    if (buffer_.size() < length) asio::read(socket_, buffer_, asio::transfer_exactly(length - buffer_.size()));
    return out + take(length);
  }
  std::string ask(std::string_view text) {
    send(text);
    return response();
  }

private:
  std::string take(std::size_t size) {
    std::string out(asio::buffers_begin(buffer_.data()),
                    asio::buffers_begin(buffer_.data()) + static_cast<std::ptrdiff_t>(size));
    buffer_.consume(size);
    return out;
  }
  asio::io_context io_;
  tcp::socket socket_;
  asio::streambuf buffer_;
};

int status_of(const std::string &response) {
  return response.size() > 12 ? std::stoi(response.substr(9, 3)) : 0;
}

std::string body_of(const std::string &response) {
  const auto at = response.find("\r\n\r\n");
  return at == std::string::npos ? "" : response.substr(at + 4);
}

TEST_CASE("several requests share a connection, and arrive with address, origin and lower-case headers") {
  const auto server = serve();
  Client client(*server);
  const auto first = client.ask("POST /a?b=c HTTP/1.1\r\nHost: t.test:80\r\nX-Test: v\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(status_of(first) == 200);
  CHECK(body_of(first) == "POST /a?b=c hi http://t.test:80 127.0.0.1 v");
  CHECK(body_of(client.ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")) == "GET /x  http://h 127.0.0.1 ");
}

TEST_CASE("chunked bodies are read, and HEAD has the length but no body") {
  const auto server = serve();
  Client client(*server);
  CHECK(body_of(client.ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
            .starts_with("POST / abc "));
  client.send("HEAD /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const auto head = client.rest();
  CHECK(status_of(head) == 200);
  CHECK(head.find("Content-Length: ") != std::string::npos);
  CHECK(body_of(head).empty());
}

TEST_CASE("a client that waits for 100 Continue is told to go on") {
  const auto server = serve();
  Client client(*server);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.response().starts_with("HTTP/1.1 100 "));
  CHECK(body_of(client.ask("hi")).starts_with("POST / hi "));
}

TEST_CASE("what is no HTTP is answered with 400 and closed") {
  const auto server = serve();
  for (const std::string text : {
           "nonsense\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nBad Header\r\n\r\n",
           "GET / HTTP/9.9\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a/b@c\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       }) {
    CAPTURE(text);
    Client client(*server);
    client.send(text);
    CHECK(status_of(client.rest()) == 400);
  }
}

TEST_CASE("headers beyond the limit are refused, and bodies beyond theirs reach the routes as such") {
  const auto server = serve([](ControlPlaneConfig &config) {
    config.limits.http_header_bytes = 1024;
    config.limits.http_body_bytes = 1024;
  });
  Client long_header(*server);
  long_header.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'a') + "\r\n\r\n");
  CHECK(status_of(long_header.rest()) == 431);
  Client fits(*server);
  CHECK(status_of(fits.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1024\r\n\r\n" + std::string(1024, 'b'))) ==
        200);
  Client too_long(*server);
  too_long.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1025\r\n\r\n" + std::string(1025, 'b'));
  CHECK(status_of(too_long.rest()) == 413);
  Client chunked(*server);
  chunked.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + std::string(0x800, 'b'));
  CHECK(status_of(chunked.rest()) == 413);
}

TEST_CASE("whoever sends nothing or too slowly is disconnected") {
  const auto server = serve([](ControlPlaneConfig &config) { config.limits.http_timeout_ms = 100; });
  Client silent(*server), half(*server);
  half.send("GET / HTTP/1.1\r\nHos");
  CHECK(silent.rest().empty());
  CHECK(half.rest().empty());
}

TEST_CASE("connections beyond the limit are closed, and there is room again afterwards") {
  const auto server = serve([](ControlPlaneConfig &config) { config.limits.http_connections = 1; });
  {
    Client first(*server);
    CHECK(status_of(first.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n")) == 200);
    Client second(*server);
    CHECK(second.rest().empty());
  }
  int status = 0; // the server learns of the first one's end in its own time
  for (int i = 0; i < 1000 && status != 200; ++i) {
    Client third(*server);
    try {
      status = status_of(third.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    } catch (const std::exception &) {
      std::this_thread::yield();
    }
  }
  CHECK(status == 200);
}

TEST_CASE("a route that waits holds up no other") {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> waiting = 0;
  const auto server = serve({}, [&](const HttpRequest &request) {
    if (request.target == "/slow") {
      ++waiting;
      released.wait();
    }
    return text_reply(200, request.target);
  });
  std::vector<std::unique_ptr<Client>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<Client>(*server));
    slow.back()->send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  Client quick(*server);
  CHECK(body_of(quick.ask("GET /quick HTTP/1.1\r\nHost: h\r\n\r\n")) == "/quick");
  release.set_value();
  for (auto &client : slow)
    CHECK(body_of(client->response()) == "/slow");
  CHECK(waiting == 50);
}

TEST_CASE("stopping lets a request in flight finish and closes idle connections") {
  std::promise<void> entered, release;
  auto server = serve({}, [&](const HttpRequest &) {
    entered.set_value();
    release.get_future().wait();
    return text_reply(200, "done");
  });
  Client idle(*server), busy(*server);
  busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  entered.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { server.reset(); });
  CHECK(idle.rest().empty());
  release.set_value();
  const auto response = busy.rest();
  CHECK(body_of(response) == "done");
  CHECK(response.find("Connection: close") != std::string::npos);
  stopped.get();
}

TEST_CASE("a port that is none or taken is refused by name") {
  ControlPlaneConfig config;
  for (const double port : {-1.0, 65536.0, 1.5}) {
    config.port = port;
    CHECK(HttpServer::open(config, echo).error().code == "http_listen");
  }
  const auto server = serve();
  config.port = server->port();
  const auto taken = HttpServer::open(config, echo);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().where == "port " + std::to_string(server->port()));
}

TEST_CASE("work beyond the limit of threads waits its turn, and all of it runs") {
  std::atomic<int> ran = 0;
  {
    HttpWorkers workers(2);
    for (int i = 0; i < 100; ++i)
      CHECK(workers.run([&] { ++ran; }));
  }
  CHECK(ran == 100);
}

TEST_CASE("work is refused, not lost, when the system has no thread for it") {
  const pid_t child = ::fork();
  if (child == 0) { // a process that may have no thread but its first, and isn't root
    const rlimit none{0, 0};
    const bool poor =
        ::setrlimit(RLIMIT_NPROC, &none) == 0 && (::geteuid() != 0 || ::setresuid(65534, 65534, 65534) == 0);
    bool taken = false;
    {
      HttpWorkers workers(2);
      taken = workers.run([] {});
    }
    ::_exit(!poor ? 2 : taken ? 1 : 0);
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status)); // the destructor waits for no thread that never was
  CHECK(WEXITSTATUS(status) == 0);
}

} // namespace
} // namespace trellis::auth
