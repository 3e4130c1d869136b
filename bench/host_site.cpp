#include "host_site.h"

#include "artifact/artifact.h"
#include "raw_echo.h"
#include "rpc_site.h"
#include "support/process_figures.h"
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <unistd.h>

namespace trellis::bench {
namespace {

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

std::string contract_id(int number) {
  return "bench.n" + std::to_string(number) + "@v1";
}
std::string subject(int number) {
  return "rpc.v1.N" + std::to_string(number) + ".Say";
}

std::string bare_subject(int number) {
  return "bare." + std::to_string(number);
}

template <class Subject>
std::vector<std::string> each(const std::vector<int> &numbers, Subject subject_of) {
  std::vector<std::string> out;
  for (const int number : numbers)
    out.push_back(subject_of(number));
  return out;
}

std::vector<int> numbers_up_to(int count) {
  std::vector<int> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

std::string contract(int number) {
  const std::string name = "N" + std::to_string(number);
  return R"({"format":"trellis.contract.v1","id":")" + contract_id(number) + R"(","displayName":")" + name +
         R"(","kind":"service","description":"Answers with its input.","schemas":{"Message":{"type":"object",)"
         R"("required":["message"],"properties":{"message":{"type":"string"}}}},"rpc":{")" +
         name + R"(.Say":{"version":"v1","subject":")" + subject(number) +
         R"(","input":{"schema":"Message"},"output":{"schema":"Message"}}}})";
}

std::filesystem::path plugin_file(const std::filesystem::path &folder, int number) {
  static const std::string original =
      test::read_file(std::filesystem::path(std::getenv("TRELLIS_BUILD_DIR")) / "bench" / "bench-plugin.so");
  const auto file = folder / ("n" + std::to_string(number) + ".so");
  const auto bytes = expect(embed_contract(as_bytes(original), contract(number)));
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return file;
}

} // namespace

HostSite::HostSite(int plugins) {
  test::LiveHost::CallerEntry uses;
  for (int i = 0; i < plugins; ++i) {
    const auto file = plugin_file(folder_.path(), i);
    host_.set_plugin("n" + std::to_string(i), {file});
    host_.accept(file);
    uses.uses[contract_id(i)] = {"*"};
  }
  host_.set_caller("bench", std::move(uses));
  const auto begun = std::chrono::steady_clock::now();
  host_.start();
  time_to_ready_ = std::chrono::steady_clock::now() - begun;
  caller_ = host_.connect("bench");
  auto publish = each(numbers_up_to(plugins), subject);
  publish.emplace_back("bare.*");
  client_credentials_ = credentials("client", std::move(publish), {caller_->key().inbox_prefix() + ".>"});
  client_ = std::make_unique<RawConnection>(host_.nats().url(), &loop_, false, [this](natsOptions *options) {
    return natsOptions_SetUserCredentialsFromFiles(options, client_credentials_.c_str(), nullptr);
  });
}

HostSite::~HostSite() {
  loop_.end();
  host_.stop();
}

std::string HostSite::credentials(const std::string &name, std::vector<std::string> publish,
                                  std::vector<std::string> subscribe) const {
  return write_credentials(host_.bundle(), folder_ / name, std::move(publish), std::move(subscribe));
}

std::size_t HostSite::rss_kb() {
  return test::figures_of_process(host_.process().pid()).rss_kb;
}

EchoFigures HostSite::measure(const std::vector<int> &plugins, std::size_t window, std::size_t count) {
  return measure_subjects(each(plugins, subject), window, count);
}

EchoFigures HostSite::measure_bare(const std::vector<int> &connections, std::size_t window, std::size_t count) {
  return measure_subjects(each(connections, bare_subject), window, count);
}

EchoFigures HostSite::measure_subjects(const std::vector<std::string> &subjects, std::size_t window,
                                       std::size_t count) {
  const std::string payload = R"({"message":")" + std::string(114, 'x') + R"("})";
  const auto requests = sign_requests(caller_->key(), subjects, payload, count);
  return measure_requests(client_->get(), requests, caller_->key().inbox_prefix(), window);
}

std::unique_ptr<BareConnections> HostSite::open_bare_connections(int count) {
  return std::make_unique<BareConnections>(
      host_.nats().url(), each(numbers_up_to(count), bare_subject),
      [this](const std::string &subject) { return credentials("bare", {}, {subject}); });
}

BareConnections::BareConnections(const std::string &url, const std::vector<std::string> &subjects,
                                 const std::function<std::string(const std::string &subject)> &credentials) {
  const auto before = test::figures_of_process(::getpid()).rss_kb;
  const auto begun = std::chrono::steady_clock::now();
  for (const auto &subject : subjects) {
    const auto file = credentials(subject);
    const auto &connection =
        connections_.emplace_back(std::make_unique<RawConnection>(url, &loop_, false, [&file](natsOptions *options) {
          return natsOptions_SetUserCredentialsFromFiles(options, file.c_str(), nullptr);
        }));
    subscriptions_.push_back(serve_raw_echo(connection->get(), subject, true));
  }
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  rss_kb_ = static_cast<double>(test::figures_of_process(::getpid()).rss_kb) - static_cast<double>(before);
}

// Nothing may wait to be written when the loop has ended: closing would wait for it, connection by connection.
BareConnections::~BareConnections() {
  for (auto *subscription : subscriptions_)
    natsSubscription_Destroy(subscription);
  for (const auto &connection : connections_)
    natsConnection_FlushTimeout(connection->get(), 5000);
  loop_.end();
}

} // namespace trellis::bench
