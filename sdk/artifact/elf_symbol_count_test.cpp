#include "artifact/artifact.h"
#include "artifact/elf_small.h"
#include "artifact/elf_testing.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::testing;

namespace {

constexpr std::uint64_t kHuge = ~std::uint64_t{0} - 8; // plus anything overflows

std::string code_of(const Patched &file) {
  const auto facts = read_elf(file.bytes);
  return facts ? "ok" : facts.error().code;
}

} // namespace

TEST_CASE("symbols that a real file uses can't be hidden by a shorter section") {
  for (const auto &path : {example_path("echo-c"), example_path("inventory"), testdata_path("unique")}) {
    INFO(path);
    Patched file{read_file(path)};
    REQUIRE(code_of(file) == "ok");
    file.change_section(SHT_DYNSYM, [](auto &section) { section.sh_size -= sizeof(Elf64_Sym); });
    CHECK(code_of(file) == "elf_invalid");
    file.change_section(SHT_DYNSYM, [](auto &section) { section.sh_size = sizeof(Elf64_Sym); });
    CHECK(code_of(file) == "elf_invalid");
  }
}

TEST_CASE("a relocation of a symbol that the section doesn't show is refused") {
  const auto relocation_of = [](Elf64_Xword symbol) { return Elf64_Rela{0, ELF64_R_INFO(symbol, 1), 0}; };
  SmallElf file; // of three symbols, the first of which is none
  file.relocations = {relocation_of(2), relocation_of(0)};
  file.jump_relocations = {relocation_of(1), relocation_of(2)};
  CHECK(code_of({file.bytes()}) == "ok");
  file.relocations[0] = relocation_of(3);
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.relocations[0] = relocation_of(0xFFFFFFFF);
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.relocations[0] = relocation_of(2);
  file.jump_relocations[1] = relocation_of(3);
  CHECK(code_of({file.bytes()}) == "elf_invalid");
}

TEST_CASE("a GNU hash table with a symbol that the section doesn't show is refused") {
  SmallElf file;
  // Buckets, first symbol, words of the filter, shift; the filter; the buckets; a hash per symbol, odd at a chain's
  // end.
  file.gnu_hash = {2, 1, 1, 0, 0, 0, 0, 1, 2, 3};
  CHECK(code_of({file.bytes()}) == "ok");
  file.gnu_hash = {2, 1, 1, 0, 0, 0, 2, 1, 3, 3};
  CHECK(code_of({file.bytes()}) == "ok");
  file.gnu_hash = {2, 1, 1, 0, 0, 0, 2, 1, 3, 2, 3}; // the chain goes on behind the last symbol
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.gnu_hash = {2, 1, 1, 0, 0, 0, 3, 1, 3, 3, 3}; // a bucket begins there
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.gnu_hash = {2, 2, 1, 0, 0, 0, 2, 1, 3, 3}; // or before the first symbol that has a hash
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.gnu_hash = {1, 1, 1, 0, 0, 0, 0}; // nothing is exported
  CHECK(code_of({file.bytes()}) == "ok");
}

TEST_CASE("a hash table with a symbol that the section doesn't show is refused") {
  SmallElf file;
  file.hash = {1, 3, 2, 0, 0, 1}; // buckets, symbols; the buckets; the next one of each symbol
  CHECK(code_of({file.bytes()}) == "ok");
  file.hash = {1, 4, 2, 0, 0, 1, 0};
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.hash = {1, 3, 3, 0, 0, 1};
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.hash = {1, 3, 2, 0, 0, 3};
  CHECK(code_of({file.bytes()}) == "elf_invalid");
}

TEST_CASE("tables of symbols that aren't loaded as a whole are refused") {
  SmallElf file;
  file.gnu_hash = {2, 1, 1, 0, 0, 0, 0, 1, 2, 3};
  file.hash = {1, 3, 2, 0, 0, 1};
  file.relocations = file.jump_relocations = {{0, ELF64_R_INFO(2, 1), 0}};
  REQUIRE(code_of({file.bytes()}) == "ok");
  const auto with = [&](std::int64_t tag, std::uint64_t value) {
    Patched changed{file.bytes()};
    changed.change_dynamic(tag, [value](auto &entry) { entry.d_un.d_val = value; });
    return code_of(changed);
  };
  const auto end = file.bytes().size();
  CHECK(with(DT_GNU_HASH, kHuge) == "elf_invalid");
  CHECK(with(DT_GNU_HASH, end - 8) == "elf_invalid");
  CHECK(with(DT_HASH, end) == "elf_invalid");
  CHECK(with(DT_HASH, end - 4) == "elf_invalid");
  CHECK(with(DT_RELA, kHuge) == "elf_invalid");
  CHECK(with(DT_RELASZ, kHuge) == "elf_invalid");
  CHECK(with(DT_JMPREL, end - 8) == "elf_invalid");
  CHECK(with(DT_PLTRELSZ, end) == "elf_invalid");

  auto huge = file;
  huge.gnu_hash = {0xFFFFFFFF, 1, 1, 0, 0, 0, 0, 1, 2, 3};
  CHECK(code_of({huge.bytes()}) == "elf_invalid");
  huge.gnu_hash = {2, 1, 0xFFFFFFFF, 0, 0, 0, 0, 1, 2, 3};
  CHECK(code_of({huge.bytes()}) == "elf_invalid");
  huge = file;
  huge.hash = {0xFFFFFFFF, 0xFFFFFFFF, 2, 0, 0, 1};
  CHECK(code_of({huge.bytes()}) == "elf_invalid");
}

TEST_CASE("relocations without addends, which this machine's loader doesn't know, are refused") {
  SmallElf small;
  small.jump_relocations = {{0, ELF64_R_INFO(2, 1), 0}};
  Patched file{small.bytes()};
  file.change_dynamic(DT_NEEDED, [](auto &entry) { entry = {DT_PLTREL, {DT_RELA}}; });
  CHECK(code_of(file) == "ok");
  file.change_dynamic(DT_PLTREL, [](auto &entry) { entry.d_un.d_val = DT_REL; });
  CHECK(code_of(file) == "elf_invalid");
  file = {read_file(example_path("echo-c"))};
  file.change_dynamic(DT_RELA, [](auto &entry) { entry.d_tag = DT_REL; });
  CHECK(code_of(file) == "elf_invalid");
}
