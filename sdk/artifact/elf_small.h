// For tests and fuzzing: the smallest shared object that read_elf accepts, made byte by byte. Real ones are too large
// for a fuzzer, and no linker makes the strange ones.
#pragma once

#include "artifact/elf_file.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::testing {

struct SmallElf {
  // Dynamic strings, which begin with a NUL. The library that is needed comes first.
  std::string strings{"\0libc.so.6\0trellis_plugin_entry_v1\0puts\0", 40};
  std::vector<Elf64_Sym> symbols{{},
                                 {11, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), STV_DEFAULT, 1, 0, 56},
                                 {35, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), STV_DEFAULT, SHN_UNDEF, 0, 0}};
  // What else names symbols. A table without entries isn't there.
  std::vector<std::uint32_t> gnu_hash, hash;
  std::vector<Elf64_Rela> relocations, jump_relocations;
  std::string contract = "{}";

  Bytes bytes() const;
};

namespace small {

// Appends `data`, aligned to 8, and returns where it begins.
template <class T>
std::size_t append(Bytes &out, const T *data, std::size_t count) {
  const auto offset = (out.size() + 7) / 8 * 8;
  out.resize(offset + count * sizeof(T));
  std::memcpy(out.data() + offset, data, count * sizeof(T));
  return offset;
}

inline Elf64_Shdr section(Elf64_Word name, Elf64_Word type, std::size_t offset, std::size_t size, Elf64_Word link = 0) {
  return {name, type, 0, offset, offset, size, link, 0, 1, 0};
}

inline Elf64_Ehdr header() {
  Elf64_Ehdr out{};
  std::memcpy(out.e_ident, ELFMAG, SELFMAG);
  out.e_ident[EI_CLASS] = ELFCLASS64;
  out.e_ident[EI_DATA] = ELFDATA2LSB;
  out.e_ident[EI_VERSION] = EV_CURRENT;
  out.e_type = ET_DYN;
  out.e_machine = kMachine;
  out.e_version = EV_CURRENT;
  out.e_phoff = sizeof(Elf64_Ehdr);
  out.e_ehsize = sizeof(Elf64_Ehdr);
  out.e_phentsize = sizeof(Elf64_Phdr);
  out.e_phnum = 2;
  out.e_shentsize = sizeof(Elf64_Shdr);
  out.e_shnum = 6;
  out.e_shstrndx = 4;
  return out;
}

} // namespace small

// Everything is loaded where it lies in the file, so addresses are offsets.
inline Bytes SmallElf::bytes() const {
  using small::append;
  constexpr std::string_view kNames{"\0.dynamic\0.dynsym\0.dynstr\0.shstrtab\0.trellis.contract\0", 54};
  Bytes out(sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr));
  const auto strings_at = append(out, strings.data(), strings.size());
  const auto symbols_at = append(out, symbols.data(), symbols.size());
  std::vector<Elf64_Dyn> dynamic{{DT_NEEDED, {1}}, {DT_STRTAB, {strings_at}}, {DT_SYMTAB, {symbols_at}}};
  const auto append_table = [&](const auto &table, Elf64_Sxword address, Elf64_Sxword size) {
    if (table.empty()) return;
    dynamic.push_back({address, {append(out, table.data(), table.size())}});
    if (size != DT_NULL) dynamic.push_back({size, {table.size() * sizeof table[0]}});
  };
  append_table(gnu_hash, DT_GNU_HASH, DT_NULL);
  append_table(hash, DT_HASH, DT_NULL);
  append_table(relocations, DT_RELA, DT_RELASZ);
  append_table(jump_relocations, DT_JMPREL, DT_PLTRELSZ);
  dynamic.push_back({DT_NULL, {0}});
  const auto dynamic_at = append(out, dynamic.data(), dynamic.size());
  const auto dynamic_size = dynamic.size() * sizeof(Elf64_Dyn);
  const auto contract_at = append(out, contract.data(), contract.size());
  const auto names_at = append(out, kNames.data(), kNames.size());
  const std::vector<Elf64_Shdr> sections{
      {},
      small::section(1, SHT_DYNAMIC, dynamic_at, dynamic_size, 3),
      small::section(10, SHT_DYNSYM, symbols_at, symbols.size() * sizeof(Elf64_Sym), 3),
      small::section(18, SHT_STRTAB, strings_at, strings.size()),
      small::section(26, SHT_STRTAB, names_at, kNames.size()),
      small::section(36, SHT_PROGBITS, contract_at, contract.size())};

  auto header = small::header();
  header.e_shoff = append(out, sections.data(), sections.size());
  const Elf64_Phdr segments[]{{PT_LOAD, PF_R, 0, 0, 0, out.size(), out.size(), 4096},
                              {PT_DYNAMIC, PF_R, dynamic_at, dynamic_at, 0, dynamic_size, dynamic_size, 8}};
  std::memcpy(out.data(), &header, sizeof header);
  std::memcpy(out.data() + sizeof header, segments, sizeof segments);
  return out;
}

} // namespace trellis::testing
