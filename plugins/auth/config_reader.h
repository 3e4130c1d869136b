// Reading a configuration document member by member, with the key of everything that is wrong.
//
// The readers take the value's key along, so that an operator reads "httpRateLimit.max: ..." and not "expected number".
// Rejected: a JSON schema and its pointers, because half of the rules of 04 §20 are about meaning (paths, secrets,
// origins), and two kinds of messages for one file help nobody.
#pragma once

#include "contracts/json.h"
#include "contracts/result.h"
#include "wire/secret.h"
#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis::auth {

// One object of the configuration; an absent one reads as empty. The first problem stops the reading: every reader
// returns its default from then on, and `problem()` tells.
class ConfigReader {
public:
  static constexpr std::int64_t kMostInteger = 9007199254740991; // 2^53 - 1
  using ReadSecret = std::function<Result<SecretText>(const std::filesystem::path &)>;

  ConfigReader(const JsonValue &root, std::filesystem::path directory, const ReadSecret &read_secret);

  // A child object. `required`: its absence is a problem.
  ConfigReader object(std::string_view name, bool required = false) const;
  bool has(std::string_view name) const;

  std::string text(std::string_view name, std::string_view otherwise) const;
  std::string text(std::string_view name) const; // required
  std::optional<std::string> optional_text(std::string_view name) const;
  bool flag(std::string_view name, bool otherwise) const;
  double number(std::string_view name, double otherwise) const; // 04 §20.1 "num"
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t minimum,
                                      std::int64_t maximum = kMostInteger) const;
  std::optional<std::vector<std::string>> texts(std::string_view name) const;
  std::filesystem::path path(std::string_view name) const; // required
  std::filesystem::path path(std::string_view name, std::string_view otherwise) const;
  // `name` inline, or the content of the file that `file_name` says (04 §20.2).
  SecretText secret(std::string_view name, std::string_view file_name) const;

  void only(std::initializer_list<std::string_view> names) const; // any other member is a problem
  void complain(std::string_view name, std::string message, std::string expected) const;
  const std::optional<Error> &problem() const { return *problem_; }

  // [name, object] of every member that is an object; anything else is a problem.
  std::vector<std::pair<std::string, ConfigReader>> objects() const;

private:
  ConfigReader(const ConfigReader &parent, const JsonValue *object, std::string key);
  const JsonValue *find(std::string_view name) const;
  const JsonValue *require(std::string_view name, std::string_view expected) const;
  std::string key_of(std::string_view name) const;

  const JsonValue *object_; // nullptr: absent
  std::string key_;         // "" for the root
  std::filesystem::path directory_;
  const ReadSecret *read_secret_;
  std::shared_ptr<std::optional<Error>> problem_; // one for the whole document
};

} // namespace trellis::auth
