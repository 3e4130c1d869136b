#include "artifact/artifact.h"
#include "artifact/elf_testing.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis;
using namespace trellis::testing;

namespace {

constexpr auto kContract = R"({"format":"trellis.contract.v1","id":"acme.bare@v1","displayName":"Bare",)"
                           R"("description":"For tests.","kind":"service"})";

// What Artifact::open says about `bytes` in a file.
Error refusal_of(ByteView bytes) {
  const TemporaryFolder folder;
  const auto artifact = Artifact::open(folder.write("plugin.so", bytes));
  REQUIRE_FALSE(artifact);
  CHECK(artifact.error().where.find("plugin.so") != std::string::npos);
  return artifact.error();
}

Bytes with_contract(const std::string &testdata, std::string_view contract = kContract) {
  auto bytes = embed_contract(read_file(testdata_path(testdata)), contract);
  REQUIRE(bytes);
  return *bytes;
}

} // namespace

TEST_CASE("an artifact knows its contract, its hash and its bytes") {
  const auto path = example_path("inventory");
  const auto artifact = Artifact::open(path);
  INFO((artifact ? "" : artifact.error().text()));
  REQUIRE(artifact);
  const auto bytes = read_file(path);
  CHECK(artifact->path() == path);
  CHECK(artifact->manifest().id() == "acme.inventory@v1");
  CHECK(artifact->sha256_hex() == hex(sha256(bytes)));
  CHECK(std::ranges::equal(artifact->bytes(), bytes));
  CHECK(artifact->elf().has_entry);
}

TEST_CASE("the copy can't be changed by anyone") {
  const auto artifact = Artifact::open(example_path("echo-c"));
  REQUIRE(artifact);
  const int fd = artifact->memfd();
  CHECK(::fcntl(fd, F_GET_SEALS) == (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
  CHECK(::pwrite(fd, "x", 1, 0) == -1);
  CHECK(errno == EPERM);
  CHECK(::ftruncate(fd, 0) == -1);
  CHECK(::ftruncate(fd, 1 << 30) == -1);
  CHECK(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
}

TEST_CASE("changing the file later changes nothing") {
  const TemporaryFolder folder;
  const auto before = read_file(example_path("echo-c"));
  const auto path = folder.write("echo.so", before);
  const auto artifact = Artifact::open(path);
  REQUIRE(artifact);
  folder.write("echo.so", as_bytes("something else"));
  CHECK(std::ranges::equal(artifact->bytes(), before));
}

TEST_CASE("what can't be read as a file is refused") {
  const TemporaryFolder folder;
  CHECK(Artifact::open(folder.path() / "missing.so").error().code == "artifact_unreadable");
  CHECK(Artifact::open(folder.path()).error().code == "artifact_unreadable");
  const auto fifo = (folder.path() / "fifo.so").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(Artifact::open(fifo).error().code == "artifact_unreadable");
  CHECK(refusal_of({}).code == "elf_invalid");
}

TEST_CASE("a file beyond 512 MiB is refused unread") {
  const TemporaryFolder folder;
  const auto path = folder.write("plugin.so", {});
  std::filesystem::resize_file(path, kMaxArtifactBytes + 1);
  CHECK(Artifact::open(path).error().code == "artifact_too_large");
}

TEST_CASE("each rule of a plugin file has its refusal") {
  CHECK(refusal_of(as_bytes("no ELF file")).code == "elf_invalid");
  CHECK(refusal_of(read_file(testdata_path("no_contract"))).code == "contract_missing");
  CHECK(refusal_of(read_file(testdata_path("no_entry"))).code == "entry_missing");
  CHECK(refusal_of(read_file(testdata_path("unique"))).code == "unique_symbols");
  CHECK(refusal_of(with_contract("rpath")).code == "rpath");
}

TEST_CASE("a needed library with a path is refused") {
  auto bytes = with_contract("no_contract");
  const auto facts = read_elf(bytes);
  REQUIRE(facts);
  REQUIRE_FALSE(facts->needed.empty());
  const auto at = as_text(bytes).find(facts->needed.front());
  bytes[at + 1] = '/';
  const auto error = refusal_of(bytes);
  CHECK(error.code == "needed_path");
  CHECK(error.message.find('/') != std::string::npos);
}

TEST_CASE("a needed library whose name becomes a path in the loader is refused") {
  ElfFacts facts;
  facts.has_entry = true;
  for (const char *name : {"${LIB}x.so", "$ORIGIN", "lib$PLATFORM.so"}) {
    INFO(name);
    facts.needed = {"libc.so.6", name};
    const auto refused = refusals(facts, "p.so");
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].code == "needed_path");
    CHECK(refused[0].message.find(name) != std::string::npos);
  }
  facts.needed = {"libc.so.6"};
  CHECK(refusals(facts, "p.so").empty());
}

TEST_CASE("inspection tells everything that open would refuse") {
  auto file = Patched{read_file(testdata_path("unique"))};
  file.change_dynamic(DT_INIT, [](auto &entry) { entry.d_tag = DT_RUNPATH; });
  file.change_entry_symbol([](auto &symbol) { symbol.st_other = STV_HIDDEN; });
  const TemporaryFolder folder;
  const auto artifact = Artifact::open_for_inspection(folder.write("plugin.so", file.bytes));
  REQUIRE(artifact);
  const auto refused = refusals(artifact->elf(), "plugin.so");
  REQUIRE(refused.size() == 3);
  CHECK(refused[0].code == "entry_missing");
  CHECK(refused[1].code == "unique_symbols");
  CHECK(refused[2].code == "rpath");
}

TEST_CASE("a contract that isn't one is refused with its place") {
  const auto broken = refusal_of(with_contract("no_contract", "{\"format\":"));
  CHECK(broken.code == "json_invalid");
  CHECK(broken.where.find("plugin.so, contract byte ") != std::string::npos);
  const auto wrong = refusal_of(with_contract("no_contract", R"({"format":"trellis.contract.v1","id":3})"));
  CHECK(wrong.where.find("plugin.so, contract /") != std::string::npos);
}

TEST_CASE("a contract section may hold an array of contracts") {
  const TemporaryFolder folder;
  const std::string second = R"({"format":"trellis.contract.v1","id":"acme.other@v1","displayName":"Other",)"
                             R"("description":"For tests.","kind":"service"})";
  const auto bytes = with_contract("no_contract", "[" + std::string(kContract) + "," + second + "]");
  const auto artifact = Artifact::open(folder.write("plugin.so", bytes));
  REQUIRE(artifact);
  CHECK(artifact->has_contract_array());
  REQUIRE(artifact->manifests().size() == 2);
  CHECK(artifact->manifest().id() == "acme.bare@v1");
  CHECK(artifact->manifests()[1].id() == "acme.other@v1");
  CHECK(artifact->manifests()[1].digest() == Manifest::parse(second)->digest());
}

TEST_CASE("an array of contracts is checked item by item") {
  CHECK(refusal_of(with_contract("no_contract", "[]")).code == "contract_array");
  const std::string twice = "[" + std::string(kContract) + "," + std::string(kContract) + "]";
  CHECK(refusal_of(with_contract("no_contract", twice)).code == "contract_array");
  const auto broken = refusal_of(with_contract("no_contract", "[" + std::string(kContract) + R"(,{"format":"x"}])"));
  CHECK(broken.where.find("contract[1]") != std::string::npos);
}

TEST_CASE("an artifact can be moved") {
  auto first = Artifact::open(example_path("echo-c"));
  REQUIRE(first);
  const Artifact second = std::move(*first);
  CHECK(second.manifest().id() == "acme.echo@v1");
  CHECK(::fcntl(second.memfd(), F_GETFD) >= 0);
}
