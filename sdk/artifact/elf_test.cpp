#include "artifact/artifact.h"
#include "artifact/elf_small.h"
#include "artifact/elf_testing.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <dlfcn.h>
#include <trellis/plugin.h>

using namespace trellis;
using namespace trellis;
using namespace trellis::testing;

namespace {

constexpr std::uint64_t kHuge = ~std::uint64_t{0} - 8; // plus anything overflows

Patched echo() {
  return {read_file(example_path("echo-c"))};
}
Patched bare() {
  return {read_file(testdata_path("no_contract"))};
}

std::string code_of(const Patched &file) {
  const auto facts = read_elf(file.bytes);
  return facts ? "ok" : facts.error().code;
}

// Without the tables that name symbols, for tests that move or cut what those are about.
void forget_symbol_tables(Patched &file) {
  std::size_t at = 0;
  file.change_section(SHT_DYNAMIC, [&at](auto &section) { at = section.sh_offset; });
  for (auto entry = load<Elf64_Dyn>(file.bytes, at); entry.d_tag != DT_NULL; entry = load<Elf64_Dyn>(file.bytes, at)) {
    if (entry.d_tag == DT_GNU_HASH || entry.d_tag == DT_HASH) entry.d_tag = DT_DEBUG;
    if (entry.d_tag == DT_RELASZ || entry.d_tag == DT_PLTRELSZ) entry.d_un.d_val = 0;
    file.put(at, entry);
    at += sizeof entry;
  }
}

bool holds(const std::vector<std::string> &names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

} // namespace

TEST_CASE("the examples are what a host wants to load") {
  const auto c = read_elf(read_file(example_path("echo-c")));
  REQUIRE(c);
  CHECK(c->contract.starts_with("{"));
  CHECK(c->contract.ends_with("}"));
  CHECK(c->contract.find("acme.echo@v1") != std::string::npos);
  CHECK(c->has_entry);
  CHECK_FALSE(c->has_rpath);
  CHECK_FALSE(c->is_go);
  CHECK(c->unique_symbols.empty());

  const auto cpp = read_elf(read_file(example_path("inventory")));
  REQUIRE(cpp);
  CHECK(cpp->contract.find("acme.inventory@v1") != std::string::npos);
  CHECK(cpp->has_entry);
  CHECK(cpp->unique_symbols.empty());
  CHECK(holds(cpp->needed, "libstdc++.so.6"));
  CHECK(holds(cpp->imported, "__cxa_throw"));
  CHECK_FALSE(holds(cpp->imported, "trellis_plugin_entry_v1"));
}

TEST_CASE("a file without a contract says what is missing") {
  CHECK(code_of(bare()) == "contract_missing");
}

TEST_CASE("an empty contract section is none") {
  auto file = echo();
  const auto elf = ElfFile::parse(file.bytes);
  REQUIRE(elf);
  const auto &section = *elf->find_section(kContractSection);
  std::fill_n(file.bytes.begin() + static_cast<std::ptrdiff_t>(section.sh_offset), section.sh_size, std::uint8_t{0});
  CHECK(code_of(file) == "contract_missing");
}

TEST_CASE("two contract sections are refused") {
  auto file = echo();
  std::uint32_t name = 0;
  const auto elf = ElfFile::parse(file.bytes);
  REQUIRE(elf);
  name = elf->find_section(kContractSection)->sh_name;
  file.change_section(SHT_NOTE, [name](auto &section) { section.sh_name = name; });
  CHECK(code_of(file) == "contract_repeated");
}

TEST_CASE("a contract beyond 4 MiB is refused") {
  CHECK(embed_contract(bare().bytes, std::string(kMaxContractBytes + 1, ' ')).error().code == "contract_too_large");
  const auto longest = embed_contract(bare().bytes, std::string(kMaxContractBytes, 'x'));
  REQUIRE(longest);
  CHECK(read_elf(*longest)->contract.size() == kMaxContractBytes);
}

TEST_CASE("a file without an entry is seen as such") {
  const auto facts = read_elf(read_file(testdata_path("no_entry")));
  REQUIRE(facts);
  CHECK_FALSE(facts->has_entry);
}

TEST_CASE("an entry counts only as a visible, defined object") {
  auto function = echo();
  function.change_entry_symbol([](auto &symbol) { symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC); });
  CHECK_FALSE(read_elf(function.bytes)->has_entry);
  auto hidden = echo();
  hidden.change_entry_symbol([](auto &symbol) { symbol.st_other = STV_HIDDEN; });
  CHECK_FALSE(read_elf(hidden.bytes)->has_entry);
  auto undefined = echo();
  undefined.change_entry_symbol([](auto &symbol) { symbol.st_shndx = SHN_UNDEF; });
  CHECK_FALSE(read_elf(undefined.bytes)->has_entry);
  CHECK(holds(read_elf(undefined.bytes)->imported, kEntrySymbol));
}

TEST_CASE("unique symbols are listed") {
  const auto facts = read_elf(read_file(testdata_path("unique")));
  REQUIRE(facts);
  CHECK(holds(facts->unique_symbols, "_ZN7CounterIiE5valueE"));
}

TEST_CASE("RPATH and RUNPATH are seen") {
  const auto embedded = embed_contract(read_file(testdata_path("rpath")), "{}");
  REQUIRE(embedded);
  CHECK(read_elf(*embedded)->has_rpath);
  auto file = echo();
  file.change_dynamic(DT_INIT, [](auto &entry) { entry.d_tag = DT_RPATH; });
  CHECK(read_elf(file.bytes)->has_rpath);
}

TEST_CASE("what is no 64-bit little-endian shared object of this machine is refused") {
  CHECK(code_of({}) == "elf_invalid");
  CHECK(code_of({{'#', '!', '/', 'b', 'i', 'n'}}) == "elf_invalid");
  auto file = echo();
  file.change_header([](auto &header) { header.e_ident[EI_CLASS] = ELFCLASS32; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_header([](auto &header) { header.e_ident[EI_DATA] = ELFDATA2MSB; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_header([](auto &header) { header.e_machine = EM_S390; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_header([](auto &header) { header.e_type = ET_REL; });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("a file that ends early is refused, wherever it ends") {
  const auto whole = echo();
  const auto elf = ElfFile::parse(whole.bytes);
  REQUIRE(elf);
  std::vector<std::size_t> ends{0, 1, EI_NIDENT, sizeof(Elf64_Ehdr) - 1, sizeof(Elf64_Ehdr), whole.bytes.size() - 1};
  const auto header = whole.header();
  for (std::size_t i = 0; i <= header.e_phnum; ++i)
    ends.push_back(header.e_phoff + i * sizeof(Elf64_Phdr));
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    ends.push_back(header.e_shoff + i * sizeof(Elf64_Shdr));
    ends.push_back(std::min<std::size_t>(elf->sections()[i].sh_offset, whole.bytes.size() - 1));
  }
  for (const auto end : ends) {
    INFO("cut after " << end << " bytes");
    // Exactly as long as what is left, so that the sanitizer sees every step beyond it.
    const Bytes part(whole.bytes.begin(), whole.bytes.begin() + static_cast<std::ptrdiff_t>(end));
    CHECK(code_of({part}) == "elf_invalid");
  }
}

TEST_CASE("offsets and sizes that overflow are refused") {
  auto file = echo();
  file.change_header([](auto &header) { header.e_shoff = kHuge; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_header([](auto &header) { header.e_phoff = kHuge; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_section(SHT_DYNSYM, [](auto &section) { section.sh_size = kHuge; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_section(SHT_PROGBITS, [](auto &section) { section.sh_offset = kHuge; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_segment(PT_LOAD, [](auto &segment) { segment.p_filesz = kHuge; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_dynamic(DT_NEEDED, [](auto &entry) { entry.d_un.d_val = kHuge; });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("numbers of sections that need the extended form are refused") {
  auto file = echo();
  file.change_header([](auto &header) { header.e_shnum = 0; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_header([](auto &header) { header.e_shstrndx = SHN_XINDEX; });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("a section's name has an end within reason") {
  auto file = echo();
  const auto at = file.bytes.size();
  file.bytes.resize(at + 5000, 'x');
  file.bytes.back() = 0;
  const auto names = file.header().e_shoff + file.header().e_shstrndx * sizeof(Elf64_Shdr);
  auto table = load<Elf64_Shdr>(file.bytes, names);
  table.sh_size = file.bytes.size() - table.sh_offset; // now holds everything up to the new end
  file.put(names, table);
  REQUIRE(code_of(file) == "ok");
  file.change_section(SHT_NOTE,
                      [&](auto &section) { section.sh_name = static_cast<Elf64_Word>(at - table.sh_offset); });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("the smallest shared object is read") {
  const auto facts = read_elf(SmallElf().bytes());
  REQUIRE(facts);
  CHECK(facts->contract == "{}");
  CHECK(facts->has_entry);
  CHECK(facts->needed == std::vector<std::string>{"libc.so.6"});
  CHECK(facts->imported == std::vector<std::string>{"puts"});
}

TEST_CASE("symbols that all have one long name are refused before they use up memory") {
  SmallElf file;
  const auto name = static_cast<Elf64_Word>(file.strings.size());
  file.strings += std::string(10'000, 'x') + '\0';
  file.symbols.resize(100, {name, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), STV_DEFAULT, SHN_UNDEF, 0, 0});
  CHECK(code_of({file.bytes()}) == "elf_invalid");
  file.symbols.resize(10);
  CHECK(code_of({file.bytes()}) == "ok");
}

TEST_CASE("section headers that disagree with what the loader uses are refused") {
  auto file = echo();
  file.change_section(SHT_DYNAMIC, [](auto &section) { section.sh_offset += sizeof(Elf64_Dyn); });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_section(SHT_DYNSYM, [](auto &section) { section.sh_offset += sizeof(Elf64_Sym); });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_dynamic(DT_STRTAB, [](auto &entry) { entry.d_un.d_ptr += 1; });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_segment(PT_DYNAMIC, [](auto &segment) { segment.p_vaddr -= sizeof(Elf64_Dyn); });
  CHECK(code_of(file) == "elf_invalid");
  file = echo();
  file.change_segment(PT_DYNAMIC, [](auto &segment) { segment.p_type = PT_NOTE; });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("a dynamic table without an end is refused: the loader reads on") {
  auto file = echo();
  std::uint64_t table = 0, last = 0;
  file.change_segment(PT_DYNAMIC, [&](auto &segment) { table = segment.p_offset; });
  for (auto at = table; load<Elf64_Dyn>(file.bytes, at).d_tag != DT_NULL; at += sizeof(Elf64_Dyn))
    last = at;
  auto entry = load<Elf64_Dyn>(file.bytes, last);
  entry.d_tag = DT_RUNPATH;
  file.put(last, entry);
  REQUIRE(read_elf(file.bytes)->has_rpath);
  file.change_segment(PT_DYNAMIC, [&](auto &segment) { segment.p_filesz = segment.p_memsz = last - table; });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("segments that hide each other in memory are refused") {
  auto file = echo();
  std::vector<std::size_t> loads;
  for (std::size_t i = 0; i < file.header().e_phnum; ++i)
    if (const auto at = file.header().e_phoff + i * sizeof(Elf64_Phdr);
        load<Elf64_Phdr>(file.bytes, at).p_type == PT_LOAD)
      loads.push_back(at);
  REQUIRE(loads.size() > 1);
  const auto first = load<Elf64_Phdr>(file.bytes, loads[0]);
  const auto second = load<Elf64_Phdr>(file.bytes, loads[1]);
  REQUIRE(second.p_vaddr > first.p_vaddr + first.p_memsz);
  auto moved = second;
  moved.p_vaddr = first.p_vaddr; // the loader maps it over the first
  file.put(loads[1], moved);
  CHECK(code_of(file) == "elf_invalid");
  moved = second;
  moved.p_vaddr = first.p_vaddr + first.p_memsz; // behind its bytes, but on its last page
  file.put(loads[1], moved);
  CHECK(code_of(file) == "elf_invalid");
  moved = second;
  moved.p_memsz = kHuge;
  file.put(loads[1], moved);
  CHECK(code_of(file) == "elf_invalid");
  file.put(loads[1], second);
  CHECK(code_of(file) == "ok");
}

TEST_CASE("names that aren't loaded as a whole are refused") {
  auto file = echo();
  forget_symbol_tables(file);
  std::uint64_t end = 0; // of the dynamic strings: their beginning is loaded, the last byte isn't
  file.change_section(SHT_STRTAB, [&](auto &section) { end = section.sh_offset + section.sh_size; });
  const auto load_until = [&](std::uint64_t offset) {
    file.change_segment(PT_LOAD,
                        [&](auto &segment) { segment.p_filesz = segment.p_memsz = offset - segment.p_offset; });
  };
  load_until(end);
  CHECK(code_of(file) == "ok");
  load_until(end - 1);
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("symbols that aren't loaded as a whole are refused") {
  auto file = echo();
  forget_symbol_tables(file);
  Elf64_Phdr last{};
  for (std::size_t i = 0; i < file.header().e_phnum; ++i)
    if (const auto segment = load<Elf64_Phdr>(file.bytes, file.header().e_phoff + i * sizeof(Elf64_Phdr));
        segment.p_type == PT_LOAD)
      last = segment;
  const auto at = (last.p_offset + last.p_filesz) / 8 * 8 - 2 * sizeof(Elf64_Sym);
  Elf64_Shdr symbols{};
  file.change_section(SHT_DYNSYM, [&](auto &section) {
    symbols = section;
    section.sh_offset = at;
    section.sh_size = 2 * sizeof(Elf64_Sym);
  });
  REQUIRE(at + symbols.sh_size <= file.header().e_shoff);
  std::copy_n(Bytes(file.bytes).begin() + static_cast<std::ptrdiff_t>(symbols.sh_offset), symbols.sh_size,
              file.bytes.begin() + static_cast<std::ptrdiff_t>(at));
  file.change_dynamic(DT_SYMTAB, [&](auto &entry) { entry.d_un.d_ptr = last.p_vaddr + (at - last.p_offset); });
  CHECK(code_of(file) == "ok");
  file.change_section(SHT_DYNSYM, [&](auto &section) { section.sh_size = symbols.sh_size; });
  CHECK(code_of(file) == "elf_invalid");
}

TEST_CASE("an embedded contract reads back and the rest of the file says the same") {
  const auto before = bare();
  const auto with = embed_contract(before.bytes, R"({"format":"first"})");
  REQUIRE(with);
  const auto first = read_elf(*with);
  REQUIRE(first);
  CHECK(first->contract == R"({"format":"first"})");
  CHECK(first->has_entry);

  const auto again = embed_contract(*with, R"({"format":"the second one, which is longer"})");
  REQUIRE(again);
  CHECK(read_elf(*again)->contract == R"({"format":"the second one, which is longer"})");
  CHECK(Patched{*again}.header().e_shnum == before.header().e_shnum + 1);

  // Behind the ELF header, whose three fields change, every byte of the original is where it was.
  CHECK(std::equal(before.bytes.begin() + sizeof(Elf64_Ehdr), before.bytes.end(), again->begin() + sizeof(Elf64_Ehdr)));
}

TEST_CASE("a contract that the linker placed is replaced") {
  const auto before = echo();
  const auto with = embed_contract(before.bytes, "{}");
  REQUIRE(with);
  CHECK(read_elf(*with)->contract == "{}");
  CHECK(Patched{*with}.header().e_shnum == before.header().e_shnum);
}

TEST_CASE("readelf has nothing to say against a file with an embedded contract") {
  if (!has_tool("readelf")) SKIP("readelf is not installed");
  const TemporaryFolder folder;
  const auto added = folder.write("added.so", *embed_contract(bare().bytes, R"({"format":"added"})"));
  const auto replaced = folder.write("replaced.so", *embed_contract(echo().bytes, R"({"format":"replaced"})"));
  const auto text = run_tool("readelf --wide --all " + added).text + run_tool("readelf --wide --all " + replaced).text;
  CHECK(text.find(" .trellis.contract ") != std::string::npos);
  CHECK(text.find("Warning") == std::string::npos);
  CHECK(text.find("Error") == std::string::npos);
  CHECK(run_tool("readelf --string-dump=.trellis.contract " + replaced).text.find("replaced") != std::string::npos);
}

TEST_CASE("a file with an embedded contract still loads") {
  const TemporaryFolder folder;
  const auto file = folder.write("bare.so", *embed_contract(bare().bytes, "{}"));
  void *handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  INFO((handle ? "" : ::dlerror()));
  REQUIRE(handle);
  const auto *entry = static_cast<const trellis_plugin_entry *>(::dlsym(handle, "trellis_plugin_entry_v1"));
  REQUIRE(entry);
  CHECK(std::string_view(entry->name.data, entry->name.size) == "bare");
}

TEST_CASE("embedding refuses what reading refuses") {
  CHECK(embed_contract(as_bytes("text"), "{}").error().code == "elf_invalid");
  CHECK(embed_contract(bare().bytes, "").error().code == "contract_missing");
  auto no_symbols = bare();
  no_symbols.change_section(SHT_DYNSYM, [](auto &section) { section.sh_type = SHT_NOTE; });
  CHECK(embed_contract(no_symbols.bytes, "{}").error().code == "elf_invalid");
}

// ------------------------------------------------------------------------------------------- schema of the settings

TEST_CASE("the schema of the settings is a section of its own, and may be missing") {
  CHECK_FALSE(read_elf(echo().bytes)->config_schema);
  const auto with = embed_config_schema(echo().bytes, R"({"type":"object"})");
  REQUIRE(with);
  CHECK(read_elf(*with)->config_schema == R"({"type":"object"})");
  CHECK(read_elf(*with)->contract == read_elf(echo().bytes)->contract);
  const auto both = embed_contract(*with, "{}");
  REQUIRE(both);
  CHECK(read_elf(*both)->config_schema == R"({"type":"object"})");
  CHECK(read_elf(*embed_config_schema(*both, "true"))->config_schema == "true");
}

TEST_CASE("a schema that is none, too large or there twice is refused") {
  CHECK(embed_config_schema(echo().bytes, "").error().code == "config_schema_invalid");
  CHECK(embed_config_schema(echo().bytes, "[]").error().code == "config_schema_invalid");
  CHECK(embed_config_schema(echo().bytes, R"({"pattern":"("})").error().code == "config_schema_invalid");
  CHECK(embed_config_schema(echo().bytes, std::string(kMaxConfigSchema + 1, ' ')).error().code ==
        "config_schema_too_large");
  CHECK(embed_config_schema(bare().bytes, "true").error().code == "contract_missing");

  Patched twice{*embed_config_schema(*embed_config_schema(echo().bytes, "true"), "true")};
  const auto elf = ElfFile::parse(twice.bytes);
  REQUIRE(elf);
  const auto name = elf->find_section(kConfigSchemaSection)->sh_name;
  twice.change_section(SHT_NOTE, [name](auto &section) { section.sh_name = name; });
  CHECK(read_elf(twice.bytes).error().code == "config_schema_repeated");
}

TEST_CASE("a plugin with a broken schema is refused, and inspection says so") {
  ElfFacts facts;
  facts.has_entry = true;
  facts.config_schema = "{";
  const auto refused = refusals(facts, "p.so");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].code == "config_schema_invalid");
  CHECK(refused[0].where == "p.so");
  facts.config_schema = "true";
  CHECK(refusals(facts, "p.so").empty());
}
