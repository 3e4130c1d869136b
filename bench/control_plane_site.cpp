#include "control_plane_site.h"

#include "cli/agent_contract.h"
#include "store/database.h"
#include "store/sessions.h"
#include "wire/jwt.h"
#include "wire/ulid.h"
#include <fstream>
#include <rapidjson/document.h>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>

namespace trellis::bench {
namespace {

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

std::string contract() {
  return std::string(cli::agent_contract_text());
}

} // namespace

ControlPlaneSite::ControlPlaneSite() : loop_(expect(NatsLoop::start())) {
  plane_.start();
  plane_.set_admin_password();
  session_ = std::make_unique<cli::LoginSession>(plane_.sign_in(contract()));
  credentials_ = expect(cli::session_credentials(*session_));
  const auto bundle = plane_.bundle();
  signing_ =
      std::make_unique<NkeySeed>(expect(NkeySeed::parse(first_line(bundle / "nats/secrets/auth-target-signing.seed"))));
  const auto manifest = expect(parse_json(test::read_file(bundle / "manifest.json")));
  const auto *nats = find_member(manifest, "nats");
  const auto *accounts = nats ? find_member(*nats, "accounts") : nullptr;
  const auto *trellis = accounts ? find_member(*accounts, "trellis") : nullptr;
  if (!trellis) throw std::runtime_error("the bundle's manifest names no TRELLIS account");
  account_ = std::string(string_member(*trellis, "publicKey"));
  watch_ = std::make_unique<CalloutWatch>(plane_.nats().url(), bundle / "nats/creds/auth-auth.creds");
}

void ControlPlaneSite::connect(const std::function<Result<ConnectionCredentials>()> &credentials) {
  NatsOptions options;
  options.servers = {plane_.nats().url()};
  options.name = "bench";
  options.inbox_prefix = session_->key.inbox_prefix();
  options.credentials = credentials;
  const auto transport = NatsTransport::open(*loop_, std::move(options));
  if (!transport->wait_connected(std::chrono::seconds(20))) throw std::runtime_error("not connected");
  transport->close(std::chrono::seconds(1));
}

void ControlPlaneSite::connect_through_callout() {
  connect(credentials_);
}

// The JWT is made for each connect, as the callout makes one.
void ControlPlaneSite::connect_with_static_jwt() {
  connect([this]() -> Result<ConnectionCredentials> {
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

// utime and stime of proc(5): the 12th and 13th field after the program's name, which ends with the last ')'.
double ControlPlaneSite::host_cpu_seconds() {
  const auto stat = first_line("/proc/" + std::to_string(plane_.process().pid()) + "/stat");
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i)
    fields >> skipped;
  double user = 0, system = 0;
  if (!(fields >> user >> system)) throw std::runtime_error("the host has ended");
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void ControlPlaneSite::settle() {
  constexpr std::chrono::milliseconds kLook{300}; // nothing tells when it is done, so the clock does
  constexpr double kIdle = 0.011;                 // seconds: one tick of proc(5)
  double before = host_cpu_seconds();
  for (int looks = 0; looks < 100; ++looks) {
    std::this_thread::sleep_for(kLook);
    const double now = host_cpu_seconds();
    if (now - before < kIdle) return;
    before = now;
  }
}

std::vector<ControlPlaneSite::Person> ControlPlaneSite::people(int count) {
  std::vector<Person> people;
  for (int i = 0; i < count; ++i) {
    auto key = SessionKey::generate();
    auto flow = plane_.start_flow(key, contract());
    people.push_back({std::move(key), std::move(flow)});
  }
  return people;
}

void ControlPlaneSite::log_in(const Person &person) {
  const int status = plane_.log_in(person.flow, "admin", test::LiveControlPlane::kPassword);
  if (status != 200) throw std::runtime_error("login: HTTP " + std::to_string(status));
}

void ControlPlaneSite::seed_sessions(int count) {
  plane_.stop();
  {
    const auto db = expect(auth::Database::open(plane_.database()));
    const auto like = expect(
        expect(db->read([&](auth::Reader &reader) { return auth::find_session(reader, session_->key.text(), 0); })));
    if (!like) throw std::runtime_error("the session isn't stored");
    const auto have =
        static_cast<int>(expect(db->read([](auth::Reader &reader) { return auth::list_sessions(reader, 0); })).size());
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

} // namespace trellis::bench
