// Signed requests through a C++ echo plugin in trellis-host, against two floors on the same server: a raw nats.c echo
// responder, and one that checks each request's proof. One JSON object per line; five alternating runs, medians.
//
// All responders are processes of their own, answer the same client, and connect with JWTs of the same shape. A floor
// is the best of nats.c's ways to run (own threads or event loop, one or two threads), found anew for each window.
#include "cli/sandbox.h"
#include "raw_connection.h"
#include "rpc_load.h"
#include "rpc_responder.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/wait_until.h"
#include "wire/credentials.h"
#include "wire/jwt.h"
#include "wire/ulid.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

using namespace trellis;
using namespace trellis::bench;

namespace {

constexpr char kOurs[] = "rpc.v1.Shout.Say";
constexpr char kFloor[] = "bench.floor";
constexpr int kRuns = 5;

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::filesystem::path own_program() {
  return std::filesystem::read_symlink("/proc/self/exe");
}

// A floor's process: ends when its stdin does.
class Responder {
public:
  Responder(bool verify, const RawMode &mode, const std::string &url, const std::string &credentials) {
    int in[2], out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) throw std::runtime_error("pipe failed");
    const std::string program = own_program().string();
    const std::string loop = mode.event_loop ? "1" : "0", threads = std::to_string(mode.threads);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]})
        ::close(fd);
      ::execl(program.c_str(), program.c_str(), "--responder", verify ? "verify" : "raw", loop.c_str(), threads.c_str(),
              url.c_str(), credentials.c_str(), kFloor, nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    stdin_ = in[1];
    char ready = 0;
    const bool heard = ::read(out[0], &ready, 1) == 1;
    ::close(out[0]);
    if (!heard) throw std::runtime_error("the floor's responder didn't start");
  }
  ~Responder() {
    ::close(stdin_);
    ::waitpid(pid_, nullptr, 0);
  }
  Responder(const Responder &) = delete;
  Responder &operator=(const Responder &) = delete;

private:
  pid_t pid_ = -1;
  int stdin_ = -1;
};

// The server, the host with echo-cpp, and credentials for client and floors.
class Bench {
public:
  Bench() : sandbox_(expect(cli::Sandbox::open())) {
    const auto build = own_program().parent_path().parent_path();
    expect(sandbox_->approve({{"shout", build / "examples/echo-cpp.so", {}}}));
    const auto bundle = sandbox_->folder() / "bundle";
    signing_ =
        std::make_unique<NkeySeed>(expect(NkeySeed::parse(line(bundle / "nats/secrets/auth-target-signing.seed"))));
    account_ = account_of(bundle / "policy.toml");
    key_ = std::make_unique<SessionKey>(expect(SessionKey::from_seed(line(bundle / "callers/local.seed"))));
    client_credentials_ = credentials("client", {kOurs, kFloor}, {key_->inbox_prefix() + ".>"});
    floor_credentials_ = credentials("floor", {}, {kFloor, "_INBOX.floor.>"});
    expect(sandbox_->start_host());
    client_ = std::make_unique<RawConnection>(sandbox_->nats_url(), &loop_, false, [this](natsOptions *options) {
      return natsOptions_SetUserCredentialsFromFiles(options, client_credentials_.c_str(), nullptr);
    });
    if (!test::wait_until([this] { return answers(); })) throw std::runtime_error("the host doesn't answer");
  }

  EchoFigures ours(std::size_t window, std::size_t count) { return measure(kOurs, window, count); }
  EchoFigures floor(bool verify, const RawMode &mode, std::size_t window, std::size_t count) {
    const Responder responder(verify, mode, sandbox_->nats_url(), floor_credentials_);
    return measure(kFloor, window, count);
  }

private:
  static std::string line(const std::filesystem::path &file) {
    std::ifstream in(file);
    std::string text;
    std::getline(in, text);
    return text;
  }

  static std::string account_of(const std::filesystem::path &policy) {
    std::ifstream in(policy);
    for (std::string text; std::getline(in, text);)
      if (text.starts_with("public_key")) return text.substr(text.find('"') + 1, 56);
    throw std::runtime_error("no account in policy.toml");
  }

  // A credentials file of the shape that the host's policy mints: an allow list, one reply a request.
  std::string credentials(const std::string &name, std::vector<std::string> publish,
                          std::vector<std::string> subscribe) {
    auto user = NkeySeed::generate(NkeyType::user);
    UserClaims claims;
    claims.publish_allow = std::move(publish);
    claims.subscribe_allow = std::move(subscribe);
    claims.response_max = 1;
    claims.issuer_account = account_;
    JwtClaims jwt;
    jwt.name = name;
    jwt.subject = user.public_text();
    jwt.issued_at = unix_ms_now() / 1000;
    jwt.expires_at = jwt.issued_at + 36000;
    jwt.nats = user_nats_claims(claims);
    const auto path = (folder_ / name).string();
    std::ofstream(path) << format_credentials({sign_jwt(jwt, *signing_), std::move(user)}).reveal();
    return path;
  }

  EchoFigures measure(const std::string &subject, std::size_t window, std::size_t count) {
    const auto requests = sign_requests(*key_, subject, payload_, count);
    return measure_requests(client_->get(), requests, key_->inbox_prefix(), window);
  }

  bool answers() {
    try {
      measure(kOurs, 1, 10);
      return true;
    } catch (const std::runtime_error &) {
      return false;
    }
  }

  const std::string payload_ = R"({"message":")" + std::string(114, 'X') + R"("})"; // 128 bytes; SHOUT echoes it
  test::TempDir folder_;
  std::unique_ptr<cli::Sandbox> sandbox_;
  std::unique_ptr<NkeySeed> signing_;
  std::string account_;
  std::unique_ptr<SessionKey> key_;
  std::string client_credentials_, floor_credentials_;
  RawLoop loop_;
  std::unique_ptr<RawConnection> client_;
};

RawMode best_mode(Bench &bench, bool verify, std::size_t window, std::size_t count) {
  RawMode best;
  double highest = 0;
  for (const auto &mode : raw_modes()) {
    const auto figures = bench.floor(verify, mode, window, count);
    const double score = window == 1 ? 1e6 / figures.p50_us : figures.per_second;
    if (score <= highest) continue;
    highest = score;
    best = mode;
  }
  return best;
}

struct Line {
  std::string name, unit, floor_name;
  std::function<double(const EchoFigures &)> value;
};

double spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values.back() - values.front()) / values[values.size() / 2];
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print(const Line &line, const std::vector<EchoFigures> &ours, const std::vector<EchoFigures> &floor) {
  std::vector<double> a, b;
  for (const auto &figures : ours)
    a.push_back(line.value(figures));
  for (const auto &figures : floor)
    b.push_back(line.value(figures));
  std::printf("{\"bench\":\"rpc\",\"case\":\"%s\",\"unit\":\"%s\",\"ours\":%.1f,\"floor\":%.1f,\"ratio\":%.3f,"
              "\"floor_is\":\"%s\",\"spread_ours\":%.2f,\"spread_floor\":%.2f,\"sync_interval\":\"always\"}\n",
              line.name.c_str(), line.unit.c_str(), median(a), median(b), median(a) / median(b),
              line.floor_name.c_str(), spread(a), spread(b));
  std::fflush(stdout);
}

void measure_window(Bench &bench, std::size_t window, const std::string &when, bool longer) {
  const std::size_t count = (window == 1 ? 3000U : 15000U) * (longer ? 2U : 1U);
  const auto raw_mode = best_mode(bench, false, window, count / 2);
  const auto verify_mode = best_mode(bench, true, window, count / 2);
  std::vector<EchoFigures> ours, raw, verify;
  for (int run = 0; run < kRuns; ++run) {
    ours.push_back(bench.ours(window, count));
    raw.push_back(bench.floor(false, raw_mode, window, count));
    verify.push_back(bench.floor(true, verify_mode, window, count));
  }
  const std::string name = "window " + std::to_string(window) + when;
  const auto rate = [](const EchoFigures &figures) { return figures.per_second; };
  const auto p50 = [](const EchoFigures &figures) { return figures.p50_us; };
  print({name, "requests/s", "raw echo, " + raw_mode.name(), rate}, ours, raw);
  print({name, "requests/s", "raw echo + proof check, " + verify_mode.name(), rate}, ours, verify);
  print({name, "p50 us", "raw echo, " + raw_mode.name(), p50}, ours, raw);
  print({name, "p50 us", "raw echo + proof check, " + verify_mode.name(), p50}, ours, verify);
}

void run_bench() {
  const bool longer = std::getenv("TRELLIS_TEST_LONG") != nullptr;
  Bench bench;
  for (const std::size_t window : {1U, 16U, 64U})
    measure_window(bench, window, "", longer);
  if (!longer) return;
  const auto until = unix_ms_now() + 150'000;
  while (unix_ms_now() < until)
    bench.ours(64, 30000);
  for (const std::size_t window : {1U, 16U, 64U})
    measure_window(bench, window, " after 150 s of load", longer);
}

} // namespace

int main(int argc, char **argv) {
  try {
    if (argc == 8 && std::string_view(argv[1]) == "--responder")
      return run_responder({std::string_view(argv[2]) == "verify",
                            {std::string_view(argv[3]) == "1", std::atoi(argv[4])},
                            argv[5],
                            argv[6],
                            argv[7]});
    run_bench();
    return 0;
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "bench rpc: %s\n", problem.what());
    return 1;
  }
}
