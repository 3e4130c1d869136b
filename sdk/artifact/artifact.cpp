#include "artifact/artifact.h"

#include "artifact/elf_file.h"
#include "contracts/json.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <rapidjson/document.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace trellis {
namespace {

class FileDescriptor {
public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(FileDescriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor &operator=(FileDescriptor &&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_;
};

// A sealed file seen through memory. Private, because a shared mapping would ask for the right to write.
class Mapping {
public:
  Mapping() = default;
  Mapping(void *address, std::size_t size) : address_(address), size_(size) {}
  ~Mapping() {
    if (address_) ::munmap(address_, size_);
  }
  Mapping(Mapping &&other) noexcept : address_(std::exchange(other.address_, nullptr)), size_(other.size_) {}
  Mapping &operator=(Mapping &&) = delete;
  ByteView bytes() const { return {static_cast<const std::uint8_t *>(address_), size_}; }

private:
  void *address_ = nullptr;
  std::size_t size_ = 0;
};

struct SealedCopy {
  FileDescriptor memfd;
  Mapping mapping;
};

tl::unexpected<Error> unreadable(const std::string &file, const std::string &what) {
  return fail("artifact_unreadable", file, what + ": " + std::strerror(errno));
}

tl::unexpected<Error> too_large(const std::string &file) {
  return fail("artifact_too_large", file, "the file is too large",
              "at most " + std::to_string(kMaxArtifactBytes) + " bytes");
}

// O_NONBLOCK: opening a FIFO that nobody writes to must not hang.
Result<FileDescriptor> open_regular(const std::string &file) {
  FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return unreadable(file, "the file can't be opened");
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return unreadable(file, "the file can't be examined");
  if (!S_ISREG(status.st_mode)) return fail("artifact_unreadable", file, "this is no regular file", "a shared object");
  if (static_cast<std::size_t>(status.st_size) > kMaxArtifactBytes) return too_large(file);
  return fd;
}

// Copies until the end of the file, which may grow or shrink meanwhile: what counts is what was copied.
Result<std::size_t> copy_all(int from, int to, const std::string &file) {
  std::size_t size = 0;
  for (;;) {
    const auto copied = ::sendfile(to, from, nullptr, kMaxArtifactBytes + 1 - size);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return unreadable(file, "the file can't be read");
    if (copied == 0) return size;
    size += static_cast<std::size_t>(copied);
    if (size > kMaxArtifactBytes) return too_large(file);
  }
}

Result<SealedCopy> copy_sealed(const std::string &file) {
  auto source = open_regular(file);
  if (!source) return tl::make_unexpected(source.error());
  FileDescriptor memfd(::memfd_create("trellis-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memfd) return unreadable(file, "no memory file for a copy");
  const auto size = copy_all(source->get(), memfd.get(), file);
  if (!size) return tl::make_unexpected(size.error());
  if (*size == 0) return fail("elf_invalid", file, "the file is empty", "a shared object");
  if (::fcntl(memfd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return unreadable(file, "the copy can't be sealed");
  void *address = ::mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, memfd.get(), 0);
  if (address == MAP_FAILED) return unreadable(file, "the copy can't be mapped");
  return SealedCopy{std::move(memfd), Mapping(address, *size)};
}

std::string joined(const std::vector<std::string> &names) {
  constexpr std::size_t kShown = 5;
  std::string out;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i)
    out += (i ? ", " : "") + names[i];
  if (names.size() > kShown) out += " and " + std::to_string(names.size() - kShown) + " more";
  return out;
}

struct Contracts {
  std::vector<Manifest> manifests; // at least one
  bool is_array = false;
};

Error in_contract(Error error, const std::string &file, const std::string &item = {}) {
  error.where = file + ", contract" + item + (error.where.empty() ? "" : " " + error.where);
  return error;
}

Result<Contracts> parse_contracts(std::string_view text, const std::string &file) {
  const auto document = parse_json(text, {.max_bytes = kMaxContractBytes});
  if (!document || !document->IsArray()) { // a broken text gets the manifest parser's words
    auto manifest = Manifest::parse(text);
    if (!manifest) return tl::make_unexpected(in_contract(manifest.error(), file));
    return Contracts{{std::move(*manifest)}, false};
  }
  Contracts contracts{{}, true};
  for (const auto &item : document->GetArray()) {
    auto manifest = Manifest::validate(item);
    const auto place = "[" + std::to_string(contracts.manifests.size()) + "]";
    if (!manifest) return tl::make_unexpected(in_contract(manifest.error(), file, place));
    if (std::ranges::find(contracts.manifests, manifest->id(), &Manifest::id) != contracts.manifests.end())
      return fail("contract_array", file, "two contracts with the id " + manifest->id(), "one of each id");
    contracts.manifests.push_back(std::move(*manifest));
  }
  if (contracts.manifests.empty())
    return fail("contract_array", file, "the contract section holds an empty array", "at least one contract");
  return contracts;
}

} // namespace

struct Artifact::Data {
  std::filesystem::path path;
  SealedCopy copy;
  std::string sha256_hex;
  ElfFacts elf;
  Contracts contracts;
  std::optional<Schema> config_schema;
};

Result<Schema> compile_config_schema(std::string_view text) {
  const auto document = parse_json(text, {.max_bytes = kMaxConfigSchema});
  if (!document)
    return fail("config_schema_invalid", {}, "the schema of the settings: " + document.error().text(), "a JSON Schema");
  auto schema = Schema::compile(*document);
  if (!schema)
    return fail("config_schema_invalid", {}, "the schema of the settings: " + schema.error().text(), "a JSON Schema");
  return schema;
}

std::vector<Error> refusals(const ElfFacts &facts, const std::string &file) {
  std::vector<Error> out;
  const auto refuse = [&](const char *code, std::string message, std::string expected) {
    out.push_back({code, file, std::move(message), std::move(expected), {}});
  };
  if (!facts.has_entry)
    refuse("entry_missing", "the file doesn't export " + std::string(kEntrySymbol), "a constant of that name");
  if (!facts.unique_symbols.empty())
    refuse("unique_symbols", "the file has GNU unique symbols: " + joined(facts.unique_symbols),
           "a build with -fno-gnu-unique -fvisibility=hidden");
  if (facts.has_rpath) refuse("rpath", "the file has an RPATH or RUNPATH", "libraries from the system's own places");
  std::vector<std::string> paths; // "${LIB}x.so" too: the loader replaces $LIB and $ORIGIN by texts with slashes
  for (const auto &name : facts.needed)
    if (name.find_first_of("/$") != std::string::npos) paths.push_back(name);
  if (!paths.empty())
    refuse("needed_path", "the file needs libraries by path: " + joined(paths),
           "names of libraries, without a slash or a $");
  if (facts.config_schema)
    if (const auto schema = compile_config_schema(*facts.config_schema); !schema)
      refuse("config_schema_invalid", schema.error().message, schema.error().expected);
  return out;
}

Result<Artifact> Artifact::open_for_inspection(const std::filesystem::path &path) {
  const auto file = path.string();
  auto copy = copy_sealed(file);
  if (!copy) return tl::make_unexpected(copy.error());
  auto facts = read_elf(copy->mapping.bytes());
  if (!facts) {
    facts.error().where = file;
    return tl::make_unexpected(facts.error());
  }
  auto contracts = parse_contracts(facts->contract, file);
  if (!contracts) return tl::make_unexpected(contracts.error());
  auto hash = hex(sha256(copy->mapping.bytes()));
  std::optional<Schema> settings;
  if (facts->config_schema)
    if (auto schema = compile_config_schema(*facts->config_schema)) settings = std::move(*schema);
  return Artifact(std::make_unique<Data>(
      Data{path, std::move(*copy), std::move(hash), std::move(*facts), std::move(*contracts), std::move(settings)}));
}

Result<Artifact> Artifact::open(const std::filesystem::path &path) {
  auto artifact = open_for_inspection(path);
  if (!artifact) return artifact;
  auto refused = refusals(artifact->elf(), path.string());
  if (!refused.empty()) return tl::make_unexpected(std::move(refused.front()));
  return artifact;
}

Artifact::Artifact(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Artifact::Artifact(Artifact &&) noexcept = default;
Artifact &Artifact::operator=(Artifact &&) noexcept = default;
Artifact::~Artifact() = default;

const std::filesystem::path &Artifact::path() const {
  return data_->path;
}
const std::string &Artifact::sha256_hex() const {
  return data_->sha256_hex;
}
const Manifest &Artifact::manifest() const {
  return data_->contracts.manifests.front();
}
const std::vector<Manifest> &Artifact::manifests() const {
  return data_->contracts.manifests;
}
bool Artifact::has_contract_array() const {
  return data_->contracts.is_array;
}
const ElfFacts &Artifact::elf() const {
  return data_->elf;
}
const Schema *Artifact::config_schema() const {
  return data_->config_schema ? &*data_->config_schema : nullptr;
}
ByteView Artifact::bytes() const {
  return data_->copy.mapping.bytes();
}
int Artifact::memfd() const {
  return data_->copy.memfd.get();
}

} // namespace trellis
