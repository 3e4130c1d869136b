// The listener: the only file that includes Boost.Beast, because it alone takes as long to compile as the rest.
//
// One thread does all reading and writing, with a coroutine a connection; routes run on HttpWorkers. Sizes and times
// are bounded before anything is believed: header, body, connections, and a deadline on each read and each write.
#include "http_api.h"

#include "http_reply.h"
#include "http_workers.h"
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <ctime>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace trellis::auth {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kDrain{5}, kHangUp{2};

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto &c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> out{};
  const auto size = std::strftime(out.data(), out.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {out.data(), size};
}

// An address as a person writes it: ::ffff:192.0.2.1 is the IPv4 address that it stands for.
std::string address_text(const tcp::socket &socket) {
  boost::system::error_code problem;
  const auto remote = socket.remote_endpoint(problem);
  if (problem) return {};
  auto address = remote.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  return address.to_string();
}

// It becomes part of URLs: only what a host and a port are made of.
bool is_host(std::string_view text) {
  constexpr std::string_view others = ".-_:[]";
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && others.find(c) == std::string_view::npos) return false;
  }
  return !text.empty();
}

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

HttpRequest request_of(http::request<http::string_body> &&message, std::string remote_ip) {
  HttpRequest out;
  out.method = view(message.method_string());
  out.target = view(message.target());
  out.remote_ip = std::move(remote_ip);
  out.request_origin = "http://" + std::string(view(message[http::field::host]));
  for (const auto &field : message)
    out.headers.emplace_back(lower(view(field.name_string())), std::string(view(field.value())));
  out.body = std::move(message.body());
  return out;
}

HttpResponse refusal(int status, std::string_view text) {
  HttpResponse out;
  out.status = status;
  set_header(out, "Content-Type", "text/plain; charset=UTF-8");
  out.body = text;
  return out;
}

bool is_header_text(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

http::response<http::string_body> message_of(HttpResponse &&response, bool head, bool keep_alive) {
  http::response<http::string_body> out(http::int_to_status(static_cast<unsigned>(response.status)), 11);
  out.set(http::field::date, http_date());
  for (const auto &[name, value] : response.headers)
    if (is_header_text(value)) out.insert(name, value);
  out.keep_alive(keep_alive);
  const bool bodiless = response.status == 204 || response.status == 304;
  if (!bodiless) out.content_length(response.body.size());
  if (!bodiless && !head) out.body() = std::move(response.body);
  return out;
}

class Server final : public HttpServer {
public:
  Server(const ControlPlaneConfig &config, Handler handler)
      : limits_(config.limits), handler_(std::move(handler)),
        workers_(std::in_place, static_cast<std::size_t>(limits_.password_queue + limits_.http_workers)),
        io_(std::in_place, 1), acceptor_(std::in_place, *io_) {}

  Result<void> listen(std::uint16_t port) {
    boost::system::error_code problem;
    if (!listen_on(tcp::endpoint(tcp::v6(), port), problem) && !listen_on(tcp::endpoint(tcp::v4(), port), problem))
      return fail("http_listen", "port " + std::to_string(port), problem.message(), "a free port");
    port_ = acceptor_->local_endpoint().port();
    asio::co_spawn(*io_, accept(), asio::detached);
    thread_ = std::thread([this] { io_->run(); });
    return {};
  }

  ~Server() override {
    asio::post(*io_, [this] { stop_accepting(); });
    {
      std::unique_lock lock(mutex_);
      drained_.wait_for(lock, kDrain, [&] { return accept_ended_ && connections_ == 0; });
    }
    io_->stop();
    if (thread_.joinable()) thread_.join();
    // Routes that still run would post to io_, and what io_ still holds refers to the rest of this object.
    workers_.reset();
    acceptor_.reset();
    io_.reset();
  }

  std::uint16_t port() const override { return port_; }

private:
  using Parser = http::request_parser<http::string_body>;
  struct Connection {
    Server &server;
    beast::tcp_stream stream;
    std::string remote_ip;
    bool idle = true; // between requests: may be closed at once when the server stops
    beast::flat_buffer buffer;

    Connection(Server &owner, tcp::socket socket)
        : server(owner), stream(std::move(socket)), remote_ip(address_text(stream.socket())),
          buffer(static_cast<std::size_t>(owner.limits_.http_header_bytes) + 65536) {
      server.open_.insert(this);
    }
    ~Connection() {
      server.open_.erase(this);
      const std::lock_guard lock(server.mutex_);
      --server.connections_;
      server.drained_.notify_all();
    }
    Connection(const Connection &) = delete;
    Connection &operator=(const Connection &) = delete;
  };

  bool listen_on(const tcp::endpoint &endpoint, boost::system::error_code &problem) {
    boost::system::error_code ignored;
    if (acceptor_->is_open()) acceptor_->close(ignored);
    if (acceptor_->open(endpoint.protocol(), problem)) return false;
    acceptor_->set_option(asio::socket_base::reuse_address(true), ignored);
    if (endpoint.protocol() == tcp::v6()) acceptor_->set_option(asio::ip::v6_only(false), ignored);
    if (acceptor_->bind(endpoint, problem)) return false;
    return !acceptor_->listen(asio::socket_base::max_listen_connections, problem);
  }

  // [I/O thread]
  void stop_accepting() {
    stopping_ = true;
    boost::system::error_code ignored;
    acceptor_->close(ignored);
    for (auto *connection : open_)
      if (connection->idle) connection->stream.cancel();
  }

  bool admit() {
    const std::lock_guard lock(mutex_);
    if (connections_ >= static_cast<std::size_t>(limits_.http_connections)) return false;
    ++connections_;
    return true;
  }

  asio::awaitable<void> accept() {
    while (!stopping_) {
      auto [problem, socket] = co_await acceptor_->async_accept(kAwait);
      if (problem && !stopping_) { // no descriptors left, or the peer is gone already: not for ever
        asio::steady_timer pause(*io_, std::chrono::milliseconds(50));
        co_await pause.async_wait(kAwait);
        continue;
      }
      if (problem || !admit()) continue; // one too many: closed as it is
      auto connection = std::make_shared<Connection>(*this, std::move(socket));
      // What a coroutine may throw is that memory ran out: this connection ends, the others go on.
      asio::co_spawn(*io_, serve(std::move(connection)), [](const std::exception_ptr &) {});
    }
    const std::lock_guard lock(mutex_);
    accept_ended_ = true;
    drained_.notify_all();
  }

  // No co_await inside a larger expression here: GCC 12 loses its place in such coroutines.
  asio::awaitable<void> serve(std::shared_ptr<Connection> connection) {
    boost::system::error_code ignored;
    connection->stream.socket().set_option(tcp::no_delay(true), ignored);
    for (bool open = true; open && !stopping_;)
      open = co_await serve_one(*connection);
    if (!stopping_) co_await hang_up(*connection);
  }

  // Closing with unread input would reset the connection, and the peer might lose the answer that is on its way.
  asio::awaitable<void> hang_up(Connection &connection) {
    boost::system::error_code ignored;
    connection.stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    connection.stream.expires_after(kHangUp);
    std::array<char, 16384> rest{};
    for (int i = 0; i < 1024; ++i) {
      const auto [problem, size] = co_await connection.stream.async_read_some(asio::buffer(rest), kAwait);
      if (problem) co_return;
    }
  }

  void arm(Connection &connection) const {
    connection.stream.expires_after(std::chrono::milliseconds(limits_.http_timeout_ms));
  }

  // False when the connection is to be closed.
  asio::awaitable<bool> serve_one(Connection &connection) {
    Parser parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.http_header_bytes));
    parser.body_limit(static_cast<std::uint64_t>(limits_.http_body_bytes));
    const auto problem = co_await read(connection, parser);
    const bool too_large = problem == http::error::body_limit;
    if (problem && !too_large) {
      co_await refuse(connection, problem);
      co_return false;
    }
    auto &message = parser.get();
    const bool named = message.count(http::field::host) == 1 && is_host(view(message[http::field::host]));
    if (!named && (message.version() >= 11 || message.count(http::field::host) > 0)) {
      co_await write(connection, refusal(400, "Bad Request"), false, false);
      co_return false;
    }
    const bool head = message.method() == http::verb::head;
    const bool wants_more = message.keep_alive() && !too_large;
    auto request = request_of(parser.release(), connection.remote_ip);
    request.body_too_large = too_large;
    auto response = co_await answer(std::move(request));
    const bool more = co_await write(connection, std::move(response), head, wants_more && !stopping_);
    co_return more;
  }

  asio::awaitable<beast::error_code> read(Connection &connection, Parser &parser) {
    arm(connection);
    const auto [header_problem, header_bytes] =
        co_await http::async_read_header(connection.stream, connection.buffer, parser, kAwait);
    connection.idle = false;
    if (header_problem) co_return header_problem;
    if (beast::iequals(parser.get()[http::field::expect], "100-continue") && !parser.is_done()) {
      http::response<http::empty_body> go_on(http::status::continue_, 11);
      const auto [problem, bytes] = co_await http::async_write(connection.stream, go_on, kAwait);
      if (problem) co_return problem;
    }
    arm(connection);
    const auto [problem, bytes] = co_await http::async_read(connection.stream, connection.buffer, parser, kAwait);
    co_return problem;
  }

  // A request that is none. Whoever went away or was too slow gets no answer.
  asio::awaitable<void> refuse(Connection &connection, beast::error_code problem) {
    const bool no_http = problem.category() == http::make_error_code(http::error::bad_method).category();
    if (!no_http || problem == http::error::end_of_stream || problem == http::error::partial_message) co_return;
    const bool header = problem == http::error::header_limit || problem == http::error::buffer_overflow;
    auto answer = header ? refusal(431, "Request Header Fields Too Large") : refusal(400, "Bad Request");
    co_await write(connection, std::move(answer), false, false);
  }

  asio::awaitable<HttpResponse> answer(HttpRequest request) {
    return asio::async_initiate<decltype(asio::use_awaitable), void(HttpResponse)>(
        [this](auto done, HttpRequest asked) {
          auto later = std::make_shared<decltype(done)>(std::move(done));
          const auto reply = [this, later](HttpResponse response) {
            asio::post(*io_, [later, response = std::move(response)]() mutable { (*later)(std::move(response)); });
          };
          if (!workers_->run([this, reply, asked = std::move(asked)] { reply(handler_(asked)); }))
            reply(refusal(503, "Service Unavailable"));
        },
        asio::use_awaitable, std::move(request));
  }

  asio::awaitable<bool> write(Connection &connection, HttpResponse response, bool head, bool keep_alive) {
    auto message = message_of(std::move(response), head, keep_alive);
    http::response_serializer<http::string_body> serializer(message);
    arm(connection);
    beast::error_code problem;
    if (head) {
      std::tie(problem, std::ignore) = co_await http::async_write_header(connection.stream, serializer, kAwait);
    } else {
      std::tie(problem, std::ignore) = co_await http::async_write(connection.stream, serializer, kAwait);
    }
    connection.idle = true;
    co_return !problem && keep_alive;
  }

  const Limits limits_;
  const Handler handler_;
  std::uint16_t port_ = 0;
  bool stopping_ = false;       // [I/O thread]
  std::set<Connection *> open_; // [I/O thread]
  std::mutex mutex_;            // guards what follows
  std::condition_variable drained_;
  std::size_t connections_ = 0;
  bool accept_ended_ = false;
  std::optional<HttpWorkers> workers_;
  std::optional<asio::io_context> io_;
  std::optional<tcp::acceptor> acceptor_;
  std::thread thread_;
};

} // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(const ControlPlaneConfig &config, Handler handler) {
  if (!(config.port >= 0 && config.port <= 65535 && config.port == std::floor(config.port)))
    return fail("http_listen", "port", "is no port number", "an integer from 0 to 65535");
  auto server = std::make_unique<Server>(config, std::move(handler));
  if (auto listening = server->listen(static_cast<std::uint16_t>(config.port)); !listening)
    return tl::make_unexpected(listening.error());
  return server;
}

} // namespace trellis::auth
