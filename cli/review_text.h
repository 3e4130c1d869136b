// Text for people to decide by, with words from contracts that nobody has approved yet.
//
// Those words may try to look like ours: line ends that fake a heading, codes that move the cursor, marks that turn the
// direction of reading around. None of them gets through: foreign text is always indented, and unusual characters
// become "?".
#pragma once

#include <string>
#include <string_view>

namespace trellis::cli {

// Control characters (line ends too), direction marks and invisible characters become "?"; the rest stays.
std::string one_line(std::string_view text);

class ReviewText {
public:
  explicit ReviewText(bool colour) : colour_(colour) {}

  void heading(std::string_view text);
  // "name       value"
  void fact(std::string_view name, std::string_view value);
  void item(std::string_view text, int level = 1);
  // Wrapped at words; line ends of `text` start a new line at the same indent.
  void paragraph(std::string_view text, int level = 1);
  std::string str() const { return out_; }

private:
  bool colour_;
  std::string out_;
};

} // namespace trellis::cli
