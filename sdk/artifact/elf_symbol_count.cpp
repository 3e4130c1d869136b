#include "artifact/elf_symbol_count.h"

#include <algorithm>

namespace trellis {
namespace {

tl::unexpected<Error> invalid(std::string message) {
  return fail("elf_invalid", {}, std::move(message));
}

tl::unexpected<Error> cut_off(const char *table) {
  return invalid(std::string("the ") + table + " isn't loaded from the file as a whole");
}

// `count` words of 32 bits in `bytes`, from `at` on; they are known to be there.
class Words {
public:
  Words(ByteView bytes, std::uint64_t at, std::uint64_t count) : bytes_(bytes.subspan(at)), count_(count) {}
  std::uint64_t size() const { return count_; }
  std::uint32_t operator[](std::uint64_t i) const { return load<std::uint32_t>(bytes_, i * sizeof(std::uint32_t)); }
  std::uint32_t largest() const {
    std::uint32_t out = 0;
    for (std::uint64_t i = 0; i < count_; ++i)
      out = std::max(out, (*this)[i]);
    return out;
  }

private:
  ByteView bytes_;
  std::uint64_t count_;
};

// DT_GNU_HASH: a bucket holds the first symbol of its chain, and a chain goes from one symbol to the next until a hash
// with its lowest bit set. So the chain that begins last ends last.
Result<std::uint64_t> symbols_of_gnu_hash(const ElfFile &elf, std::uint64_t address) {
  constexpr auto kWhat = "GNU hash table";
  constexpr std::uint64_t kHeader = 4 * sizeof(std::uint32_t);
  const auto bytes = elf.loaded_from(address);
  if (!fits(0, kHeader, 1, bytes.size())) return cut_off(kWhat);
  const Words header(bytes, 0, 4);
  const std::uint64_t buckets = header[0], first_hashed = header[1], bloom_words = header[2];
  const auto buckets_at = kHeader + bloom_words * sizeof(std::uint64_t); // can't overflow: from 32 bits
  if (!fits(buckets_at, buckets, sizeof(std::uint32_t), bytes.size())) return cut_off(kWhat);
  const auto last_chain = Words(bytes, buckets_at, buckets).largest();
  if (last_chain == 0) return 0; // nothing is exported
  const auto chains_at = buckets_at + buckets * sizeof(std::uint32_t);
  for (std::uint64_t i = 0; i < buckets; ++i)
    if (const auto begin = Words(bytes, buckets_at, buckets)[i]; begin != 0 && begin < first_hashed)
      return invalid("the GNU hash table names a symbol before its first one");
  const Words chains(bytes, chains_at, (bytes.size() - chains_at) / sizeof(std::uint32_t));
  for (std::uint64_t symbol = last_chain; symbol - first_hashed < chains.size(); ++symbol)
    if (chains[symbol - first_hashed] & 1U) return symbol + 1;
  return cut_off(kWhat);
}

// DT_HASH: as many links as symbols, and what isn't in a chain is the last of one.
Result<std::uint64_t> symbols_of_hash(const ElfFile &elf, std::uint64_t address) {
  constexpr auto kWhat = "hash table";
  constexpr std::uint64_t kHeader = 2 * sizeof(std::uint32_t);
  const auto bytes = elf.loaded_from(address);
  if (!fits(0, kHeader, 1, bytes.size())) return cut_off(kWhat);
  const Words header(bytes, 0, 2);
  const std::uint64_t buckets = header[0], symbols = header[1];
  if (!fits(kHeader, buckets + symbols, sizeof(std::uint32_t), bytes.size())) return cut_off(kWhat);
  if (Words(bytes, kHeader, buckets + symbols).largest() >= std::max<std::uint64_t>(symbols, 1))
    return invalid("the hash table names a symbol behind its last one");
  return symbols;
}

Result<std::uint64_t> symbols_of_relocations(const ElfFile &elf, std::uint64_t address, std::uint64_t size) {
  if (size == 0) return 0;
  const auto bytes = elf.loaded_from(address);
  if (!fits(0, size, 1, bytes.size())) return cut_off("table of relocations");
  std::uint64_t symbols = 0;
  for (std::uint64_t at = 0; at + sizeof(Elf64_Rela) <= size; at += sizeof(Elf64_Rela))
    symbols = std::max<std::uint64_t>(symbols, ELF64_R_SYM(load<Elf64_Rela>(bytes, at).r_info) + 1);
  return symbols;
}

} // namespace

void ElfSymbolTables::take(const Elf64_Dyn &entry) {
  switch (entry.d_tag) {
  case DT_GNU_HASH: gnu_hash_ = entry.d_un.d_ptr; return;
  case DT_HASH: hash_ = entry.d_un.d_ptr; return;
  case DT_RELA: rela_ = entry.d_un.d_ptr; return;
  case DT_RELASZ: rela_size_ = entry.d_un.d_val; return;
  case DT_JMPREL: jump_rela_ = entry.d_un.d_ptr; return;
  case DT_PLTRELSZ: jump_rela_size_ = entry.d_un.d_val; return;
  case DT_REL: has_rel_ = true; return;
  case DT_PLTREL: has_rel_ = has_rel_ || entry.d_un.d_val != DT_RELA; return;
  default: return; // DT_RELR names addresses only
  }
}

Result<std::uint64_t> ElfSymbolTables::symbols_in_use(const ElfFile &elf) const {
  if (has_rel_) return invalid("there are relocations without addends, which this machine doesn't have");
  std::uint64_t symbols = 0;
  const auto add = [&symbols](const Result<std::uint64_t> &more) {
    if (more) symbols = std::max(symbols, *more);
    return more;
  };
  if (gnu_hash_)
    if (auto done = add(symbols_of_gnu_hash(elf, *gnu_hash_)); !done) return done;
  if (hash_)
    if (auto done = add(symbols_of_hash(elf, *hash_)); !done) return done;
  if (auto done = add(symbols_of_relocations(elf, rela_, rela_size_)); !done) return done;
  if (auto done = add(symbols_of_relocations(elf, jump_rela_, jump_rela_size_)); !done) return done;
  return symbols;
}

} // namespace trellis
