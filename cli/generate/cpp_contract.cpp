// STEM_contract.cpp: the contract's text in section .trellis.contract.
#include "generate/cpp_model.h"

#include "contracts/json_text.h"
#include <algorithm>

namespace trellis::generate {
namespace {

// Characters that would make the source look like something else, as JSON escapes; all of them in the basic plane.
std::string without_harmful(const std::string &json) {
  std::string out;
  for (std::size_t i = 0; i < json.size();) {
    const auto size = std::max<std::size_t>(utf8_sequence(json, i), 1);
    const auto character = std::string_view(json).substr(i, size);
    const bool is_control = size == 2 && character[0] == '\xC2' && static_cast<unsigned char>(character[1]) < 0xA0;
    const bool is_format =
        character.starts_with("\xE2\x80") || character.starts_with("\xE2\x81") || character == "\xEF\xBB\xBF";
    if (character == "\x7F") {
      out += "\\u007f";
    } else if (is_control || is_format) {
      constexpr char kHex[] = "0123456789abcdef";
      unsigned code = static_cast<unsigned char>(character[0]) & (size == 2 ? 0x1FU : 0x0FU);
      for (std::size_t k = 1; k < size; ++k)
        code = (code << 6U) | (static_cast<unsigned char>(character[k]) & 0x3FU);
      out += "\\u";
      for (const unsigned shift : {12U, 8U, 4U, 0U})
        out += kHex[(code >> shift) & 0xFU];
    } else {
      out += character;
    }
    i += size;
  }
  return out;
}

// Line ends after commas between members and items, so that lines stay readable.
std::string in_lines(const std::string &json) {
  constexpr std::size_t kWidth = 100;
  std::string out;
  std::size_t column = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    out += c;
    ++column;
    if (in_string && c == '\\') {
      out += json[++i];
      ++column;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (c == ',' && !in_string && column > kWidth) {
      out += '\n';
      column = 0;
    }
  }
  return out;
}

// A delimiter that doesn't end the text early.
std::string delimiter_for(const std::string &text) {
  std::string out = "json";
  for (int number = 2; text.find(")" + out + "\"") != std::string::npos; ++number)
    out = "json" + std::to_string(number);
  return out;
}

} // namespace

std::string contract_source(const CppModel &model) {
  const auto text = in_lines(without_harmful(model.model.contract));
  const auto delimiter = delimiter_for(text);
  // C++ asks compilers for 65536 characters in a literal; GCC and Clang take any number.
  const bool is_long = text.size() >= 65536;
  return file_header(model, "its text, where a host looks for it.") + "#include \"" + model.stem +
         ".h\"\n\n#include <trellis/plugin.h>\n\n" +
         (is_long ? "#ifdef __clang__\n#pragma clang diagnostic ignored \"-Woverlength-strings\"\n#endif\n\n" : "") +
         "namespace " + model.name_space + " {\nnamespace {\n\n" +
         "__attribute__((section(\".trellis.contract\"), used TRELLIS_RETAIN)) const char kContract[] = R\"" +
         delimiter + "(" + text + ")" + delimiter + "\";\n\n} // namespace\n\nstd::string_view contract_text() {\n" +
         "  return {kContract, sizeof kContract - 1};\n}\n\n} // namespace " + model.name_space + "\n";
}

} // namespace trellis::generate
