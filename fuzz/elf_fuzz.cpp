// read_elf and embed_contract on outside bytes. Random bytes hardly ever pass an ELF header, so the input is mostly a
// list of changes to a small shared object that is valid; its first byte chooses.

#include "artifact/artifact.h"
#include "artifact/elf_small.h"
#include "require.h"

namespace {

using namespace trellis;

// Each change: 2 bytes offset, 1 byte value. What is left over is cut off the end.
Bytes changed(ByteView changes) {
  testing::SmallElf file;
  file.gnu_hash = {2, 1, 1, 0, 0, 0, 0, 1, 2, 3};
  file.hash = {1, 3, 2, 0, 0, 1};
  file.relocations = file.jump_relocations = {{0, ELF64_R_INFO(2, 1), 0}};
  Bytes bytes = file.bytes();
  for (; changes.size() >= 3; changes = changes.subspan(3)) {
    const auto offset = (std::size_t{changes[0]} << 8 | changes[1]) % bytes.size();
    bytes[offset] = changes[2];
  }
  bytes.resize(bytes.size() - changes.size());
  bytes.shrink_to_fit(); // so that the sanitizer sees the first byte beyond it
  return bytes;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  const Bytes file = data[0] == 0 ? Bytes(rest.begin(), rest.end()) : changed(rest);
  if (rest.empty() && data[0] != 0) fuzz::require(read_elf(file).has_value());
  const auto facts = read_elf(file);
  fuzz::require(facts ? !facts->contract.empty() : !facts.error().code.empty());
  const auto embedded = embed_contract(file, "{\"a\":1}");
  if (!embedded) return 0;
  const auto again = read_elf(*embedded);
  fuzz::require(again && again->contract == "{\"a\":1}");
  return 0;
}
