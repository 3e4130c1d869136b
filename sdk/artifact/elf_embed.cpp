// Writing a contract, or the schema of the settings, into a finished shared object.
//
// Nothing that is there moves: the text, section names and section headers are appended, and three fields of the ELF
// header point to the new ones. So the loaded image stays as the linker made it, whatever the linker did.
#include "artifact/artifact.h"
#include "artifact/elf_file.h"

namespace trellis {
namespace {

void align(Bytes &out) {
  out.resize((out.size() + 7) / 8 * 8);
}

// Appends `data` and returns where it begins.
std::uint64_t append(Bytes &out, ByteView data) {
  align(out);
  const auto offset = out.size();
  out.insert(out.end(), data.begin(), data.end());
  return offset;
}

// The header of the section: the one that is there, or a new one whose name is appended to `names`.
Elf64_Shdr &header_of(std::string_view section_name, std::vector<Elf64_Shdr> &sections, const ElfFile &elf,
                      const Elf64_Shdr *existing, Bytes &names) {
  if (existing) return sections[static_cast<std::size_t>(existing - elf.sections().data())];
  auto &added = sections.emplace_back();
  added.sh_name = static_cast<Elf64_Word>(names.size());
  const auto name = as_bytes(section_name);
  names.insert(names.end(), name.begin(), name.end());
  names.push_back(0);
  return added;
}

Bytes write_sections(const ElfFile &elf, const Elf64_Shdr *existing, std::string_view section_name,
                     std::string_view text) {
  Bytes out(elf.bytes().begin(), elf.bytes().end());
  Bytes names(elf.section_names().bytes.begin(), elf.section_names().bytes.end());
  auto sections = elf.sections();

  auto &section = header_of(section_name, sections, elf, existing, names);
  const auto name = section.sh_name;
  section = {};
  section.sh_name = name;
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = append(out, as_bytes(text));
  section.sh_size = text.size();
  section.sh_addralign = 1;

  auto header = elf.header();
  auto &name_table = sections[header.e_shstrndx];
  name_table.sh_offset = append(out, names);
  name_table.sh_size = names.size();

  header.e_shnum = static_cast<Elf64_Half>(sections.size());
  header.e_shoff =
      append(out, {reinterpret_cast<const std::uint8_t *>(sections.data()), sections.size() * sizeof(Elf64_Shdr)});
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

Result<Bytes> embed(ByteView file, std::string_view section_name, const char *repeated, std::string_view text) {
  const auto elf = ElfFile::parse(file);
  if (!elf) return tl::make_unexpected(elf.error());
  const auto existing = elf->only_section(section_name, repeated);
  if (!existing) return tl::make_unexpected(existing.error());
  if (!*existing && elf->sections().size() + 1 >= SHN_LORESERVE)
    return fail("elf_invalid", {}, "there is no room for another section");

  auto out = write_sections(*elf, *existing, section_name, text);
  // What was written has to read back, or the file was stranger than this function knows.
  if (const auto facts = read_elf(out); !facts) return tl::make_unexpected(facts.error());
  return out;
}

} // namespace

Result<Bytes> embed_contract(ByteView file, std::string_view contract) {
  if (contract.empty()) return fail("contract_missing", {}, "the contract is empty", "a contract");
  if (contract.size() > kMaxContractBytes)
    return fail("contract_too_large", {}, "the contract has " + std::to_string(contract.size()) + " bytes",
                "at most " + std::to_string(kMaxContractBytes));
  return embed(file, kContractSection, "contract_repeated", contract);
}

Result<Bytes> embed_config_schema(ByteView file, std::string_view schema) {
  if (schema.size() > kMaxConfigSchema)
    return fail("config_schema_too_large", {}, "the schema has " + std::to_string(schema.size()) + " bytes",
                "at most " + std::to_string(kMaxConfigSchema));
  if (const auto compiled = compile_config_schema(schema); !compiled) return tl::make_unexpected(compiled.error());
  return embed(file, kConfigSchemaSection, "config_schema_repeated", schema);
}

} // namespace trellis
