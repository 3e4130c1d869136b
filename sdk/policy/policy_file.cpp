#include "policy/policy_file.h"
#include "artifact/trust.h"
#include "policy/policy.h"
#include "settings/config_keys.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace trellis {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}
bool is_account_key(std::string_view text) {
  return decode_nkey(text, NkeyType::account).has_value();
}
bool is_digest(std::string_view text) {
  return text.size() == 43 && base64url_decode(text) && text.find_first_of("+/=") == std::string_view::npos;
}
bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_signer(std::string_view text) {
  return parse_signer(text).has_value();
}
bool is_contract_id(std::string_view text) {
  return !text.empty();
}
bool is_capability(std::string_view text) {
  return !text.empty();
}

template <class Target>
Key<Target> required(Key<Target> key) {
  key.required = true;
  return key;
}

// ---------------------------------------------------------------------------------------------------------------- keys

struct AccountTable {
  std::string public_key;
  std::filesystem::path signing_seed_file;
  std::int64_t jwt_life_s = 3600;
};

const std::vector<Key<AccountTable>> &account_keys() {
  static const std::vector<Key<AccountTable>> keys{
      required(text_key<AccountTable>("public_key", &AccountTable::public_key, "an account's public nkey (\"A...\")",
                                      is_account_key, "the NATS account of all participants")),
      path_key<AccountTable>("signing_seed_file", &AccountTable::signing_seed_file,
                             "signing key of that account (\"SA...\"); readable for its owner only"),
      number_key<AccountTable>("jwt_life_s", &AccountTable::jwt_life_s, 5, 2'592'000,
                               "life of a connection's user JWT, in seconds"),
  };
  return keys;
}

const std::vector<Key<StaticAcceptance>> &acceptance_keys() {
  static const std::vector<Key<StaticAcceptance>> keys{
      required(text_key<StaticAcceptance>("contract", &StaticAcceptance::contract_id, "a contract id", is_contract_id,
                                          "id of the contract")),
      required(text_key<StaticAcceptance>("digest", &StaticAcceptance::digest, "a contract digest (43 characters)",
                                          is_digest, "the one version of it that is accepted")),
      text_key<StaticAcceptance>("sha256", &StaticAcceptance::sha256, "64 lower-case hex digits", is_sha256,
                                 "the one file that it is accepted from"),
      text_key<StaticAcceptance>("signer", &StaticAcceptance::signer,
                                 "a minisign public key (56 characters, \"RW...\")", is_signer,
                                 "who has to have signed that file"),
  };
  return keys;
}

// nullptr, or what is wrong. A text alone is a list of one.
const ConfigNode *store_uses(StaticCaller &caller, const ConfigNode &table) {
  if (table.kind != ConfigNode::Kind::table) return &table;
  for (const ConfigEntry &entry : table.entries) {
    const bool alone = entry.value.kind == ConfigNode::Kind::text;
    if (!alone && entry.value.kind != ConfigNode::Kind::list) return &entry.value;
    std::vector<std::string> &names = caller.uses[entry.key];
    for (const ConfigNode &item : alone ? std::span(&entry.value, 1) : std::span(entry.value.items)) {
      if (item.kind != ConfigNode::Kind::text || item.text.empty()) return &item;
      names.push_back(item.text);
    }
  }
  return nullptr;
}

const std::vector<Key<StaticCaller>> &caller_keys() {
  static const std::vector<Key<StaticCaller>> keys{
      required(text_key<StaticCaller>("name", &StaticCaller::name, "1 to 64 letters, digits, \"-\" or \"_\"", is_name,
                                      "name of the caller; its seed is callers/NAME.seed beside the file")),
      required(text_key<StaticCaller>("session_key", &StaticCaller::session_key, "a session key (43 characters)",
                                      is_session_key_text, "its public session key")),
      list_key<StaticCaller>("capabilities", &StaticCaller::capabilities, 0, "a list of capabilities", is_capability,
                             "what it holds"),
      {"uses", "a table of contract id = rpc names, or \"*\" for all of them", "{}", "what it may call", false,
       store_uses},
  };
  return keys;
}

// -------------------------------------------------------------------------------------------------------------- reader

class Reader {
public:
  Reader(const ConfigNode &root, StaticPolicyFile &policy)
      : root_(root), policy_(policy), problems_(policy.file.string()) {}

  std::optional<Error> read() {
    for (const ConfigEntry &entry : root_.entries)
      if (std::ranges::find(kTables, entry.key) == kTables.end()) add_unknown_key(problems_, "", entry, kTables);
    read_account();
    each("accept", [this](const ConfigNode &table) { read_acceptance(table); });
    each("callers", [this](const ConfigNode &table) { read_caller(table); });
    return problems_.first();
  }

private:
  void read_account() {
    static const ConfigNode absent;
    const ConfigNode *table = root_.find("account");
    if (table && table->kind != ConfigNode::Kind::table)
      return add_wrong_value(problems_, "account", *table, "a table");
    AccountTable account;
    read_keys(table ? *table : absent, "account", account_keys(), account, problems_);
    policy_.account = std::move(account.public_key);
    policy_.jwt_life = std::chrono::seconds(account.jwt_life_s);
    const ConfigNode *seed_file = table ? table->find("signing_seed_file") : nullptr;
    if (!seed_file || account.signing_seed_file.empty()) return;
    policy_.signing_seed_file = (policy_.file.parent_path() / account.signing_seed_file).lexically_normal();
    if (const auto seed = read_signing_seed(policy_.signing_seed_file); !seed)
      problems_.add(seed_file->place, "config_value", "account.signing_seed_file: " + seed.error().text(), "");
  }

  void read_acceptance(const ConfigNode &table) {
    StaticAcceptance acceptance;
    read_keys(table, "accept", acceptance_keys(), acceptance, problems_);
    policy_.accepted.push_back(std::move(acceptance));
  }

  void read_caller(const ConfigNode &table) {
    StaticCaller caller;
    caller.where = problems_.where(table.place);
    read_keys(table, "callers", caller_keys(), caller, problems_);
    if (!caller.name.empty() && !names_.insert(caller.name).second)
      problems_.add(table.place, "config_value", "a second caller has the name " + caller.name, "one table for each");
    if (!caller.session_key.empty() && !session_keys_.insert(caller.session_key).second)
      problems_.add(table.place, "config_value", "caller " + caller.name + " has the session key of another caller",
                    "one session key for each");
    policy_.callers.push_back(std::move(caller));
  }

  template <class Read>
  void each(const std::string &name, const Read &read) {
    const ConfigNode *list = root_.find(name);
    if (!list) return;
    const std::string expected = "tables [[" + name + "]]";
    if (list->kind != ConfigNode::Kind::list) return add_wrong_value(problems_, name, *list, expected);
    for (const ConfigNode &item : list->items) {
      if (item.kind == ConfigNode::Kind::table)
        read(item);
      else
        add_wrong_value(problems_, "an item of " + name, item, expected);
    }
  }

  inline static const std::vector<std::string> kTables{"account", "accept", "callers"};

  const ConfigNode &root_;
  StaticPolicyFile &policy_;
  ConfigProblems problems_;
  std::set<std::string> names_, session_keys_;
};

// ------------------------------------------------------------------------------------------------------------- secrets

struct OpenFile {
  int fd;
  explicit OpenFile(const std::filesystem::path &file) : fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  OpenFile(const OpenFile &) = delete;
  OpenFile &operator=(const OpenFile &) = delete;
};

// "" when only we can read and change the open file.
std::string exposure(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::strerror(errno);
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  if (status.st_uid != ::geteuid()) return "belongs to another user";
  if (status.st_mode & 077u) return "can be used by others";
  return {};
}

std::string trimmed(std::string text) {
  constexpr std::string_view kSpace = " \t\r\n";
  text.erase(text.find_last_not_of(kSpace) + 1);
  text.erase(0, std::min(text.find_first_not_of(kSpace), text.size()));
  return text;
}

} // namespace

std::string static_policy_markdown() {
  return keys_markdown("[account]", account_keys()) + keys_markdown("[[accept]]", acceptance_keys()) +
         keys_markdown("[[callers]]", caller_keys());
}

Result<SecretText> read_secret_file(const std::filesystem::path &file, std::size_t most_bytes) {
  const OpenFile open(file);
  if (open.fd < 0) return fail("secret_unreadable", file.string(), std::strerror(errno), "a file with the secret");
  if (const std::string problem = exposure(open.fd); !problem.empty())
    return fail("secret_exposed", file.string(), problem, "a file of ours with mode 0600 or stricter");
  std::string text(most_bytes + 1, '\0');
  const ssize_t size = ::read(open.fd, text.data(), text.size());
  if (size < 0) return fail("secret_unreadable", file.string(), std::strerror(errno));
  if (static_cast<std::size_t>(size) > most_bytes) {
    wipe(text);
    return fail("secret_unreadable", file.string(), "has more than " + std::to_string(most_bytes) + " bytes",
                "the secret and nothing else");
  }
  text.resize(static_cast<std::size_t>(size));
  return SecretText(trimmed(std::move(text)));
}

Result<NkeySeed> read_signing_seed(const std::filesystem::path &file) {
  const auto text = read_secret_file(file);
  if (!text) return tl::unexpected(text.error());
  auto seed = NkeySeed::parse(text->reveal(), NkeyType::account);
  if (seed) return seed;
  Error error = seed.error();
  error.where = file.string();
  error.expected = "the seed of an account key (\"SA...\")";
  return tl::unexpected(std::move(error));
}

Result<StaticPolicyFile> load_static_policy(const std::filesystem::path &file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail("config_unreadable", file.string(), "the policy file can't be read", "a readable file");
  std::string text(kMaxConfigBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return fail("config_unreadable", file.string(), "reading the policy file failed");
  text.resize(static_cast<std::size_t>(in.gcount()));
  const auto root = parse_config_tree(text, file.string());
  if (!root) return tl::unexpected(root.error());
  StaticPolicyFile policy;
  policy.file = file;
  if (auto problem = Reader(*root, policy).read()) return tl::unexpected(std::move(*problem));
  return policy;
}

} // namespace trellis
