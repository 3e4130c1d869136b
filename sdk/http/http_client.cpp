#include "http/http_client.h"
#include <algorithm>
#include <atomic>
#include <curl/curl.h>
#include <optional>

namespace trellis {
namespace {

constexpr std::size_t kMaxHeaders = std::size_t{256} << 10;

// libcurl's global state, made once and kept: other code of the process may use libcurl too.
bool global_state_ready() {
  static const bool ready = ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

// For messages: without what may be secret.
std::string shown_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const auto scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::string(url);
  const auto authority = scheme + 3;
  const auto end = std::min(url.find('/', authority), url.size());
  const auto at = url.substr(0, end).rfind('@');
  if (at == std::string_view::npos || at < authority) return std::string(url);
  return std::string(url.substr(0, authority)) + std::string(url.substr(at + 1));
}

// `sent`: the request went out. libcurl calls an answer that is no HTTP an unsupported protocol, too.
const char *code_of(CURLcode result, bool sent) {
  switch (result) {
  case CURLE_URL_MALFORMAT:
  case CURLE_UNSUPPORTED_PROTOCOL: return sent ? "http_unreachable" : "http_url";
  case CURLE_OPERATION_TIMEDOUT: return "http_timeout";
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_ENGINE_NOTFOUND:
  case CURLE_SSL_ENGINE_SETFAILED:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_USE_SSL_FAILED:
  case CURLE_SSL_ENGINE_INITFAILED:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_SHUTDOWN_FAILED:
  case CURLE_SSL_CRL_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
  case CURLE_SSL_INVALIDCERTSTATUS: return "http_tls";
  default: return "http_unreachable";
  }
}

// What one request receives.
struct Receiver {
  std::size_t max_body = 0;
  std::size_t header_bytes = 0;
  bool too_large = false;
  HttpAnswer answer;

  static std::size_t body(char *data, std::size_t, std::size_t size, void *self) {
    auto &receiver = *static_cast<Receiver *>(self);
    if (size > receiver.max_body - receiver.answer.body.size()) {
      receiver.too_large = true;
      return CURL_WRITEFUNC_ERROR;
    }
    receiver.answer.body.append(data, size);
    return size;
  }

  static std::size_t header(char *data, std::size_t, std::size_t size, void *self) {
    auto &receiver = *static_cast<Receiver *>(self);
    receiver.header_bytes += size;
    if (receiver.header_bytes > kMaxHeaders) {
      receiver.too_large = true;
      return CURL_WRITEFUNC_ERROR;
    }
    receiver.add_line({data, size});
    return size;
  }

private:
  void add_line(std::string_view line) {
    if (line.starts_with("HTTP/")) return answer.headers.clear(); // an interim answer's don't count
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
    auto value = line.substr(colon + 1);
    while (!value.empty() && std::string_view(" \t\r\n").find(value.front()) != std::string_view::npos)
      value.remove_prefix(1);
    while (!value.empty() && std::string_view(" \t\r\n").find(value.back()) != std::string_view::npos)
      value.remove_suffix(1);
    answer.headers.emplace_back(std::move(name), value);
  }
};

struct FreeEasy {
  void operator()(CURL *easy) const { ::curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM *multi) const { ::curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist *list) const { ::curl_slist_free_all(list); }
};

} // namespace

std::string_view HttpAnswer::header(std::string_view lower_case_name) const {
  const auto found =
      std::ranges::find(headers, lower_case_name, [](const auto &header) { return std::string_view(header.first); });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

struct HttpClient::State {
  explicit State(HttpLimits chosen) : limits(chosen) {
    if (!global_state_ready()) return;
    multi.reset(::curl_multi_init());
    easy.reset(::curl_easy_init());
  }

  Result<HttpAnswer> perform(const std::string &url, const std::string_view *body) {
    if (!multi || !easy) return fail("http_unreachable", shown_url(url), "libcurl can't be started");
    char details[CURL_ERROR_SIZE] = "";
    Receiver receiver{.max_body = limits.max_body, .answer = {}};
    const std::unique_ptr<curl_slist, FreeList> headers(request_headers());
    set_up(url, body, receiver, headers.get(), details);
    ::curl_multi_add_handle(multi.get(), easy.get());
    const auto result = run();
    ::curl_multi_remove_handle(multi.get(), easy.get());
    ::curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, nullptr);

    if (receiver.too_large)
      return fail("http_too_large", shown_url(url), "the answer is too large",
                  "at most " + std::to_string(limits.max_body) + " bytes");
    if (!result) return fail("http_cancelled", shown_url(url), "the request was given up");
    if (*result != CURLE_OK)
      return fail(code_of(*result, sent()), shown_url(url), *details ? details : ::curl_easy_strerror(*result));
    long status = 0;
    ::curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
    receiver.answer.status = static_cast<int>(status);
    return std::move(receiver.answer);
  }

  const HttpLimits limits;
  std::atomic<bool> cancelled{false};
  std::unique_ptr<CURLM, FreeMulti> multi; // keeps the connections
  std::unique_ptr<CURL, FreeEasy> easy;    // goes before `multi`

private:
  bool sent() {
    curl_off_t before_transfer = 0;
    ::curl_easy_getinfo(easy.get(), CURLINFO_PRETRANSFER_TIME_T, &before_transfer);
    return before_transfer > 0;
  }

  static curl_slist *request_headers() {
    auto *list = ::curl_slist_append(nullptr, "Content-Type: application/json");
    return ::curl_slist_append(list, "Expect:"); // no waiting for "100 Continue" before a large body
  }

  void set_up(const std::string &url, const std::string_view *body, Receiver &receiver, curl_slist *headers,
              char *details) {
    CURL *handle = easy.get();
    ::curl_easy_reset(handle);
    ::curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
    ::curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    ::curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect_timeout.count()));
    ::curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.timeout.count()));
    ::curl_easy_setopt(handle, CURLOPT_USERAGENT, "trellis");
    ::curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, details);
    ::curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &Receiver::body);
    ::curl_easy_setopt(handle, CURLOPT_WRITEDATA, &receiver);
    ::curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, &Receiver::header);
    ::curl_easy_setopt(handle, CURLOPT_HEADERDATA, &receiver);
    if (!body) return;
    ::curl_easy_setopt(handle, CURLOPT_POST, 1L);
    ::curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    ::curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body->data());
    ::curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
  }

  // nullopt when it was cancelled.
  std::optional<CURLcode> run() {
    int running = 1;
    while (!cancelled) {
      if (::curl_multi_perform(multi.get(), &running) != CURLM_OK) return CURLE_FAILED_INIT;
      if (running == 0) return finished();
      ::curl_multi_poll(multi.get(), nullptr, 0, 1000, nullptr); // cancel() wakes it
    }
    return std::nullopt;
  }

  CURLcode finished() {
    int left = 0;
    while (const CURLMsg *message = ::curl_multi_info_read(multi.get(), &left))
      if (message->msg == CURLMSG_DONE) return message->data.result;
    return CURLE_FAILED_INIT;
  }
};

HttpClient::HttpClient(HttpLimits limits) : state_(std::make_unique<State>(limits)) {}
HttpClient::~HttpClient() = default;

Result<HttpAnswer> HttpClient::get(const std::string &url) {
  return state_->perform(url, nullptr);
}

Result<HttpAnswer> HttpClient::post_json(const std::string &url, std::string_view body) {
  const std::string_view sent = body.data() ? body : std::string_view("");
  return state_->perform(url, &sent);
}

void HttpClient::cancel() {
  state_->cancelled = true;
  if (state_->multi) ::curl_multi_wakeup(state_->multi.get());
}

} // namespace trellis
