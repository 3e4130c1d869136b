// How many dynamic symbols the loader knows of, whatever the section headers say.
//
// Nothing that is loaded holds that number: the loader takes an index from a hash table or a relocation and looks
// there. So the size of .dynsym in the section headers, which only tools read, could be cut to hide what a file
// imports. A file whose tables use a symbol behind that end is refused by read_elf. Rejected: counting by the hash
// tables alone, as some tools do, which miss what only relocations use.
#pragma once

#include "artifact/elf_file.h"
#include <cstdint>
#include <optional>

namespace trellis {

// What the dynamic table says about the tables that name symbols.
class ElfSymbolTables {
public:
  // Remembers the entry when it is about one of them; of several of one tag the last one counts, as for the loader.
  void take(const Elf64_Dyn &entry);

  // The least number of symbols with which no index is too large. Error "elf_invalid": a table isn't loaded from the
  // file as a whole, or has no end.
  Result<std::uint64_t> symbols_in_use(const ElfFile &elf) const;

private:
  std::optional<std::uint64_t> gnu_hash_, hash_; // addresses
  std::uint64_t rela_ = 0, rela_size_ = 0, jump_rela_ = 0, jump_rela_size_ = 0;
  bool has_rel_ = false; // DT_REL, or DT_JMPREL of that kind
};

} // namespace trellis
