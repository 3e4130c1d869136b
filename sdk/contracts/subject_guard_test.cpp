#include "contracts/subject_guard.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

// A service with one rpc of this subject.
Manifest service(const std::string &id, const std::string &subject) {
  const auto manifest = Manifest::parse(R"({"format":"trellis.contract.v1","id":")" + id +
                                        R"(","displayName":"n","description":"d","kind":"service",
    "schemas":{"S":{"type":"object"}},
    "rpc":{"X":{"version":"v1","subject":")" +
                                        subject + R"(","input":{"schema":"S"},"output":{"schema":"S"}}}})");
  REQUIRE(manifest);
  return *manifest;
}

std::string code_of(const Result<void> &checked) {
  return checked ? "" : checked.error().code;
}

} // namespace

TEST_CASE("patterns overlap when one subject can match both") {
  CHECK(subjects_overlap("events.v1.A.*", "events.v1.A.x"));
  CHECK(subjects_overlap("events.v1.A.*.y", "events.v1.A.x.*"));
  CHECK(subjects_overlap("rpc.v1.A.B", "rpc.v1.A.B"));
  CHECK_FALSE(subjects_overlap("events.v1.A.*", "events.v1.A"));
  CHECK_FALSE(subjects_overlap("events.v1.A.*", "events.v1.A.b.c"));
  CHECK_FALSE(subjects_overlap("rpc.v1.A", "rpc.v1.A.B"));
  CHECK_FALSE(subjects_overlap("events.v1.A.x", "events.v1.A.y"));
}

TEST_CASE("the platform's ids and namespaces are its own, and its own manifest passes") {
  const std::vector<Manifest> builtin = {service("trellis.auth@v1", "rpc.v1.Auth.Health")};
  CHECK(check_own_subjects(builtin[0], builtin));
  CHECK(check_own_subjects(service("acme.a@v1", "rpc.v1.Acme.Health"), builtin));
  CHECK(code_of(check_own_subjects(service("trellis.auth@v1", "rpc.v1.Acme.X"), builtin)) == "contract_id_reserved");
  CHECK(code_of(check_own_subjects(service("acme.a@v1", "rpc.v1.Auth.Other"), builtin)) == "subject_reserved");
}

TEST_CASE("without its manifests, the platform's names are known too") {
  CHECK(check_own_subjects(service("acme.a@v1", "rpc.v1.Acme.Health")));
  CHECK(code_of(check_own_subjects(service("trellis.mine@v1", "rpc.v1.Acme.X"))) == "contract_id_reserved");
  for (const std::string name : {"Auth", "Health", "Jobs", "State", "Trellis"}) {
    INFO(name);
    CHECK(code_of(check_own_subjects(service("acme.a@v1", "rpc.v1." + name + ".X"))) == "subject_reserved");
  }
}

TEST_CASE("a feed can't listen to everything") {
  const auto manifest = Manifest::parse(R"({"format":"trellis.contract.v1","id":"acme.evil@v1","displayName":"n",
    "description":"d","kind":"service","schemas":{"S":{"type":"object"}},
    "feeds":{"F.All":{"version":"v1","subject":">","input":{"schema":"S"},"event":{"schema":"S"}}}})");
  REQUIRE(manifest);
  CHECK(code_of(check_own_subjects(*manifest)) == "subject_invalid");
}

TEST_CASE("an owned subject is plain tokens below its section and version") {
  CHECK(code_of(check_own_subjects(service("acme.a@v1", "rpc.v2.Acme.X"), {})) == "subject_invalid");
  CHECK(code_of(check_own_subjects(service("acme.a@v1", "rpc.v1.Acme.X queue"), {})) == "subject_invalid");
  CHECK(code_of(check_own_subjects(service("acme.a@v1", "rpc.v1.Acme.>"), {})) == "subject_invalid");
  CHECK(code_of(check_own_subjects(service("acme.a@v1", "rpc.v1.Acme..X"), {})) == "subject_invalid");
}

TEST_CASE("a subject of another contract is taken, one of another version of the same contract isn't") {
  const Manifest mine = service("acme.a@v1", "rpc.v1.Acme.X"), same = service("acme.a@v1", "rpc.v1.Acme.X"),
                 other = service("acme.b@v1", "rpc.v1.Acme.X"), free = service("acme.c@v1", "rpc.v1.Acme.Y");
  CHECK(check_subjects_free(mine, {&same, &free}));
  const auto taken = check_subjects_free(mine, {&free, &other});
  CHECK(code_of(taken) == "subject_owned");
  CHECK(taken.error().where == "/rpc/X/subject");
}
