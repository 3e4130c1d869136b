// What an ELF file says about itself.
//
// The dynamic table, its names and its symbols are found through the section headers, but have to be the ones that the
// program headers name: those are what dlopen uses, and a file whose section headers show something else, or less, is
// refused.
#include "artifact/elf_file.h"

#include "artifact/artifact.h"
#include "artifact/elf_symbol_count.h"
#include <algorithm>
#include <optional>

namespace trellis {
namespace {

// Names of symbols together, as a multiple of the file's size: more is an attempt to use up memory and time.
constexpr std::size_t kMaxNamesPerByte = 16;

tl::unexpected<Error> invalid(std::string message, std::string expected = {}) {
  return fail("elf_invalid", {}, std::move(message), std::move(expected));
}

// Reads one file's facts, step by step; `facts` is complete when every step has succeeded.
class FactReader {
public:
  explicit FactReader(const ElfFile &elf) : elf_(elf) {}

  Result<ElfFacts> read() {
    if (auto done = read_contract(); !done) return tl::make_unexpected(done.error());
    if (auto done = read_config_schema(); !done) return tl::make_unexpected(done.error());
    if (auto done = read_dynamic(); !done) return tl::make_unexpected(done.error());
    if (auto done = read_symbols(); !done) return tl::make_unexpected(done.error());
    std::ranges::sort(facts_.imported); // one name of several versions is one import
    facts_.imported.erase(std::unique(facts_.imported.begin(), facts_.imported.end()), facts_.imported.end());
    facts_.is_go = elf_.find_section(".note.go.buildid") || elf_.find_section(".go.buildinfo");
    return std::move(facts_);
  }

private:
  Result<void> read_contract() {
    const auto text = text_of_section(kContractSection, "contract_repeated", kMaxContractBytes, "contract_too_large");
    if (!text) return tl::make_unexpected(text.error());
    if (!*text)
      return fail("contract_missing", {}, "there is no section .trellis.contract",
                  "one, from TRELLIS_CONTRACT or `trellis plugin embed`");
    if ((*text)->empty()) return fail("contract_missing", {}, "the section .trellis.contract is empty", "a contract");
    facts_.contract = **text;
    return {};
  }

  Result<void> read_config_schema() {
    const auto text =
        text_of_section(kConfigSchemaSection, "config_schema_repeated", kMaxConfigSchema, "config_schema_too_large");
    if (!text) return tl::make_unexpected(text.error());
    if (*text) facts_.config_schema = std::string(**text);
    return {};
  }

  // nullopt when there is no such section. It may be followed by padding, so NULs at its end don't count.
  Result<std::optional<std::string_view>> text_of_section(std::string_view name, const char *repeated, std::size_t most,
                                                          const char *too_large) {
    const auto found = elf_.only_section(name, repeated);
    if (!found) return tl::make_unexpected(found.error());
    if (!*found) return std::nullopt;
    const auto &section = **found;
    if (section.sh_type == SHT_NOBITS || (section.sh_flags & SHF_COMPRESSED))
      return invalid("the section " + std::string(name) + " holds no plain data");
    auto text = as_text(elf_.contents(section));
    text = text.substr(0, text.find_last_not_of('\0') + 1);
    if (text.size() > most)
      return fail(too_large, {}, "the section " + std::string(name) + " has " + std::to_string(text.size()) + " bytes",
                  "at most " + std::to_string(most));
    return text;
  }

  // The one section of `type`, or nullptr. A second one would be a question of who believes which.
  Result<const Elf64_Shdr *> only_section(std::uint32_t type, std::string_view what) {
    const Elf64_Shdr *found = nullptr;
    for (const auto &section : elf_.sections()) {
      if (section.sh_type != type) continue;
      if (found) return invalid("there are several sections with " + std::string(what));
      found = &section;
    }
    return found;
  }

  Result<void> read_dynamic() {
    const auto section = only_section(SHT_DYNAMIC, "a dynamic table");
    if (!section) return tl::make_unexpected(section.error());
    const auto segment = elf_.dynamic_segment();
    if (!segment) return tl::make_unexpected(segment.error());
    if (!*section || (*section)->sh_offset != (*segment)->p_offset)
      return invalid("the sections and the program headers name different dynamic tables");
    const auto strings = elf_.linked_strings(**section);
    if (!strings) return tl::make_unexpected(strings.error());

    const auto entries = elf_.bytes().subspan((*segment)->p_offset, (*segment)->p_filesz);
    bool ends = false; // the loader reads until there, whatever the segment's size
    for (std::size_t at = 0; at + sizeof(Elf64_Dyn) <= entries.size() && !ends; at += sizeof(Elf64_Dyn)) {
      const auto entry = load<Elf64_Dyn>(entries, at);
      ends = entry.d_tag == DT_NULL;
      if (auto done = read_dynamic_entry(entry, *strings); !done) return done;
    }
    if (!ends) return invalid("the dynamic table has no end");
    if (!strings_offset_ || *strings_offset_ != strings->offset)
      return invalid("the dynamic table uses another string table than its section");
    return {};
  }

  Result<void> read_dynamic_entry(const Elf64_Dyn &entry, const ElfStrings &strings) {
    symbol_tables_.take(entry);
    switch (entry.d_tag) {
    case DT_RPATH:
    case DT_RUNPATH: facts_.has_rpath = true; return {};
    case DT_STRTAB: strings_offset_ = elf_.offset_of_loaded(entry.d_un.d_ptr, strings.bytes.size()); return {};
    case DT_SYMTAB: symbols_address_ = entry.d_un.d_ptr; return {};
    case DT_NEEDED:
    case DT_FILTER: // these two load a file as well
    case DT_AUXILIARY: break;
    default: return {};
    }
    const auto name = strings.at(entry.d_un.d_val);
    if (!name) return invalid("a name in the dynamic table lies outside its string table");
    if (!spend(name->size())) return invalid("the names are too long for a file of this size");
    facts_.needed.emplace_back(*name);
    return {};
  }

  Result<void> read_symbols() {
    const auto section = only_section(SHT_DYNSYM, "dynamic symbols");
    if (!section) return tl::make_unexpected(section.error());
    if (!*section || !symbols_address_ ||
        elf_.offset_of_loaded(*symbols_address_, (*section)->sh_size) != (*section)->sh_offset)
      return invalid("the sections and the dynamic table name different symbol tables");
    const auto strings = elf_.linked_strings(**section);
    if (!strings) return tl::make_unexpected(strings.error());
    if (strings->offset != *strings_offset_) return invalid("symbols and dynamic table use different string tables");

    const auto in_use = symbol_tables_.symbols_in_use(elf_);
    if (!in_use) return tl::make_unexpected(in_use.error());
    const auto entries = elf_.contents(**section);
    if (const auto listed = entries.size() / sizeof(Elf64_Sym); *in_use > listed)
      return invalid("the sections show " + std::to_string(listed) + " dynamic symbols, but " +
                     std::to_string(*in_use) + " are in use");
    // The first symbol is always the undefined one without a name.
    for (std::size_t at = sizeof(Elf64_Sym); at + sizeof(Elf64_Sym) <= entries.size(); at += sizeof(Elf64_Sym)) {
      const auto symbol = load<Elf64_Sym>(entries, at);
      const auto name = strings->at(symbol.st_name);
      if (!name) return invalid("the name of a symbol lies outside its string table");
      if (!spend(name->size())) return invalid("the names are too long for a file of this size");
      sort_in(symbol, *name);
    }
    return {};
  }

  void sort_in(const Elf64_Sym &symbol, std::string_view name) {
    if (symbol.st_shndx == SHN_UNDEF) {
      if (!name.empty()) facts_.imported.emplace_back(name);
      return;
    }
    const auto bind = ELF64_ST_BIND(symbol.st_info);
    if (bind == STB_GNU_UNIQUE) facts_.unique_symbols.emplace_back(name);
    const auto visibility = ELF64_ST_VISIBILITY(symbol.st_other);
    const bool exported = bind != STB_LOCAL && (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
    if (exported && ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT && name == kEntrySymbol) facts_.has_entry = true;
  }

  // Counts the length of a name; false when the names have become too much.
  bool spend(std::size_t size) {
    spent_ += size;
    return spent_ <= elf_.bytes().size() * kMaxNamesPerByte;
  }

  const ElfFile &elf_;
  ElfFacts facts_;
  std::optional<std::uint64_t> strings_offset_, symbols_address_; // where the dynamic table says they are
  ElfSymbolTables symbol_tables_;
  std::size_t spent_ = 0;
};

} // namespace

Result<ElfFacts> read_elf(ByteView file) {
  const auto elf = ElfFile::parse(file);
  if (!elf) return tl::make_unexpected(elf.error());
  return FactReader(*elf).read();
}

} // namespace trellis
