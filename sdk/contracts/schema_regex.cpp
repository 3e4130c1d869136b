#include "contracts/schema_regex.h"
#include "contracts/schema_regex_names.h"
#include "contracts/schema_text.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace trellis::schema {
namespace {

constexpr char32_t kEnd = 0xFFFFFFFF;

// A callout, before each piece whose work grows with the text: there a search looks how long it has been running.
constexpr std::string_view kPoint = "(?C)";

bool is_syntax_character(char32_t c) {
  return c < 0x80 && std::string_view("^$\\.*+?()[]{}|").find(static_cast<char>(c)) != std::string_view::npos;
}

// ECMAScript's \s and, between them, its \S: for use inside a class.
constexpr std::string_view kSpace = "\\x{9}-\\x{D}\\x{20}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}"
                                    "\\x{205F}\\x{3000}\\x{FEFF}";
constexpr std::string_view kNoSpace = "\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}"
                                      "\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}"
                                      "\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{FEFE}\\x{FF00}-\\x{10FFFF}";

std::string pcre2_character(char32_t c) {
  if (is_ascii_alphanumeric(c)) return std::string(1, static_cast<char>(c));
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string hex;
  for (char32_t rest = c; rest != 0 || hex.empty(); rest >>= 4)
    hex.insert(hex.begin(), kDigits[rest & 15]);
  return "\\x{" + hex + "}";
}

enum class GroupKind : std::uint8_t { capture, plain, lookaround };

class Translator {
public:
  explicit Translator(std::string_view pattern) : text_(pattern) {}

  Result<std::string> translate() {
    count_groups();
    while (!failed_ && !at_end())
      piece();
    if (!failed_ && !groups_.empty()) give_up("a group that isn't closed");
    if (!failed_) insert_named_references();
    if (failed_) return fail("schema_pattern", {}, "not a pattern: " + why_, "a regular expression of ECMAScript");
    return std::move(out_);
  }

private:
  // ---------------------------------------------------------------- reading

  bool at_end() const { return at_ >= text_.size(); }
  bool next_is(std::string_view text) const { return text_.substr(at_, text.size()) == text; }
  bool skip(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  char32_t next() {
    if (at_end()) return kEnd;
    return next_code_point(text_, at_);
  }
  void give_up(std::string why) {
    if (failed_) return;
    failed_ = true;
    why_ = std::move(why);
  }

  std::optional<std::uint32_t> decimal() {
    if (at_end() || !is_ascii_digit(static_cast<unsigned char>(peek()))) return std::nullopt;
    std::uint32_t value = 0;
    for (; !at_end() && is_ascii_digit(static_cast<unsigned char>(peek())); ++at_)
      value = std::min<std::uint32_t>(value * 10 + static_cast<std::uint32_t>(peek() - '0'), 100'000'000);
    return value;
  }

  std::optional<char32_t> hex(std::size_t digits) {
    if (text_.size() - at_ < digits) return std::nullopt;
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const int digit = hex_value(text_[at_ + i]);
      if (digit < 0) return std::nullopt;
      value = value * 16 + static_cast<char32_t>(digit);
    }
    at_ += digits;
    return value;
  }

  // After "\u": four digits, a pair of surrogates, or {...}.
  std::optional<char32_t> unicode_escape() {
    if (skip("{")) return braced_escape();
    const auto unit = hex(4);
    if (!unit || *unit < 0xD800 || *unit > 0xDBFF || !next_is("\\u")) return unit;
    const std::size_t back = at_;
    at_ += 2;
    const auto low = hex(4);
    if (low && *low >= 0xDC00 && *low <= 0xDFFF) return 0x10000 + ((*unit - 0xD800) << 10) + (*low - 0xDC00);
    at_ = back;
    return unit;
  }

  std::optional<char32_t> braced_escape() {
    char32_t value = 0;
    const std::size_t from = at_;
    while (!at_end() && hex_value(peek()) >= 0) {
      value = value * 16 + static_cast<char32_t>(hex_value(text_[at_++]));
      if (value > 0x10FFFF) return std::nullopt;
    }
    if (at_ == from || !skip("}")) return std::nullopt;
    return value;
  }

  // ---------------------------------------------------------------- groups and their names

  // Back references may point forward, so the groups are counted before anything else.
  void count_groups() {
    bool in_class = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\\')
        ++i;
      else if (c == '[')
        in_class = true;
      else if (c == ']')
        in_class = false;
      else if (c == '(' && !in_class && captures(text_.substr(i + 1)))
        ++group_count_;
    }
  }

  static bool captures(std::string_view after) {
    if (!after.starts_with("?")) return true;
    return after.starts_with("?<") && !after.starts_with("?<=") && !after.starts_with("?<!");
  }

  // After "<", up to and with ">". Names hold no escapes here: nobody writes them, and they would only have to be read.
  std::string group_name() {
    std::string name;
    while (!at_end() && peek() != '>') {
      const char32_t c = next();
      const bool starts = is_ascii_letter(c) || c == '$' || c == '_' || c >= 0x80;
      if (!starts && (name.empty() || !is_ascii_digit(c))) give_up("a group name that isn't a name");
      append_code_point(name, c);
      if (failed_) return {};
    }
    if (!skip(">") || name.empty()) give_up("a group name that isn't a name");
    return name;
  }

  // References by name may point forward too: they are put into their places once all names are known.
  void insert_named_references() {
    std::string out;
    std::size_t from = 0;
    for (const auto &[place, name] : named_references_) {
      const auto group = group_names_.find(name);
      if (group == group_names_.end()) return give_up("a reference to an unknown group name");
      out.append(out_, from, place - from);
      out += reference(group->second);
      from = place;
    }
    out.append(out_, from);
    out_ = std::move(out);
  }

  // In a group of its own: PCRE2 refuses to repeat a reference to an unset group, even though it may match nothing.
  static std::string reference(std::uint32_t group) {
    return std::string(kPoint) + "(?:\\g{" + std::to_string(group) + "})";
  }

  void open_group() {
    repeatable_ = false;
    if (skip("?:")) return open("(?:", GroupKind::plain);
    for (const std::string_view look : {"?=", "?!", "?<=", "?<!"})
      if (skip(look)) return open("(" + std::string(look), GroupKind::lookaround);
    ++groups_seen_;
    if (skip("?<")) {
      const bool fresh = group_names_.try_emplace(group_name(), groups_seen_).second;
      if (!fresh) give_up("two groups of one name");
    } else if (peek() == '?') {
      give_up("a kind of group that doesn't exist");
    }
    open("(", GroupKind::capture);
  }

  void open(std::string_view text, GroupKind kind) {
    out_ += text;
    groups_.push_back(kind);
  }

  void close_group() {
    if (groups_.empty()) return give_up("a ) without its (");
    repeatable_ = groups_.back() != GroupKind::lookaround;
    atom_at_.reset();
    groups_.pop_back();
    out_ += ')';
  }

  // ---------------------------------------------------------------- pieces

  void piece() {
    const char32_t c = next();
    switch (c) {
    case '(': return open_group();
    case ')': return close_group();
    case '[': return atom(character_class());
    case '.': return atom("[^\\x{A}\\x{D}\\x{2028}\\x{2029}]");
    case '\\': return escape();
    case '^': return assertion("\\A");
    case '$': return assertion("\\z");
    case '|': return assertion("|");
    case '*':
    case '+':
    case '?': return quantifier(std::string(1, static_cast<char>(c)));
    case '{': return counted_quantifier();
    case '}':
    case ']': return give_up("a bracket that must be escaped");
    default: return atom(pcre2_character(c));
    }
  }

  void atom(std::string_view text) {
    atom_at_ = out_.size();
    out_ += text;
    repeatable_ = true;
  }
  void assertion(std::string_view text) {
    out_ += text;
    repeatable_ = false;
  }

  void quantifier(std::string_view text) {
    if (!repeatable_) return give_up("nothing to repeat");
    if (atom_at_ && text != "?") out_.insert(*atom_at_, kPoint);
    out_ += text;
    if (skip("?")) out_ += '?';
    repeatable_ = false;
  }

  void counted_quantifier() {
    const auto least = decimal();
    if (!least) return give_up("a { that must be escaped");
    std::string text = "{" + std::to_string(*least);
    if (skip(",")) {
      text += ',';
      if (const auto most = decimal()) {
        if (*most < *least) return give_up("a repetition whose numbers are out of order");
        text += std::to_string(*most);
      }
    }
    if (!skip("}")) return give_up("a { that must be escaped");
    quantifier(text + "}");
  }

  // ---------------------------------------------------------------- escapes

  void escape() {
    if (skip("b")) return assertion("\\b");
    if (skip("B")) return assertion("\\B");
    if (skip("k")) return named_reference();
    if (peek() >= '1' && peek() <= '9') return numbered_reference();
    if (const auto set = class_escape()) return atom("[" + *set + "]");
    if (const auto c = character_escape(); c) return atom(pcre2_character(*c));
    give_up("an escape that doesn't exist");
  }

  void numbered_reference() {
    const auto group = decimal();
    if (!group || *group > group_count_) return give_up("a reference to a group that doesn't exist");
    atom(reference(*group));
    atom_at_.reset();
  }

  void named_reference() {
    if (!skip("<")) return give_up("a \\k without a name");
    auto name = group_name();
    if (failed_) return;
    named_references_.emplace_back(out_.size(), std::move(name));
    repeatable_ = true;
    atom_at_.reset();
  }

  // A set of characters, as it is written inside a class.
  std::optional<std::string> class_escape() {
    for (const std::string_view plain : {"d", "D", "w", "W"}) // ASCII in both dialects
      if (skip(plain)) return "\\" + std::string(plain);
    if (skip("s")) return std::string(kSpace);
    if (skip("S")) return std::string(kNoSpace);
    if (skip("p{")) return property("\\p{");
    if (skip("P{")) return property("\\P{");
    return std::nullopt;
  }

  std::optional<std::string> property(const std::string &escape) {
    const auto end = text_.find('}', at_);
    if (end == std::string_view::npos) return std::nullopt;
    const auto name = pcre2_property(text_.substr(at_, end - at_));
    if (name.empty()) return std::nullopt;
    at_ = end + 1;
    return escape + name + "}";
  }

  // One character, inside a class or outside.
  std::optional<char32_t> character_escape() {
    const char32_t c = next();
    switch (c) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'v': return '\v';
    case 'f': return '\f';
    case 'r': return '\r';
    case 'x': return hex(2);
    case 'u': return unicode_escape();
    case '0': return is_ascii_digit(static_cast<unsigned char>(peek())) ? std::nullopt : std::optional<char32_t>(0);
    case 'c': return control_escape();
    default: break;
    }
    if (is_syntax_character(c) || c == '/') return c;
    return std::nullopt;
  }

  std::optional<char32_t> control_escape() {
    const auto c = static_cast<unsigned char>(peek());
    if (!is_ascii_letter(c)) return std::nullopt;
    ++at_;
    return c % 32;
  }

  // ---------------------------------------------------------------- classes

  struct Member { // of a class: one character, or a set
    std::optional<char32_t> character;
    std::string set;
  };

  std::string character_class() { // after "["
    const bool negated = skip("^");
    std::string members;
    while (!failed_ && !at_end() && peek() != ']')
      members += class_range();
    if (!skip("]")) give_up("a [ that isn't closed");
    if (members.empty()) return negated ? "(?s:.)" : "(?:(?!))";
    return (negated ? "[^" : "[") + members + "]";
  }

  std::string class_range() {
    const Member first = class_member();
    const bool is_range = next_is("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
    if (!is_range) return written(first);
    skip("-");
    const Member last = class_member();
    if (!first.character || !last.character || *first.character > *last.character) {
      give_up("a range that isn't one");
      return {};
    }
    return written(first) + "-" + written(last);
  }

  static std::string written(const Member &member) {
    return member.character ? pcre2_character(*member.character) : member.set;
  }

  Member class_member() {
    const char32_t c = next();
    if (c != '\\') return {c, {}};
    if (skip("b")) return {'\b', {}};
    if (skip("-")) return {'-', {}};
    if (auto set = class_escape()) return {std::nullopt, std::move(*set)};
    const auto escaped = character_escape();
    if (!escaped) give_up("an escape that doesn't exist");
    return {escaped.value_or(0), {}};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
  bool failed_ = false;
  std::string why_;
  bool repeatable_ = false;            // whether a quantifier may follow
  std::optional<std::size_t> atom_at_; // where in out_ it starts, when it isn't a group or a reference
  std::vector<GroupKind> groups_;
  std::uint32_t group_count_ = 0;
  std::uint32_t groups_seen_ = 0;
  std::map<std::string, std::uint32_t> group_names_;
  std::vector<std::pair<std::size_t, std::string>> named_references_; // place in out_
};

} // namespace

Result<std::string> pcre2_from_ecmascript(std::string_view pattern) {
  return Translator(pattern).translate();
}

} // namespace trellis::schema
