// What reading a contract costs: its digest, against RapidJSON's parse and one SHA-256 of the same bytes; and what its
// grants and NATS permissions cost, against the user JWT that carries them.
//
// bench-contracts [MANIFEST...]: the largest of these files; without any, the largest of $TRELLIS_MANIFESTS, else of
// ../shared/manifests beside the project, else of the project's own contracts.
#include "contracts/authority.h"
#include "contracts/encoding.h"
#include "contracts/manifest.h"
#include "cpu_time.h"
#include "wire/jwt.h"
#include "wire/ulid.h"
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <rapidjson/document.h>
#include <sstream>
#include <stdexcept>

using namespace trellis;
using namespace trellis::bench;

namespace {

using Files = std::vector<std::filesystem::path>;

constexpr char kSession[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

Files manifests_in(const std::filesystem::path &folder) {
  Files files;
  std::error_code none;
  for (const auto &entry : std::filesystem::directory_iterator(folder, none))
    if (entry.path().extension() == ".json" && entry.path().filename().string().find("@v") != std::string::npos)
      files.push_back(entry.path());
  return files;
}

Files default_manifests() {
  const std::filesystem::path root = TRELLIS_SOURCE_ROOT;
  if (const char *named = std::getenv("TRELLIS_MANIFESTS")) return manifests_in(named);
  auto files = manifests_in(root.parent_path() / "shared/manifests");
  return files.empty() ? manifests_in(root / "plugins/auth/contracts") : files;
}

std::string read(const std::filesystem::path &file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw std::runtime_error(file.string() + " can't be read");
  return text.str();
}

void measure_digest(Files files) {
  if (files.empty()) files = default_manifests();
  if (files.empty()) throw std::runtime_error("no manifest");
  const auto largest = *std::max_element(files.begin(), files.end(), [](const auto &a, const auto &b) {
    return std::filesystem::file_size(a) < std::filesystem::file_size(b);
  });
  const auto text = read(largest);
  std::size_t kept = 0; // so that no call can be left out
  const auto figures = compare([&] { kept += expect(Manifest::parse(text)).digest().size(); },
                               [&] {
                                 rapidjson::Document document;
                                 document.Parse(text.data(), text.size());
                                 kept += (document.HasParseError() ? 0U : 1U) + sha256(as_bytes(text))[0];
                               });
  if (kept == 0) throw std::runtime_error("nothing was read");
  print("contracts", "digest of " + largest.filename().string() + ", " + std::to_string(text.size()) + " bytes",
        "RapidJSON parse + SHA-256", figures);
}

// A service contract of `count` surfaces: of ten six rpcs, two operations, an event and a feed.
Manifest contract_of(int count) {
  std::string sections[4];
  for (int i = 0; i < count; ++i) {
    const int kind = i % 10 < 6 ? 0 : i % 10 < 8 ? 1 : i % 10 == 8 ? 2 : 3;
    static constexpr const char *kPrefix[] = {"rpc", "operations", "events", "feeds"};
    static constexpr const char *kSchemas[] = {
        R"("input":{"schema":"S"},"output":{"schema":"S"})", R"("input":{"schema":"S"},"output":{"schema":"S"})",
        R"("event":{"schema":"S"})", R"("input":{"schema":"S"},"event":{"schema":"S"})"};
    static constexpr const char *kLists[] = {R"("call":["use"])", R"("call":["use"],"observe":["use"])",
                                             R"("publish":["use"],"subscribe":["use"])", R"("subscribe":["use"])"};
    const auto name = "Store.Thing" + std::to_string(i);
    auto &section = sections[kind];
    section += (section.empty() ? "\"" : ",\"") + name + R"(":{"version":"v1","subject":")" + kPrefix[kind] + ".v1." +
               name + "\"," + kSchemas[kind] + R"(,"capabilities":{)" + kLists[kind] + "}}";
  }
  return expect(Manifest::parse(
      R"({"format":"trellis.contract.v1","id":"acme.store@v1","displayName":"Store","description":"A store.",)"
      R"("kind":"service","schemas":{"S":true},"capabilities":{"use":{"displayName":"Use","description":"Use."}},)"
      R"("rpc":{)" +
      sections[0] + R"(},"operations":{)" + sections[1] + R"(},"events":{)" + sections[2] + R"(},"feeds":{)" +
      sections[3] + "}}"));
}

std::string signed_jwt(const Permissions &permissions, const NkeySeed &user, const NkeySeed &signer) {
  UserClaims claims;
  claims.publish_allow = permissions.publish;
  claims.subscribe_allow = permissions.subscribe;
  claims.response_max = permissions.response.max;
  claims.issuer_account = signer.public_text();
  JwtClaims jwt;
  jwt.name = "service";
  jwt.subject = user.public_text();
  jwt.issued_at = unix_ms_now() / 1000;
  jwt.expires_at = jwt.issued_at + 3600;
  jwt.nats = user_nats_claims(claims);
  return sign_jwt(jwt, signer);
}

void measure_permissions(int surfaces) {
  const auto manifest = contract_of(surfaces);
  const KnownContracts known = {{manifest}};
  const auto analysis = expect(analyze(manifest, known, Resolution::active));
  DesiredState desired;
  desired.surfaces = analysis.provided;
  desired.needs = analysis.requested();
  const std::vector<OfferRef> offers = {{"offer", "acme.store", manifest.id(), manifest.digest(), "accepted",
                                         "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"}};
  const auto grants = materialize(desired, offers, known, DeploymentKind::service);
  const auto permissions = service_permissions(grants, {}, kSession);
  const auto user = NkeySeed::generate(NkeyType::user), signer = NkeySeed::generate(NkeyType::account);

  std::size_t kept = 0;
  const auto jwt = [&] { kept += signed_jwt(permissions, user, signer).size(); };
  const auto print_case = [&](const std::string &name, const Comparison &figures) {
    char each[64];
    std::snprintf(each, sizeof each, ",\"ours_per_surface\":%.0f", figures.ours / surfaces);
    print("contracts", name + " of " + std::to_string(surfaces) + " surfaces", "the signed user JWT with these lists",
          figures, each);
  };
  print_case("permissions", compare([&] { kept += service_permissions(grants, {}, kSession).publish.size(); }, jwt));
  print_case("grants and permissions", compare(
                                           [&] {
                                             const auto fresh =
                                                 materialize(desired, offers, known, DeploymentKind::service);
                                             kept += service_permissions(fresh, {}, kSession).publish.size();
                                           },
                                           jwt));
  if (kept == 0) throw std::runtime_error("nothing was granted");
}

} // namespace

int main(int argc, char **argv) {
  try {
    measure_digest({argv + 1, argv + argc});
    measure_permissions(100);
    measure_permissions(1000); // the cost of one surface has to stay what it is
    return 0;
  } catch (const std::exception &problem) {
    std::fprintf(stderr, "bench contracts: %s\n", problem.what());
    return 1;
  }
}
