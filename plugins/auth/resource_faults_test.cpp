// Provisioning that is cut off (02 §7.5): at whichever JetStream call, the next run completes and nothing is left over.
//
// For real kills the test program runs itself as the control plane that dies (test "provisioning child", hidden).
#include "authority_testing.h"
#include "builtin_contracts.h"
#include "resources_fixture.h"
#include "store/reserved_resources.h"
#include "support/process.h"
#include <cstdlib>
#include <filesystem>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::auth::testing;

namespace {

using NameSet = std::set<std::string>;

constexpr int kMoreCallsThanThereAre = 40;

// Nothing but what the bindings name, and the shared streams.
void check_nothing_is_left_over(ResourcesFixture &f) {
  CHECK(f.streams() == NameSet{"JOBS", "JOBS_ADVISORIES", "JOBS_WORK", "trellis", "KV_" + f.name("kv", "bucket"),
                               "OBJ_" + f.name("store", "name")});
  CHECK(f.consumers("trellis") == NameSet{f.name("event-consumer", "consumerName")});
  CHECK(f.consumers("JOBS_WORK") == NameSet{f.name("jobs", "consumerName")});
}

// The number of calls after which runs were cut off until one wasn't.
int cut_off_after_each_call(const std::function<void(ResourcesFixture &, bool cut_off)> &check) {
  for (int at = 1; at < kMoreCallsThanThereAre; ++at) {
    INFO("after call " << at);
    ResourcesFixture f;
    f.make_event_stream();
    bool cut_off = false;
    f.watched.on_answer = [&](int number) { return number != at || !(cut_off = true); };
    const bool done = f.provision(one_of_each()).has_value();
    CHECK(done != cut_off);
    f.watched.heal();
    check(f, cut_off);
    if (!cut_off) return at - 1;
  }
  return kMoreCallsThanThereAre;
}

// ---------------------------------------------------------------- a control plane that dies

constexpr char kContract[] =
    R"({"format":"trellis.contract.v1","id":"acme.mix@v1","displayName":"Mix","description":"d","kind":"service",
        "schemas":{"S":{"type":"object"}},
        "events":{"Mix.T":{"version":"v1","subject":"events.v1.Mix.T","event":{"schema":"S"}}},
        "jobs":{"mail":{"payload":{"schema":"S"}}},"eventConsumers":{"g":{"self":["Mix.T"]}},
        "resources":{"kv":{"cache":{"purpose":"p","schema":{"schema":"S"}}},"store":{"files":{"purpose":"p"}}}})";

// One control plane over the database in `folder`; `die_at`: ends as kill -9 would once that JetStream call is
// answered.
struct DyingPlane {
  DyingPlane(const std::filesystem::path &folder, const std::string &url, int die_at)
      : domain(*builtin_contracts()),
        db(*Database::open(folder / "trellis.db")), core{domain.config, *db, domain.catalog,
                                                         [this] { return domain.now.load(); }, domain.core.log},
        connections(core, domain.auth, domain.system, domain.trellis), loop(test::start_loop()),
        nats(test::open_connected(*loop, url)), watched(*nats),
        authority(core, connections, std::make_unique<JetStreamResources>(watched, watched, 1, Log()), "{}", "{}") {
    watched.on_answer = [die_at](int number) {
      if (number == die_at) _exit(137);
      return true;
    };
  }

  void plan_and_accept() {
    REQUIRE(authority.create_deployment(R"({"kind":"service","deploymentId":"acme","namespaces":[]})", admin));
    const auto contract = Manifest::parse(kContract);
    REQUIRE(contract);
    const auto planned = authority.plan(JsonObjectText()
                                            .text("deploymentId", "acme")
                                            .json("contract", contract->normalized())
                                            .text("expectedDigest", contract->digest())
                                            .str(),
                                        admin);
    REQUIRE(planned);
    const auto plan = parse_json(*planned);
    REQUIRE(authority.accept(JsonObjectText().text("planId", string_member((*plan)["plan"], "planId")).str(), false,
                             admin));
  }

  Domain domain;
  std::unique_ptr<Database> db;
  Core core;
  Connections connections;
  std::unique_ptr<NatsLoop> loop;
  std::unique_ptr<NatsTransport> nats;
  WatchedTransport watched;
  DeploymentAuthority authority;
  const Decider admin{R"({"type":"user","participantKind":"agent","userId":"usr_1","identity":{}})", "usr_1"};
};

std::vector<std::string> child(const std::filesystem::path &folder, const std::string &url, int die_at) {
  return {"/usr/bin/env",
          "RESOURCES_TEST_FOLDER=" + folder.string(),
          "RESOURCES_TEST_URL=" + url,
          "RESOURCES_TEST_DIE_AT=" + std::to_string(die_at),
          std::filesystem::read_symlink("/proc/self/exe").string(),
          "provisioning child"};
}

// What the control plane that comes after finds and completes.
void check_next_run(ResourcesFixture &f, const std::filesystem::path &folder) {
  DyingPlane plane(folder, f.server.url(), 0);
  REQUIRE(plane.authority.reconcile(R"({"deploymentId":"acme"})", plane.admin));
  const auto materialized = plane.db->read([](Reader &db) { return find_materialization(db, "acme"); });
  REQUIRE(materialized);
  REQUIRE(*materialized);
  INFO((*materialized)->error.value_or(""));
  CHECK((*materialized)->status == "current");
  f.stored = (*materialized)->bindings;
  check_nothing_is_left_over(f);
  CHECK(plane.db->read([](Reader &db) { return reserved_resources(db, "acme"); })->empty());
}

} // namespace

TEST_CASE("cut off after any call, what couldn't be taken back is taken up by the next run") {
  const int calls = cut_off_after_each_call([](ResourcesFixture &f, bool) {
    f.provisioned(one_of_each());
    check_nothing_is_left_over(f);
  });
  CHECK(calls == 14); // a look and a creation for each of seven streams and consumers
}

TEST_CASE("cut off after any call, nothing stays of what isn't asked for any more") {
  cut_off_after_each_call([](ResourcesFixture &f, bool) {
    f.provisioned({});
    NameSet streams = f.streams();
    for (const char *shared : {"JOBS", "JOBS_ADVISORIES", "JOBS_WORK"})
      streams.erase(shared);
    CHECK(streams == NameSet{"trellis"});
    CHECK(f.consumers("trellis").empty());
    if (f.streams().contains("JOBS_WORK")) CHECK(f.consumers("JOBS_WORK").empty());
  });
}

TEST_CASE("provisioning child", "[.]") {
  const char *folder = std::getenv("RESOURCES_TEST_FOLDER"), *url = std::getenv("RESOURCES_TEST_URL");
  const char *die_at = std::getenv("RESOURCES_TEST_DIE_AT");
  REQUIRE(folder);
  REQUIRE(url);
  REQUIRE(die_at);
  DyingPlane(folder, url, std::atoi(die_at)).plan_and_accept();
}

TEST_CASE("killed after any creation in JetStream, a control plane finds again what it had created and not recorded") {
  int kills = 0;
  for (int at = 2;; at += 2) { // every other call only looks
    REQUIRE(at < kMoreCallsThanThereAre);
    INFO("killed after call " << at);
    ResourcesFixture f;
    f.make_event_stream();
    const test::TempDir folder;
    const auto outcome = test::run_program(child(folder.path(), f.server.url(), at));
    INFO(outcome.out << outcome.err);
    if (outcome.status == 0) break;
    REQUIRE(outcome.status == 137);
    ++kills;
    check_next_run(f, folder.path());
  }
  CHECK(kills == 7);
}
