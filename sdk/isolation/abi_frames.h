// Values of the plugin ABI in frames: read as far as their size covers, as on every side of the ABI.
#pragma once

#include "isolation/frame.h"
#include "wire/secret.h"
#include <string>
#include <string_view>
#include <trellis/plugin.h>
#include <utility>

namespace trellis::isolation {

inline std::string_view view(trellis_str text) {
  return text.data && text.size > 0 ? std::string_view{text.data, text.size} : std::string_view{};
}
inline trellis_str str(std::string_view text) {
  return {text.data(), text.size()};
}
inline bool is_text(trellis_str text) {
  return text.size == 0 || text.data != nullptr;
}

// An error that has to live longer than the call that reported it.
struct KeptError {
  bool reported = false;
  std::string type, message, context, fields;

  trellis_error_sink sink(); // keeps the last one
  // "type: message", or `otherwise`.
  std::string text(std::string_view otherwise) const;
};
KeptError keep_error(const trellis_error *error);
// The error whose texts begin at `first`; its views live as long as `frame`.
trellis_error error_at(const Frame &frame, std::size_t first);
void report(trellis_error_sink sink, const trellis_error &error);
void report(trellis_error_sink sink, std::string_view message); // an UnexpectedError
void write(trellis_sink sink, std::string_view data);

// Appends everything that is written to it.
trellis_sink string_sink(std::string &into);

// The same for a secret, one piece or many: none of them is left elsewhere.
class SecretParts {
public:
  trellis_sink sink();
  SecretText take() { return std::move(whole_); }

private:
  SecretText whole_;
};

void add_error(Frame &frame, const trellis_error *error);
// An answer to the question `id`. `output` and `error` live as long as the frame.
Frame answer_frame(std::uint64_t id, trellis_status status, std::string_view output = {},
                   const KeptError *error = nullptr);
// What an answer says, delivered to the sinks of the function that asked.
trellis_status deliver_answer(const Frame &answer, trellis_sink output, trellis_error_sink error);

} // namespace trellis::isolation
