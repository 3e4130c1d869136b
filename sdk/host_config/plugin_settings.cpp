#include "host_config/plugin_settings.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <optional>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis::host {
namespace {

using Kind = ConfigNode::Kind;

constexpr std::string_view kSecretFile = "secret_file";
constexpr std::string_view kSecretEnv = "secret_env";

bool names_secret(const ConfigNode &node) {
  return node.kind == Kind::table && (node.find(kSecretFile) || node.find(kSecretEnv));
}

// What RapidJSON grows and frees is wiped: a buffer that grows leaves its earlier texts behind otherwise.
class WipingAllocator {
public:
  [[maybe_unused]] static constexpr bool kNeedFree = true; // RapidJSON asks for it

  void *Malloc(std::size_t size) { return size == 0 ? nullptr : allocate(size); }
  void *Realloc(void *old, std::size_t old_size, std::size_t size) {
    void *fresh = Malloc(size);
    if (old && fresh) std::memcpy(fresh, old, std::min(old_size, size));
    Free(old);
    return fresh;
  }
  static void Free(void *data) {
    if (!data) return;
    auto *block = static_cast<char *>(data) - kHeader;
    std::size_t size = 0;
    std::memcpy(&size, block, sizeof size);
    wipe(block, size + kHeader);
    std::free(block);
  }

private:
  static constexpr std::size_t kHeader = alignof(std::max_align_t); // keeps the size, and the alignment
  static void *allocate(std::size_t size) {
    auto *block = static_cast<char *>(std::malloc(size + kHeader));
    if (!block) throw std::bad_alloc();
    std::memcpy(block, &size, sizeof size);
    return block + kHeader;
  }
};

using Buffer = rapidjson::GenericStringBuffer<rapidjson::UTF8<>, WipingAllocator>;
// Refuses texts that are no UTF-8: only a secret can be one, TOML is UTF-8.
using Writer = rapidjson::Writer<Buffer, rapidjson::UTF8<>, rapidjson::UTF8<>, rapidjson::CrtAllocator,
                                 rapidjson::kWriteValidateEncodingFlag>;

bool write_text(Writer &out, std::string_view text) {
  return out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

bool is_utf8(std::string_view text) {
  Buffer buffer;
  Writer out(buffer);
  return write_text(out, text);
}

// ----------------------------------------------------------------------------------------------------------- secrets

struct OpenFile {
  int fd;
  // O_NONBLOCK: a FIFO that nobody writes to must not hang.
  explicit OpenFile(const std::string &file) : fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  OpenFile(const OpenFile &) = delete;
  OpenFile &operator=(const OpenFile &) = delete;
};

// Why a value can't be had. The caller adds where.
tl::unexpected<Error> refuse(const char *code, std::string message, std::string expected) {
  return fail(code, {}, std::move(message), std::move(expected));
}

Result<void> check_owner(int fd, const std::string &file) {
  constexpr auto kExpected = "a file of the host's own user or root, with mode 0600 or stricter";
  struct stat status {};
  if (::fstat(fd, &status) != 0) return refuse("secret_missing", file + ": " + std::strerror(errno), "a file");
  if (!S_ISREG(status.st_mode)) return refuse("secret_invalid", file + " is no regular file", "a file with the secret");
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    return refuse("secret_exposed", file + " belongs to another user", kExpected);
  if (status.st_mode & 077u) return refuse("secret_exposed", file + " can be used by others", kExpected);
  return {};
}

Result<SecretText> read_file(const std::string &file) {
  const OpenFile open(file);
  if (open.fd < 0)
    return refuse("secret_missing", file + ": " + std::strerror(errno), "a readable file with the secret");
  if (auto owned = check_owner(open.fd, file); !owned) return tl::make_unexpected(owned.error());
  std::string text(kMaxSettingsSecret + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto got = ::read(open.fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      wipe(text);
      return refuse("secret_missing", file + ": " + std::strerror(errno), "a readable file with the secret");
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxSettingsSecret) {
    wipe(text);
    return refuse("secret_invalid", file + " is too large", "at most " + std::to_string(kMaxSettingsSecret) + " bytes");
  }
  // Editors and `echo` end a file with a newline, which is no part of a password.
  if (size > 0 && text[size - 1] == '\n') --size;
  if (size > 0 && text[size - 1] == '\r') --size;
  SecretText out(text.substr(0, size));
  wipe(text);
  return out;
}

Result<SecretText> read_environment(const std::string &name) {
  // The environment is read only: nobody in this process calls setenv.
  const char *value = std::getenv(name.c_str()); // NOLINT(concurrency-mt-unsafe)
  if (!value) return refuse("secret_missing", "the environment has no " + name, "a variable with the secret");
  if (std::strlen(value) > kMaxSettingsSecret)
    return refuse("secret_invalid", name + " is too large", "at most " + std::to_string(kMaxSettingsSecret) + " bytes");
  return SecretText(std::string(value));
}

Result<SecretText> read_secret(const ConfigNode &node, const std::filesystem::path &folder) {
  const auto *file = node.find(kSecretFile);
  const auto what = file ? (folder / file->text).lexically_normal().string() : node.find(kSecretEnv)->text;
  auto secret = file ? read_file(what) : read_environment(what);
  if (!secret) return secret;
  if (secret->empty()) return refuse("secret_missing", what + " is empty", "a secret");
  if (!is_utf8(secret->reveal()) || secret->reveal().find('\0') != std::string::npos)
    return refuse("secret_invalid", what + " holds no text", "UTF-8 without NUL");
  return secret;
}

// Visits a tree with its keys; `pointer` is the JSON pointer of the node.
template <class Visit>
bool each_secret(const ConfigNode &node, const std::string &name, const Visit &visit) {
  if (names_secret(node)) return visit(node, name);
  for (const auto &entry : node.entries)
    if (!each_secret(entry.value, name + "." + entry.key, visit)) return false;
  for (const auto &item : node.items)
    if (!each_secret(item, name, visit)) return false;
  return true;
}

// -------------------------------------------------------------------------------------------------------------- JSON

using Secrets = std::map<const ConfigNode *, SecretText>;

void write_json(Writer &out, const ConfigNode &node, const Secrets &secrets) {
  if (const auto secret = secrets.find(&node); secret != secrets.end()) {
    write_text(out, secret->second.reveal());
    return;
  }
  switch (node.kind) {
  case Kind::text:
  case Kind::date: write_text(out, node.text); return;
  case Kind::integer: out.Int64(node.integer); return;
  case Kind::flag: out.Bool(node.flag); return;
  case Kind::real: out.Double(node.real); return;
  case Kind::list:
    out.StartArray();
    for (const auto &item : node.items)
      write_json(out, item, secrets);
    out.EndArray();
    return;
  case Kind::table:
    out.StartObject();
    for (const auto &entry : node.entries) {
      write_text(out, entry.key);
      write_json(out, entry.value, secrets);
    }
    out.EndObject();
    return;
  }
}

// The same as a value whose texts are those of the tree: no secret is copied.
using Pool = rapidjson::MemoryPoolAllocator<>;

JsonValue text_reference(std::string_view text) {
  return JsonValue(rapidjson::StringRef(text.data(), static_cast<rapidjson::SizeType>(text.size())));
}

JsonValue to_value(const ConfigNode &node, const Secrets &secrets, Pool &pool) {
  if (const auto secret = secrets.find(&node); secret != secrets.end()) return text_reference(secret->second.reveal());
  switch (node.kind) {
  case Kind::text:
  case Kind::date: return text_reference(node.text);
  case Kind::integer: return JsonValue(node.integer);
  case Kind::flag: return JsonValue(node.flag);
  case Kind::real: return JsonValue(node.real);
  case Kind::list: {
    JsonValue list(rapidjson::kArrayType);
    list.Reserve(static_cast<rapidjson::SizeType>(node.items.size()), pool);
    for (const auto &item : node.items)
      list.PushBack(to_value(item, secrets, pool), pool);
    return list;
  }
  case Kind::table: break;
  }
  JsonValue object(rapidjson::kObjectType);
  for (const auto &entry : node.entries)
    object.AddMember(text_reference(entry.key), to_value(entry.value, secrets, pool), pool);
  return object;
}

// Where in the tree a part of its value stands.
struct Found {
  const ConfigNode *node = nullptr;
  std::string pointer;
};

std::optional<Found> find_part(const ConfigNode &node, const JsonValue &value, const JsonValue *part,
                               const std::string &pointer) {
  if (&value == part) return Found{&node, pointer};
  if (value.IsArray())
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i)
      if (auto found = find_part(node.items[i], value[i], part, pointer + "/" + std::to_string(i))) return found;
  if (value.IsObject()) {
    auto member = value.MemberBegin();
    for (const auto &entry : node.entries) {
      if (auto found = find_part(entry.value, member->value, part, pointer + "/" + json_pointer_token(entry.key)))
        return found;
      ++member;
    }
  }
  return std::nullopt;
}

const ConfigNode &table_of(const SettingsTable &given) {
  static const ConfigNode empty;
  return given.table ? *given.table : empty;
}

std::string where_in(const SettingsTable &given, const ConfigNode &node) {
  return given.file.string() + ":" + std::to_string(node.place.line);
}

SecretText to_json_text(const ConfigNode &table, const Secrets &secrets) {
  Buffer buffer;
  Writer out(buffer);
  write_json(out, table, secrets);
  return SecretText(std::string(buffer.GetString(), buffer.GetSize()));
}

const ConfigNode *wrong_value(const ConfigNode &node) {
  if (node.kind == Kind::real && !std::isfinite(node.real)) return &node;
  if (names_secret(node)) {
    const auto &value = node.entries.front().value;
    const bool named = value.kind == Kind::text && !value.text.empty() && value.text.find('\0') == std::string::npos;
    return node.entries.size() == 1 && named ? nullptr : &node;
  }
  for (const auto &entry : node.entries)
    if (const auto *wrong = wrong_value(entry.value)) return wrong;
  for (const auto &item : node.items)
    if (const auto *wrong = wrong_value(item)) return wrong;
  return nullptr;
}

} // namespace

const ConfigNode *wrong_setting(const ConfigNode &table) {
  // The whole table can't be a secret: it is an object.
  if (table.kind != Kind::table || names_secret(table)) return &table;
  return wrong_value(table);
}

PluginSettings::PluginSettings(SettingsTable given, Secrets secrets)
    : given_(std::move(given)), secrets_(std::move(secrets)), json_(to_json_text(table_of(given_), secrets_)) {}

Result<PluginSettings> PluginSettings::resolve(const SettingsTable &given) {
  Secrets secrets;
  Error problem;
  const auto read = [&](const ConfigNode &node, const std::string &name) {
    auto secret = read_secret(node, given.file.parent_path());
    if (secret) return secrets.emplace(&node, std::move(*secret)).second;
    problem = secret.error();
    problem.where = where_in(given, node);
    problem.message = name + ": " + problem.message;
    return false;
  };
  if (!each_secret(table_of(given), given.name, read)) return tl::make_unexpected(std::move(problem));
  return PluginSettings(given, std::move(secrets));
}

Result<void> PluginSettings::check(const Schema &schema) const {
  Pool pool;
  const auto &table = table_of(given_);
  const auto value = to_value(table, secrets_, pool);
  const auto issues = schema.check(value, 1);
  if (issues.empty()) return {};
  const auto &issue = issues.front();
  const auto found = find_part(table, value, issue.value, "").value_or(Found{&table, ""});
  return fail("config_schema", where_in(given_, *found.node),
              given_.name + (found.pointer.empty() ? "" : " " + found.pointer) + ": " + issue.message,
              "what " + issue.path + " of the plugin's schema says");
}

} // namespace trellis::host
