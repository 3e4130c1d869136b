#include "json_duplicates.h"

#include "contracts/json.h"
#include <rapidjson/document.h>
#include <unordered_map>

namespace trellis::cli {
namespace {

// An object or array that the scanner is inside of.
struct Frame {
  bool is_object = false;
  std::size_t index = 0;                              // of an array's item
  std::string name;                                   // of an object's member
  std::unordered_map<std::string, std::size_t> names; // how often each was seen
};

class Scanner {
public:
  Scanner(std::string_view text, std::size_t most) : text_(text), most_(most) {}

  std::vector<std::string> run() {
    while (at_ < text_.size() && found_.size() < most_) {
      const char c = text_[at_];
      if (c == '"') {
        string();
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') open(c == '{');
      if ((c == '}' || c == ']') && !frames_.empty()) frames_.pop_back();
      if (c == ',') next();
    }
    return std::move(found_);
  }

private:
  void open(bool is_object) {
    frames_.emplace_back().is_object = is_object;
    expects_name_ = is_object;
  }
  void next() {
    if (frames_.empty()) return;
    ++frames_.back().index;
    expects_name_ = frames_.back().is_object;
  }

  void string() {
    const auto start = at_;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
    if (!expects_name_ || frames_.empty()) return;
    expects_name_ = false;
    frames_.back().name = meaning(text_.substr(start, at_ - start));
    if (++frames_.back().names[frames_.back().name] == 2) found_.push_back(pointer());
  }

  // What a string token with its quotes stands for.
  static std::string meaning(std::string_view token) {
    if (token.size() >= 2 && token.find('\\') == std::string_view::npos)
      return std::string(token.substr(1, token.size() - 2));
    const auto parsed = parse_json(token);
    return parsed ? std::string(text_of(*parsed)) : std::string(token);
  }

  std::string pointer() const {
    std::string out;
    for (const auto &frame : frames_)
      out += json_pointer(frame.is_object ? frame.name : std::to_string(frame.index));
    return out;
  }

  std::string_view text_;
  std::size_t most_;
  std::size_t at_ = 0;
  bool expects_name_ = false;
  std::vector<Frame> frames_;
  std::vector<std::string> found_;
};

} // namespace

std::vector<std::string> duplicate_members(std::string_view text, std::size_t most) {
  return Scanner(text, most).run();
}

} // namespace trellis::cli
