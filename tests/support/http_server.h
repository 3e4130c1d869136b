// A scripted HTTP server on 127.0.0.1, for what no real server does on request: never answering, wrong bodies, a clock
// that is off. Where a real server exists, tests use that one.
//
// Serves one request a connection and one connection at a time, on its own thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace trellis::test {

struct HttpRequest {
  std::string method, target; // target: path and query
  std::string head;           // request line and headers
  std::string body;
};

// A whole answer with its length. `headers`: lines that end with \r\n.
std::string http_answer(int status, std::string_view body, std::string_view headers = {});

class HttpServer {
public:
  // Returns the bytes to send; "" leaves the connection open without an answer. Runs on the server's thread.
  using Handler = std::function<std::string(const HttpRequest &)>;
  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer &) = delete;
  HttpServer &operator=(const HttpServer &) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // [thread-safe] Everything that was asked so far.
  std::vector<HttpRequest> requests() const;

private:
  void run();
  void serve(int connection);

  const Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<int> unanswered_; // of the thread
  mutable std::mutex mutex_;    // guards requests_
  std::vector<HttpRequest> requests_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

} // namespace trellis::test
