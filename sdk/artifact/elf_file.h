// The skeleton of an ELF file: header, segments, sections, names. Facts are read from it, contracts embedded into it.
//
// `parse` has checked everything that the other functions rely on: each segment and section lies inside the file, each
// section name inside its table, and no loaded segment covers another in memory. So they can't fail on offsets, and a
// file that breaks one rule is refused as a whole.
#pragma once

#include "contracts/encoding.h"
#include "contracts/result.h"
#include <cstring>
#include <elf.h>
#include <optional>
#include <string_view>
#include <vector>

namespace trellis {

inline constexpr std::string_view kContractSection = ".trellis.contract";
inline constexpr std::string_view kConfigSchemaSection = ".trellis.config-schema";
inline constexpr std::string_view kEntrySymbol = "trellis_plugin_entry_v1";

// What e_machine has to be.
#if defined(__x86_64__)
inline constexpr std::uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
inline constexpr std::uint16_t kMachine = EM_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
inline constexpr std::uint16_t kMachine = EM_RISCV;
#else
#error "add this machine's ELF number"
#endif

// Whether `count` things of `size` bytes from `offset` on lie inside `total` bytes.
constexpr bool fits(std::uint64_t offset, std::uint64_t count, std::uint64_t size, std::uint64_t total) {
  return offset <= total && count <= (total - offset) / size;
}

// A T from bytes of any alignment; `at` + sizeof(T) lies inside `bytes`.
template <class T>
T load(ByteView bytes, std::size_t at) {
  T out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}

struct ElfStrings {
  ByteView bytes;
  std::uint64_t offset = 0; // in the file

  // The NUL-terminated text at `index`; nullopt when it doesn't end inside the table, or not within `most` bytes.
  std::optional<std::string_view> at(std::uint64_t index, std::size_t most = std::string_view::npos) const;
};

class ElfFile {
public:
  // A 64-bit little-endian shared object of this machine, with section headers. Error "elf_invalid".
  static Result<ElfFile> parse(ByteView file);

  ByteView bytes() const { return bytes_; }
  const Elf64_Ehdr &header() const { return header_; }
  const std::vector<Elf64_Shdr> &sections() const { return sections_; }
  const ElfStrings &section_names() const { return names_; }
  std::string_view name(const Elf64_Shdr &section) const;

  ByteView contents(const Elf64_Shdr &section) const;
  const Elf64_Shdr *find_section(std::string_view name) const; // the first, or nullptr
  // nullptr when there is none. Error `repeated`: there are several.
  Result<const Elf64_Shdr *> only_section(std::string_view name, const char *repeated) const;
  // The string table that `section` names with sh_link.
  Result<ElfStrings> linked_strings(const Elf64_Shdr &section) const;

  // PT_DYNAMIC, whose file offset and address agree and which is loaded as a whole; not nullptr.
  Result<const Elf64_Phdr *> dynamic_segment() const;
  // Where in the file `size` loaded bytes come from; nullopt when not all of them come from one segment.
  std::optional<std::uint64_t> offset_of_loaded(std::uint64_t address, std::uint64_t size) const;
  // What is loaded from the file at `address` and behind it, up to the end of its segment; empty when nothing is.
  ByteView loaded_from(std::uint64_t address) const;

private:
  explicit ElfFile(ByteView file) : bytes_(file) {}
  Result<void> read_header();
  Result<void> read_segments();
  bool loads_in_order() const;
  Result<void> read_sections();

  ByteView bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
  ElfStrings names_;
};

} // namespace trellis
