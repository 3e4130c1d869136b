#include "contract_file.h"

#include "artifact/artifact.h"
#include "json_locator.h"
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <rapidjson/document.h>
#include <set>
#include <unistd.h>

namespace trellis::cli {
namespace {

bool is_elf(std::string_view text) {
  return text.starts_with("\x7f"
                          "ELF");
}

// parse_json says where = "byte N".
constexpr std::string_view kByte = "byte ";

std::size_t offset_of(const std::string &where, std::string_view text) {
  if (!where.starts_with(kByte)) return locate_json(text, where);
  std::size_t offset = 0;
  std::from_chars(where.data() + kByte.size(), where.data() + where.size(), offset);
  return std::min(offset, text.size());
}

class OpenFile {
public:
  explicit OpenFile(const std::string &file)
      : descriptor_(file == "-" ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC)),
        open_error_(descriptor_ < 0 ? errno : 0) {}
  ~OpenFile() {
    if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  }
  OpenFile(const OpenFile &) = delete;
  OpenFile &operator=(const OpenFile &) = delete;

  // As read(2), without interruptions; fails with open's errno when that failed.
  ssize_t read(char *into, std::size_t size) const {
    errno = open_error_;
    ssize_t got = -1;
    if (open_error_ != 0) return got;
    do
      got = ::read(descriptor_, into, size);
    while (got < 0 && errno == EINTR);
    return got;
  }

private:
  int descriptor_;
  int open_error_;
};

// `most(begin)`: how large a file that begins so may be.
template <class Most>
Result<std::string> read_all(const std::string &file, const Most &most) {
  const OpenFile in(file);
  std::string text;
  char buffer[65536];
  for (;;) {
    const auto got = in.read(buffer, sizeof buffer);
    if (got < 0)
      return fail("file_unreadable", shown_name(file), std::string("the file can't be read: ") + std::strerror(errno),
                  "a readable file");
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    if (const std::size_t limit = most(text); text.size() > limit)
      return fail("file_too_large", shown_name(file), "the file is too large",
                  "at most " + std::to_string(limit) + " bytes");
  }
}

Result<std::vector<Manifest>> manifests_in(const std::string &file) {
  auto sourced = read_sourced_contracts(file);
  if (!sourced) return tl::make_unexpected(std::move(sourced.error()));
  std::vector<Manifest> out;
  for (auto &each : *sourced)
    out.push_back(std::move(each.manifest));
  return out;
}

Result<SourcedContract> validated(const std::shared_ptr<const ContractSource> &source, const JsonValue &value,
                                  std::string pointer) {
  auto manifest = Manifest::validate(value);
  if (!manifest) {
    manifest.error().where.insert(0, pointer);
    return tl::make_unexpected(source->place(std::move(manifest.error())));
  }
  return SourcedContract{source, std::move(pointer), &value, std::move(*manifest)};
}

} // namespace

std::string shown_name(const std::string &file) {
  return file == "-" ? "<stdin>" : file.empty() ? "''" : file;
}

Result<std::string> read_text_file(const std::string &file, std::size_t most) {
  return read_all(file == "-" ? "./-" : file, [most](const std::string &) { return most; });
}

Result<std::string> read_input(const std::string &file, std::size_t most) {
  return read_all(file, [most](const std::string &) { return most; });
}

Error place_in_file(Error error, const std::string &file, std::string_view text) {
  const auto name = shown_name(file);
  error.details.emplace_back("file", name);
  const bool is_pointer = error.where.empty() || error.where.starts_with('/');
  if (!is_pointer && !error.where.starts_with(kByte)) { // a subject, say
    error.where = name + " " + error.where;
    return error;
  }
  const auto place = line_and_column(text, offset_of(error.where, text));
  error.details.emplace_back("line", place.substr(0, place.find(':')));
  error.details.emplace_back("column", place.substr(place.find(':') + 1));
  if (is_pointer) error.details.emplace_back("pointer", error.where);
  error.where = name + ":" + place + (error.where.starts_with('/') ? " " + error.where : "");
  return error;
}

Result<std::string> read_contract_text(const std::string &file) {
  auto text = read_all(file, [](const std::string &begin) { return is_elf(begin) ? kMaxArtifactBytes : kMaxJsonFile; });
  if (!text || !is_elf(*text)) return text;
  auto facts = read_elf(as_bytes(*text));
  if (!facts) {
    facts.error().where = shown_name(file);
    return tl::make_unexpected(std::move(facts.error()));
  }
  return std::move(facts->contract);
}

Result<Manifest> parse_contract(const std::string &file, std::string_view text) {
  auto manifest = Manifest::parse(text);
  if (!manifest) return tl::make_unexpected(place_in_file(std::move(manifest.error()), file, text));
  return manifest;
}

Result<Manifest> read_contract(const std::string &file) {
  const auto text = read_contract_text(file);
  if (!text) return tl::make_unexpected(text.error());
  return parse_contract(file, *text);
}

Result<std::vector<Manifest>> read_contracts(const std::vector<std::string> &files) {
  std::vector<Manifest> out;
  for (const auto &file : files) {
    auto manifests = manifests_in(file);
    if (!manifests) return tl::make_unexpected(std::move(manifests.error()));
    std::ranges::move(*manifests, std::back_inserter(out));
  }
  return out;
}

ContractSource::ContractSource(std::string file, std::string text, JsonDocument json)
    : file_(std::move(file)), text_(std::move(text)), json_(std::make_shared<const JsonDocument>(std::move(json))) {}

Error SourcedContract::place(Error error) const {
  if (error.where.empty() || error.where.starts_with('/')) error.where.insert(0, pointer);
  return source->place(std::move(error));
}

Result<std::vector<SourcedContract>> read_sourced_contracts(const std::string &file) {
  auto text = read_contract_text(file);
  if (!text) return tl::make_unexpected(std::move(text.error()));
  auto json = parse_json(*text);
  if (!json) return tl::make_unexpected(place_in_file(std::move(json.error()), file, *text));
  const auto source = std::make_shared<const ContractSource>(file, std::move(*text), std::move(*json));

  std::vector<SourcedContract> out;
  const auto add = [&](const JsonValue &value, std::string pointer) -> Result<void> {
    auto contract = validated(source, value, std::move(pointer));
    if (!contract) return tl::make_unexpected(std::move(contract.error()));
    out.push_back(std::move(*contract));
    return {};
  };
  if (!source->json().IsArray()) {
    if (auto added = add(source->json(), ""); !added) return tl::make_unexpected(std::move(added.error()));
    return out;
  }
  if (source->json().Empty())
    return tl::make_unexpected(source->place({"contract_array", "", "the array holds no contract", "contracts", {}}));
  std::set<std::string> ids;
  for (rapidjson::SizeType i = 0; i < source->json().Size(); ++i) {
    const auto pointer = json_pointer(std::to_string(i));
    if (auto added = add(source->json()[i], pointer); !added) return tl::make_unexpected(std::move(added.error()));
    if (!ids.insert(out.back().manifest.id()).second)
      return tl::make_unexpected(source->place({"contract_array",
                                                pointer + "/id",
                                                "\"" + out.back().manifest.id() + "\" is in the array twice",
                                                "one contract of an id",
                                                {}}));
  }
  return out;
}

Result<SourcedContract> read_sourced_contract(const std::string &file, const std::string &id) {
  auto contracts = read_sourced_contracts(file);
  if (!contracts) return tl::make_unexpected(std::move(contracts.error()));
  if (id.empty() && contracts->size() == 1) return std::move(contracts->front());
  std::string ids;
  for (auto &each : *contracts) {
    if (each.manifest.id() == id) return std::move(each);
    ids += (ids.empty() ? "" : ", ") + each.manifest.id();
  }
  return fail("contract_choice", shown_name(file),
              id.empty() ? "the file holds " + std::to_string(contracts->size()) + " contracts"
                         : "the file holds no contract \"" + id + "\"",
              (id.empty() ? "--id with one of " : "one of ") + ids);
}

} // namespace trellis::cli
