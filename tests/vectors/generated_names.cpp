#include "generated_names.h"
#include <map>
#include <rapidjson/document.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::vectors {
namespace {

constexpr std::string_view kPrefixes[] = {"tr_kv_", "tr_obj_", "tr_cons_", "tr_jq_", "tr_jobs_"};
constexpr std::size_t kShortestToken = 20; // of a name that was cut

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

struct Token {
  std::size_t from, size;
};

// The tokens behind generated prefixes, from left to right.
std::vector<Token> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const auto prefix : kPrefixes) {
      if (!text.substr(at).starts_with(prefix)) continue;
      std::size_t end = at + prefix.size();
      while (end < text.size() && is_token_character(text[end]))
        ++end;
      if (const Token token{at + prefix.size(), end - at - prefix.size()}; token.size >= kShortestToken)
        out.push_back(token);
      at = end - 1;
      break;
    }
  return out;
}

// `text` with each token replaced by what `renamed` makes of it.
template <class Renamed>
std::string replaced(std::string_view text, Renamed renamed) {
  std::string out;
  std::size_t done = 0;
  for (const auto &[from, size] : tokens_of(text)) {
    out.append(text.substr(done, from - done)).append(renamed(text.substr(from, size)));
    done = from + size;
  }
  return out.append(text.substr(done));
}

std::string blanked(std::string_view text) {
  return replaced(text, [](std::string_view token) { return std::string(token.size(), '*'); });
}

class Renaming {
public:
  void learn(const JsonValue &ours, const JsonValue &theirs) {
    if (ours.IsString() && theirs.IsString()) return learn_text(text_of(ours), text_of(theirs));
    if (ours.IsArray() && theirs.IsArray())
      for (rapidjson::SizeType i = 0; i < ours.Size() && i < theirs.Size(); ++i)
        learn(ours[i], theirs[i]);
    if (ours.IsObject() && theirs.IsObject())
      for (const auto &member : theirs.GetObject())
        if (const JsonValue *value = find_member(ours, text_of(member.name))) learn(*value, member.value);
  }

  std::string renamed(std::string_view text) const {
    return replaced(text, [this](std::string_view token) { return new_token(token); });
  }

private:
  void learn_text(std::string_view ours, std::string_view theirs) {
    if (blanked(ours) != blanked(theirs)) return;
    const auto mine = tokens_of(ours), wanted = tokens_of(theirs);
    for (std::size_t i = 0; i < mine.size(); ++i)
      pair(ours.substr(mine[i].from, mine[i].size), theirs.substr(wanted[i].from, wanted[i].size));
  }

  // A cut token says as much as it is long.
  void pair(std::string_view mine, std::string_view wanted) {
    check(to_, mine, wanted);
    check(from_, wanted, mine);
    to_.try_emplace(std::string(mine), wanted);
    from_.try_emplace(std::string(wanted), mine);
  }

  using Tokens = std::map<std::string, std::string, std::less<>>;
  static bool agree(std::string_view a, std::string_view b) { return a.starts_with(b) || b.starts_with(a); }
  static void check(const Tokens &known, std::string_view from, std::string_view to) {
    for (const auto &[known_from, known_to] : known)
      if (agree(known_from, from) && !agree(known_to, to))
        throw std::runtime_error("generated names: " + std::string(from) + " stands for " + known_to + " and for " +
                                 std::string(to));
  }

  std::string new_token(std::string_view token) const {
    for (const auto &[mine, wanted] : to_)
      if (agree(mine, token) && token.size() <= wanted.size()) return wanted.substr(0, token.size());
    return std::string(token);
  }

  Tokens to_, from_;
};

JsonValue text_value(const std::string &text, JsonDocument::AllocatorType &memory) {
  return JsonValue(text.data(), static_cast<rapidjson::SizeType>(text.size()), memory);
}

JsonValue copy_renamed(const JsonValue &value, const Renaming &names, JsonDocument::AllocatorType &memory) {
  if (value.IsString()) return text_value(names.renamed(text_of(value)), memory);
  if (value.IsArray()) {
    JsonValue out(rapidjson::kArrayType);
    for (const JsonValue &item : value.GetArray())
      out.PushBack(copy_renamed(item, names, memory), memory);
    return out;
  }
  if (!value.IsObject()) return JsonValue(value, memory);
  JsonValue out(rapidjson::kObjectType);
  for (const auto &member : value.GetObject())
    out.AddMember(text_value(names.renamed(text_of(member.name)), memory), copy_renamed(member.value, names, memory),
                  memory);
  return out;
}

} // namespace

JsonDocument with_expected_names(const JsonValue &result, const JsonValue &expected) {
  Renaming names;
  names.learn(result, expected);
  JsonDocument out;
  static_cast<JsonValue &>(out) = copy_renamed(result, names, out.GetAllocator());
  return out;
}

} // namespace trellis::vectors
