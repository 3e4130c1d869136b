#include "generate/cpp_names.h"

#include "contracts/json_text.h"
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace trellis::generate {
namespace {

constexpr std::array kReserved{
    // keywords
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "compl", "concept", "const",
    "const_cast", "consteval", "constexpr", "constinit", "continue", "decltype", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
    "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
    "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "return", "short", "signed",
    "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local", "throw",
    "true", "try", "typedef", "typeid", "typename", "typeof", "union", "unsigned", "using", "virtual", "void",
    "volatile", "wchar_t", "while", "xor", "xor_eq",
    // macros of compilers and C libraries that are no capitals
    "assert", "bsd", "errno", "hpux", "i386", "linux", "major", "makedev", "minor", "offsetof", "setjmp", "sparc",
    "stderr", "stdin", "stdout", "sun", "unix", "va_arg", "va_copy", "va_end", "va_start", "vax",
    // names that generated code uses inside the scope
    "alternative", "declared_members", "from_json", "in", "out", "read_json", "std", "to_json", "trellis",
    "write_json"};

// Functions of the C library that no namespace can share its name with.
constexpr std::array kGlobalFunctions{
    "abort",   "abs",     "accept",    "access",   "acct",    "alarm",     "atoi",        "basename", "bind",
    "brk",     "calloc",  "ceil",      "chdir",    "clock",   "clone",     "close",       "connect",  "cos",
    "daemon",  "dirname", "div",       "dup",      "encrypt", "environ",   "err",         "error",    "exec",
    "exit",    "exp",     "fabs",      "floor",    "fork",    "free",      "gamma",       "getenv",   "getline",
    "glob",    "hypot",   "index",     "insque",   "ioctl",   "isalpha",   "isatty",      "j0",       "j1",
    "jn",      "kill",    "labs",      "ldiv",     "link",    "listen",    "log",         "lseek",    "main",
    "malloc",  "mount",   "nice",      "open",     "pause",   "perror",    "personality", "pipe",     "poll",
    "pow",     "printf",  "profil",    "ptrace",   "putenv",  "puts",      "qsort",       "raise",    "rand",
    "random",  "read",    "readahead", "reboot",   "recv",    "remainder", "remove",      "rename",   "round",
    "scandir", "select",  "send",      "shutdown", "signal",  "sin",       "sleep",       "socket",   "splice",
    "sqrt",    "stat",    "statfs",    "strdup",   "strlen",  "swab",      "sync",        "syscall",  "syslog",
    "system",  "tan",     "tee",       "tempnam",  "time",    "times",     "trunc",       "truncate", "ulimit",
    "umount",  "uname",   "unlink",    "usleep",   "utime",   "vfork",     "wait",        "warn",     "write",
    "y0",      "y1",      "yn"};

template <std::size_t N>
bool is_in(const std::array<const char *, N> &list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}
char upper(char c) {
  return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
}

// The code point of the sequence of `size` bytes at `at`; a lone byte stands for itself.
std::uint32_t code_point(std::string_view text, std::size_t at, std::size_t size) {
  constexpr std::array<std::uint32_t, 5> kLeadBits{0, 0xFF, 0x1F, 0x0F, 0x07};
  std::uint32_t out = static_cast<std::uint8_t>(text[at]) & kLeadBits[size];
  for (std::size_t i = 1; i < size; ++i)
    out = (out << 6) | (static_cast<std::uint8_t>(text[at + i]) & 0x3FU);
  return out;
}

std::size_t character_size(std::string_view text, std::size_t at) {
  const auto size = utf8_sequence(text, at);
  return size > 0 ? size : std::max<std::size_t>(surrogate_sequence(text, at), 1);
}

std::string hex_word(std::uint32_t code) {
  char digits[8];
  const auto end = std::to_chars(digits, digits + sizeof digits, code, 16).ptr;
  return "u" + std::string(digits, end);
}

std::string usable(std::string name) {
  if (is_digit(name[0])) name.insert(0, "x");
  return is_in(kReserved, name) ? name + "_" : name;
}

// Bidirectional controls change how the code around them looks; compilers warn about them.
bool is_harmful(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200B && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

void append_octal(std::string &out, std::string_view bytes) {
  for (const char byte : bytes) {
    const auto value = static_cast<std::uint8_t>(byte);
    out += '\\';
    for (const int shift : {6, 3, 0})
      out += static_cast<char>('0' + ((value >> shift) & 7));
  }
}

} // namespace

std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (std::size_t i = 0; i < name.size();) {
    const char c = name[i];
    const auto size = character_size(name, i);
    if (static_cast<std::uint8_t>(c) >= 0x80) {
      end_word();
      words.push_back(hex_word(code_point(name, i, size)));
    } else if (is_upper(c) || is_lower(c) || is_digit(c)) {
      const bool after_lower = !word.empty() && !is_upper(name[i - 1]);
      const bool before_lower = i + 1 < name.size() && is_lower(name[i + 1]);
      if (is_upper(c) && !word.empty() && (after_lower || before_lower)) end_word();
      word += lower(c);
    } else {
      end_word();
    }
    i += size;
  }
  end_word();
  if (!words.empty()) return words;
  for (const char c : name) // "<=" and the like
    words.push_back(hex_word(static_cast<std::uint8_t>(c)));
  if (words.empty()) words.emplace_back("empty");
  return words;
}

std::string snake_case(std::string_view name) {
  std::string out;
  for (const auto &word : words_of(name))
    out += (out.empty() ? "" : "_") + word;
  return usable(std::move(out));
}

std::string pascal_case(std::string_view name) {
  const bool is_ready =
      !name.empty() && is_upper(name[0]) && std::any_of(name.begin(), name.end(), is_lower) &&
      std::all_of(name.begin(), name.end(), [](char c) { return is_upper(c) || is_lower(c) || is_digit(c); });
  if (is_ready) return std::string(name);
  std::string out;
  for (auto word : words_of(name)) {
    word[0] = upper(word[0]);
    out += word;
  }
  return is_digit(out[0]) ? "X" + out : out;
}

std::string constant_name(std::string_view name) {
  return "k" + pascal_case(name);
}

std::string CppScope::add(const std::string &name) {
  if (taken_.insert(name).second) return name;
  const bool needs_space = is_digit(name.back()) || name.find('_') != std::string::npos || is_lower(name[0]);
  auto &number = numbers_.try_emplace(name, 1).first->second;
  std::string out;
  do
    out = name + (needs_space ? "_" : "") + std::to_string(++number);
  while (!taken_.insert(out).second);
  return out;
}

std::string cpp_namespace(std::string_view contract_id) {
  const auto at = contract_id.rfind('@');
  std::string out;
  for (std::string_view rest = contract_id.substr(0, at);;) {
    const auto dot = rest.find('.');
    auto name = snake_case(rest.substr(0, dot));
    if (out.empty() && is_in(kGlobalFunctions, name)) name += "_";
    out += (out.empty() ? "" : "::") + name;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (at == std::string_view::npos) return out;
  return out + "::inline " + snake_case(contract_id.substr(at + 1));
}

std::string file_stem(std::string_view contract_id) {
  std::string out;
  for (const auto &word : words_of(contract_id.substr(0, contract_id.rfind('@'))))
    out += (out.empty() ? "" : "_") + word;
  return out;
}

std::string cpp_literal(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto size = character_size(text, i);
    const bool is_valid = utf8_sequence(text, i) > 0;
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c == '?' && out.back() == '?')
      out += "\\?"; // no trigraph
    else if (!is_valid || is_harmful(code_point(text, i, size)))
      append_octal(out, text.substr(i, size));
    else
      out += text.substr(i, size);
    i += size;
  }
  out += '"';
  if (text.find('\0') == std::string_view::npos) return out;
  return "std::string_view(" + out + ", " + std::to_string(text.size()) + ")";
}

std::string comment_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto size = character_size(text, i);
    const bool is_space = text[i] == '\n' || text[i] == '\t' || text[i] == '\r' || text[i] == ' ';
    if (is_space)
      out += out.empty() || out.back() == ' ' ? "" : " ";
    else if (utf8_sequence(text, i) == 0 || is_harmful(code_point(text, i, size)))
      out += '?';
    else
      out += text.substr(i, size);
    i += size;
  }
  while (!out.empty() && out.back() == ' ')
    out.pop_back();
  return out;
}

std::string cpp_comment(std::string_view text, std::string_view indent) {
  constexpr std::size_t kWidth = 120;
  const std::string clean = comment_text(text);
  std::string out, line;
  const auto end_line = [&] {
    if (line.empty()) return;
    // A backslash, or ??/ where that is one, would continue the comment.
    if (line.back() == '\\' || line.ends_with("?\?/")) line += '.';
    out += std::string(indent) + "// " + line + "\n";
    line.clear();
  };
  for (std::size_t i = 0; i < clean.size();) {
    const auto end = std::min(clean.find(' ', i), clean.size());
    const auto word = clean.substr(i, end - i);
    i = end + 1;
    if (!line.empty() && indent.size() + 3 + line.size() + 1 + word.size() > kWidth) end_line();
    line += (line.empty() ? "" : " ") + word;
  }
  end_line();
  return out;
}

} // namespace trellis::generate
