// Connects through the auth callout, against connects with static JWTs on the same server, one after the other and
// eight at a time, with few and with many sessions in the database. One JSON object per line; five alternating runs,
// medians. The sessions are seeded through the store, not by traffic.
#include "cli/agent_contract.h"
#include "live/live_control_plane.h"
#include "nats/nats_transport.h"
#include "store/database.h"
#include "store/sessions.h"
#include "wire/jwt.h"
#include "wire/ulid.h"
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <thread>

using namespace trellis;

namespace {

using Connect = std::function<void()>;

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string first_line(const std::filesystem::path &file) {
  std::ifstream in(file);
  std::string text;
  std::getline(in, text);
  return text;
}

// Connects, waits for the server's answer, closes.
void connect_once(NatsLoop &loop, const std::string &url, const std::string &inbox,
                  const std::function<Result<ConnectionCredentials>()> &credentials) {
  NatsOptions options;
  options.servers = {url};
  options.name = "bench";
  options.inbox_prefix = inbox;
  options.credentials = credentials;
  const auto transport = NatsTransport::open(loop, std::move(options));
  if (!transport->wait_connected(std::chrono::seconds(20))) throw std::runtime_error("not connected");
  transport->close(std::chrono::seconds(1));
}

// Connects per second.
double rate(const Connect &connect, int count, int at_a_time) {
  std::atomic<int> left = count;
  std::atomic<bool> failed = false;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < at_a_time; ++i)
    threads.emplace_back([&] {
      try {
        while (left-- > 0)
          connect();
      } catch (const std::exception &) {
        failed = true;
      }
    });
  for (auto &thread : threads)
    thread.join();
  if (failed) throw std::runtime_error("a connect failed");
  return count / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
double spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return (values.back() - values.front()) / values[values.size() / 2];
}

class Bench {
public:
  Bench() : loop_(expect(NatsLoop::start())) {
    plane_.start();
    plane_.set_admin_password();
    session_ = std::make_unique<cli::LoginSession>(plane_.sign_in(std::string(cli::agent_contract_text())));
    credentials_ = expect(cli::session_credentials(*session_));
    signing_ = std::make_unique<NkeySeed>(
        expect(NkeySeed::parse(first_line(plane_.bundle() / "nats/secrets/auth-target-signing.seed"))));
    const auto config = expect(parse_json(test::read_file(plane_.bundle() / "manifest.json")));
    account_ = std::string(string_member((*find_member(config, "nats"))["accounts"]["trellis"], "publicKey"));
  }

  void through_callout() { connect_once(*loop_, plane_.nats().url(), session_->key.inbox_prefix(), credentials_); }

  void with_static_jwt() {
    connect_once(*loop_, plane_.nats().url(), session_->key.inbox_prefix(), [this]() -> Result<ConnectionCredentials> {
      auto user = NkeySeed::generate(NkeyType::user);
      UserClaims claims;
      claims.publish_allow = {"rpc.v1.Auth.Health"};
      claims.subscribe_allow = {session_->key.inbox_prefix() + ".>"};
      claims.response_max = 1;
      claims.issuer_account = account_;
      JwtClaims jwt;
      jwt.name = "floor";
      jwt.subject = user.public_text();
      jwt.issued_at = unix_ms_now() / 1000;
      jwt.expires_at = jwt.issued_at + 3600;
      jwt.nats = user_nats_claims(claims);
      return ConnectionCredentials{{sign_jwt(jwt, *signing_), std::move(user)}, {}, std::nullopt};
    });
  }

  // Ten people who sign in `count` times together; counts up to `count`.
  std::vector<std::thread> logins(int count, std::atomic<int> &done) {
    std::vector<std::thread> people;
    for (int person = 0; person < 10; ++person)
      people.emplace_back([this, count, person, &done] {
        const auto key = SessionKey::generate();
        for (int i = person; i < count; i += 10) {
          const auto flow = plane_.start_flow(key, std::string(cli::agent_contract_text()));
          plane_.log_in(flow, "admin", test::LiveControlPlane::kPassword);
          ++done;
        }
      });
    return people;
  }

  // Adds sessions of the administrator until there are `count`.
  void seed(int count) {
    plane_.stop();
    {
      const auto db = expect(auth::Database::open(plane_.database()));
      const auto like =
          expect(*db->read([&](auth::Reader &reader) { return auth::find_session(reader, session_->key.text(), 0); }));
      const auto have = static_cast<int>(
          expect(db->read([](auth::Reader &reader) { return auth::list_sessions(reader, 0); })).size());
      expect(db->write([&](auth::Writer &writer) -> Result<void> {
        auto session = *like;
        for (int i = have; i < count; ++i) {
          session.session_key = base64url(sha256(as_bytes(std::to_string(i))));
          auth::put_session(writer, session);
        }
        return {};
      }));
    }
    plane_.start();
  }

private:
  std::unique_ptr<NatsLoop> loop_;
  test::LiveControlPlane plane_;
  std::unique_ptr<cli::LoginSession> session_;
  std::function<Result<ConnectionCredentials>()> credentials_;
  std::unique_ptr<NkeySeed> signing_;
  std::string account_;
};

void measure(Bench &bench, int sessions, int at_a_time) {
  constexpr int kRuns = 5;
  const int count = at_a_time * 50;
  std::vector<double> ours, floor;
  for (int run = 0; run < kRuns; ++run) {
    ours.push_back(rate([&] { bench.through_callout(); }, count, at_a_time));
    floor.push_back(rate([&] { bench.with_static_jwt(); }, count, at_a_time));
  }
  std::printf("{\"bench\":\"control-plane\",\"case\":\"%d at a time, %d sessions\",\"unit\":\"connects/s\","
              "\"ours\":%.1f,\"floor\":%.1f,\"ratio\":%.3f,\"floor_is\":\"static JWT\",\"spread_ours\":%.2f,"
              "\"spread_floor\":%.2f,\"sync_interval\":\"always\"}\n",
              at_a_time, sessions, median(ours), median(floor), median(ours) / median(floor), spread(ours),
              spread(floor));
  std::fflush(stdout);
}

// Milliseconds of single connects while fifty people sign in, against the same without them.
void measure_during_logins(Bench &bench) {
  const auto connects = [&](const std::function<bool()> &more) {
    std::vector<double> ms;
    while (more()) {
      const auto begin = std::chrono::steady_clock::now();
      bench.through_callout();
      ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    }
    std::sort(ms.begin(), ms.end());
    return ms;
  };
  int left = 100;
  const auto quiet = connects([&] { return left-- > 0; });
  std::atomic<int> logins = 0;
  auto people = bench.logins(50, logins);
  const auto busy = connects([&] { return logins < 50; });
  for (auto &person : people)
    person.join();
  const auto print = [&](const char *name, double ours, double floor) {
    std::printf("{\"bench\":\"control-plane\",\"case\":\"connect during 50 logins, %s\",\"unit\":\"ms\",\"ours\":%.1f,"
                "\"floor\":%.1f,\"ratio\":%.3f,\"floor_is\":\"the same without logins\",\"connects\":%zu,"
                "\"sync_interval\":\"always\"}\n",
                name, ours, floor, ours / floor, busy.size());
  };
  print("median", busy[busy.size() / 2], quiet[quiet.size() / 2]);
  print("slowest", busy.back(), quiet.back());
  std::fflush(stdout);
}

} // namespace

int main() {
  try {
    Bench bench;
    measure_during_logins(bench);
    for (const int sessions : {100, 100'000}) {
      bench.seed(sessions);
      for (const int at_a_time : {1, 8})
        measure(bench, sessions, at_a_time);
    }
    return 0;
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "bench control-plane: %s\n", problem.what());
    return 1;
  }
}
