#include "http_server.h"
#include <arpa/inet.h>
#include <cstdlib>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace trellis::test {
namespace {

bool read_more(int connection, std::string &into) {
  char buffer[65536];
  const auto got = ::recv(connection, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  into.append(buffer, static_cast<std::size_t>(got));
  return true;
}

std::size_t body_length(std::string head) {
  for (char &c : head)
    if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
  const std::string name = "\r\ncontent-length:";
  const auto found = head.find(name);
  return found == std::string::npos ? 0 : std::strtoul(head.c_str() + found + name.size(), nullptr, 10);
}

bool read_request(int connection, HttpRequest &request) {
  std::string bytes;
  std::size_t end = std::string::npos;
  while ((end = bytes.find("\r\n\r\n")) == std::string::npos)
    if (!read_more(connection, bytes)) return false;
  request.head = bytes.substr(0, end + 2);
  request.body = bytes.substr(end + 4);
  const auto length = body_length(request.head);
  while (request.body.size() < length)
    if (!read_more(connection, request.body)) return false;
  const auto first = request.head.find(' '), second = request.head.find(' ', first + 1);
  request.method = request.head.substr(0, first);
  request.target = request.head.substr(first + 1, second - first - 1);
  return true;
}

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return; // the client gave up
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

} // namespace

std::string http_answer(int status, std::string_view body, std::string_view headers) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\nConnection: close\r\nContent-Length: ";
  out += std::to_string(body.size()) + "\r\n";
  return out.append(headers).append("\r\n").append(body);
}

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto *generic = reinterpret_cast<sockaddr *>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, generic, &size) != 0)
    throw std::runtime_error("no listening socket");
  port_ = ::ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

HttpServer::~HttpServer() {
  ending_ = true;
  ::shutdown(listener_, SHUT_RDWR); // accept returns
  thread_.join();
  ::close(listener_);
  for (const int connection : unanswered_)
    ::close(connection);
}

std::vector<HttpRequest> HttpServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void HttpServer::run() {
  while (!ending_) {
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) serve(connection);
  }
}

void HttpServer::serve(int connection) {
  HttpRequest request;
  if (!read_request(connection, request)) {
    ::close(connection);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  const auto answer = handler_(request);
  if (answer.empty()) {
    unanswered_.push_back(connection);
    return;
  }
  send_all(connection, answer);
  ::close(connection);
}

} // namespace trellis::test
