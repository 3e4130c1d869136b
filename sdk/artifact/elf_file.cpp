#include "artifact/elf_file.h"

#include <bit>
#include <limits>
#include <unistd.h>

namespace trellis {
namespace {

static_assert(std::endian::native == std::endian::little, "ELF structures are read as they lie in memory");

// Sections may share one long name; with a limit, looking at all of them takes no longer than a second.
constexpr std::size_t kMaxSectionName = 4096;

tl::unexpected<Error> invalid(std::string message, std::string expected = {}) {
  return fail("elf_invalid", {}, std::move(message), std::move(expected));
}

} // namespace

std::optional<std::string_view> ElfStrings::at(std::uint64_t index, std::size_t most) const {
  if (index >= bytes.size()) return {};
  const auto rest = as_text(bytes.subspan(index)).substr(0, most);
  const auto end = rest.find('\0');
  if (end == std::string_view::npos) return {};
  return rest.substr(0, end);
}

Result<ElfFile> ElfFile::parse(ByteView file) {
  ElfFile elf(file);
  if (auto done = elf.read_header(); !done) return tl::make_unexpected(done.error());
  if (auto done = elf.read_segments(); !done) return tl::make_unexpected(done.error());
  if (auto done = elf.read_sections(); !done) return tl::make_unexpected(done.error());
  return elf;
}

Result<void> ElfFile::read_header() {
  constexpr auto kExpected = "a 64-bit little-endian shared object of this machine";
  if (bytes_.size() < SELFMAG || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0)
    return invalid("this is no ELF file", kExpected);
  if (bytes_.size() < sizeof header_) return invalid("the ELF header is cut off", kExpected);
  header_ = load<Elf64_Ehdr>(bytes_, 0);
  if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB)
    return invalid("not 64-bit or not little-endian", kExpected);
  if (header_.e_ident[EI_VERSION] != EV_CURRENT || header_.e_version != EV_CURRENT)
    return invalid("unknown ELF version", kExpected);
  if (header_.e_machine != kMachine)
    return invalid("made for machine " + std::to_string(header_.e_machine), "machine " + std::to_string(kMachine));
  if (header_.e_type != ET_DYN) return invalid("ELF type " + std::to_string(header_.e_type), "a shared object");
  return {};
}

Result<void> ElfFile::read_segments() {
  if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum == PN_XNUM ||
      !fits(header_.e_phoff, header_.e_phnum, sizeof(Elf64_Phdr), bytes_.size()))
    return invalid("the program headers lie outside the file or have another size");
  for (std::size_t i = 0; i < header_.e_phnum; ++i) {
    const auto segment = load<Elf64_Phdr>(bytes_, header_.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC) continue;
    if (!fits(segment.p_offset, segment.p_filesz, 1, bytes_.size()) || segment.p_filesz > segment.p_memsz)
      return invalid("segment " + std::to_string(i) + " lies outside the file");
    segments_.push_back(segment);
  }
  if (!loads_in_order()) return invalid("segments share a page of memory, or lie in no order", "one after the other");
  return {};
}

// Loaders map whole pages, and what comes later over what was there: then memory isn't what the file's tables say.
bool ElfFile::loads_in_order() const {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto last = std::numeric_limits<std::uint64_t>::max() - page; // so that rounding up can't overflow
  std::uint64_t free_from = 0;                                        // the first page behind the segments so far
  for (const auto &segment : segments_) {
    if (segment.p_type != PT_LOAD) continue;
    const auto begin = segment.p_vaddr / page * page;
    if (begin < free_from || segment.p_vaddr > last || segment.p_memsz > last - segment.p_vaddr) return false;
    free_from = (segment.p_vaddr + segment.p_memsz + page - 1) / page * page;
  }
  return true;
}

Result<void> ElfFile::read_sections() {
  if (header_.e_shnum == 0) return invalid("there are no section headers", "a file that wasn't stripped of them");
  if (header_.e_shentsize != sizeof(Elf64_Shdr) || header_.e_shnum >= SHN_LORESERVE ||
      !fits(header_.e_shoff, header_.e_shnum, sizeof(Elf64_Shdr), bytes_.size()))
    return invalid("the section headers lie outside the file or have another size");
  for (std::size_t i = 0; i < header_.e_shnum; ++i) {
    const auto section = load<Elf64_Shdr>(bytes_, header_.e_shoff + i * sizeof(Elf64_Shdr));
    const bool has_bytes = section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL;
    if (has_bytes && !fits(section.sh_offset, section.sh_size, 1, bytes_.size()))
      return invalid("section " + std::to_string(i) + " lies outside the file");
    sections_.push_back(section);
  }
  if (header_.e_shstrndx >= sections_.size() || sections_[header_.e_shstrndx].sh_type != SHT_STRTAB)
    return invalid("there is no table of section names");
  const auto &names = sections_[header_.e_shstrndx];
  names_ = {contents(names), names.sh_offset};
  for (std::size_t i = 0; i < sections_.size(); ++i)
    if (!names_.at(sections_[i].sh_name, kMaxSectionName))
      return invalid("section " + std::to_string(i) + " has no name, or a very long one");
  return {};
}

std::string_view ElfFile::name(const Elf64_Shdr &section) const {
  return *names_.at(section.sh_name, kMaxSectionName);
}

ByteView ElfFile::contents(const Elf64_Shdr &section) const {
  if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) return {};
  return bytes_.subspan(section.sh_offset, section.sh_size);
}

const Elf64_Shdr *ElfFile::find_section(std::string_view wanted) const {
  for (const auto &section : sections_)
    if (name(section) == wanted) return &section;
  return nullptr;
}

Result<const Elf64_Shdr *> ElfFile::only_section(std::string_view wanted, const char *repeated) const {
  const Elf64_Shdr *found = nullptr;
  for (const auto &section : sections_) {
    if (name(section) != wanted) continue;
    if (found) return fail(repeated, {}, "there are several sections " + std::string(wanted), "one at most");
    found = &section;
  }
  return found;
}

Result<ElfStrings> ElfFile::linked_strings(const Elf64_Shdr &section) const {
  if (section.sh_link >= sections_.size() || sections_[section.sh_link].sh_type != SHT_STRTAB)
    return invalid("a table names no string table");
  const auto &strings = sections_[section.sh_link];
  return ElfStrings{contents(strings), strings.sh_offset};
}

Result<const Elf64_Phdr *> ElfFile::dynamic_segment() const {
  const Elf64_Phdr *found = nullptr;
  for (const auto &segment : segments_) {
    if (segment.p_type != PT_DYNAMIC) continue;
    if (found) return invalid("there are several dynamic segments");
    found = &segment;
  }
  if (!found) return invalid("there is no dynamic segment", "a shared object");
  if (offset_of_loaded(found->p_vaddr, found->p_filesz) != found->p_offset)
    return invalid("the dynamic segment is loaded from another place than it says");
  return found;
}

std::optional<std::uint64_t> ElfFile::offset_of_loaded(std::uint64_t address, std::uint64_t size) const {
  for (const auto &segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const auto distance = address - segment.p_vaddr;
    if (fits(distance, size, 1, segment.p_filesz)) return segment.p_offset + distance;
  }
  return {};
}

ByteView ElfFile::loaded_from(std::uint64_t address) const {
  for (const auto &segment : segments_) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
    const auto distance = address - segment.p_vaddr;
    if (distance < segment.p_filesz) return bytes_.subspan(segment.p_offset + distance, segment.p_filesz - distance);
  }
  return {};
}

} // namespace trellis
