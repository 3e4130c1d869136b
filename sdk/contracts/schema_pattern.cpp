#define PCRE2_CODE_UNIT_WIDTH 8
#include "contracts/schema_pattern.h"
#include "contracts/schema_regex.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <pcre2.h>
#include <string>

namespace trellis::schema {
namespace {

// The limits of one search: more than what backtracks reasonably needs, like (a|b)* over any text.
constexpr std::size_t kSteps = 100'000;
constexpr std::size_t kStepsPerByte = 16;
constexpr std::int64_t kNanoseconds = 20'000'000;
constexpr std::int64_t kNanosecondsPerByte = 2'000;
constexpr std::uint32_t kMaxHeapKib = 64 * 1024; // for backtracking, when the stack isn't enough

std::int64_t processor_nanoseconds() { // of this thread
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Ends a search at one of its callouts. Between two of them lies work in the order of the text's size, so the clock is
// read once for so many callouts that they may have looked at a megabyte: short searches never read it. In a long text
// most callouts look at little, and one reading for each would cost more than the search: there it is one for some
// dozens, which at their worst overdraw the limit by a small part of it.
class Stopwatch {
public:
  explicit Stopwatch(std::size_t text_size) : text_size_(text_size) {}

  static int at_callout(pcre2_callout_block *, void *self) {
    return static_cast<Stopwatch *>(self)->is_over() ? PCRE2_ERROR_CALLOUT : 0;
  }

private:
  bool is_over() {
    looked_at_ += text_size_ + kCallout;
    if (looked_at_ < kBytesPerReading + kCalloutsPerReading * text_size_) return false;
    looked_at_ = 0;
    const std::int64_t now = processor_nanoseconds();
    if (started_ == 0) started_ = now;
    return now - started_ > kNanoseconds + kNanosecondsPerByte * static_cast<std::int64_t>(text_size_);
  }

  static constexpr std::size_t kBytesPerReading = std::size_t{1} << 20;
  static constexpr std::size_t kCalloutsPerReading = 64;
  static constexpr std::size_t kCallout = 64; // what a callout itself costs, in bytes looked at
  std::size_t text_size_;
  std::size_t looked_at_ = 0;
  std::int64_t started_ = 0;
};

// The memory of one search: PCRE2's contexts, its match data and, without JIT, its first backtracking frames (20 KiB).
class SearchMemory {
public:
  static void *allocate(std::size_t size, void *self) { return static_cast<SearchMemory *>(self)->allocate(size); }
  static void release(void *block, void *self) { static_cast<SearchMemory *>(self)->release(block); }

private:
  void *allocate(std::size_t size) {
    const std::size_t rounded = (size + kAlignment - 1) / kAlignment * kAlignment;
    if (rounded < size || rounded > bytes_.size() - used_) return std::malloc(size);
    void *block = bytes_.data() + used_;
    used_ += rounded;
    return block;
  }
  void release(void *block) { // what is ours stays until the end of the search
    auto *at = static_cast<std::byte *>(block);
    if (at < bytes_.data() || at >= bytes_.data() + bytes_.size()) std::free(block);
  }

  static constexpr std::size_t kAlignment = alignof(std::max_align_t);
  alignas(kAlignment) std::array<std::byte, std::size_t{24} * 1024> bytes_; // uninitialized on purpose
  std::size_t used_ = 0;
};

class Search {
public:
  explicit Search(const pcre2_code *code) : code_(code) {
    general_ = pcre2_general_context_create(SearchMemory::allocate, SearchMemory::release, &memory_);
    if (!general_) return;
    context_ = pcre2_match_context_create(general_);
    match_ = pcre2_match_data_create(1, general_);
  }
  ~Search() {
    pcre2_match_data_free(match_);
    pcre2_match_context_free(context_);
    pcre2_general_context_free(general_);
  }
  Search(const Search &) = delete;
  Search &operator=(const Search &) = delete;

  int run(std::string_view text, std::uint32_t options) {
    if (!context_ || !match_) return PCRE2_ERROR_NOMEMORY;
    const std::size_t steps = kSteps + kStepsPerByte * text.size();
    pcre2_set_match_limit(context_, static_cast<std::uint32_t>(std::min<std::size_t>(steps, UINT32_MAX)));
    pcre2_set_heap_limit(context_, kMaxHeapKib);
    Stopwatch stopwatch(text.size());
    pcre2_set_callout(context_, Stopwatch::at_callout, &stopwatch);
    const auto *bytes = reinterpret_cast<PCRE2_SPTR>(text.data() ? text.data() : "");
    return pcre2_match(code_, bytes, text.size(), 0, options, match_, context_);
  }

private:
  SearchMemory memory_;
  const pcre2_code *code_;
  pcre2_general_context *general_ = nullptr;
  pcre2_match_context *context_ = nullptr;
  pcre2_match_data *match_ = nullptr;
};

bool is_ascii(std::string_view text) {
  unsigned char bits = 0;
  for (const char c : text)
    bits |= static_cast<unsigned char>(c);
  return bits < 0x80;
}

// UTF-8 in which each surrogate may stand alone, as parse_json keeps it. PCRE2 steps through that, but its own check
// of the text refuses it.
bool is_utf8_with_surrogates(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    const auto second = size > 2 ? static_cast<unsigned char>(text[i + 1]) : 0x80;
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
      return false;
    i += size;
  }
  return true;
}

bool is_utf_error(int result) {
  return result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21;
}

struct FreeContext {
  void operator()(pcre2_compile_context *context) const { pcre2_compile_context_free(context); }
};

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char *>(text.data());
}

Result<pcre2_code *> compile_text(const std::string &text) {
  const std::unique_ptr<pcre2_compile_context, FreeContext> context(pcre2_compile_context_create(nullptr));
  pcre2_set_compile_extra_options(context.get(), PCRE2_EXTRA_ALLOW_SURROGATE_ESCAPES);
  int error = 0;
  std::size_t offset = 0;
  auto *code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                             PCRE2_UTF | PCRE2_MATCH_UNSET_BACKREF, &error, &offset, context.get());
  if (!code) return fail("schema_pattern", {}, "a pattern that can't be used: " + message_of(error));
  return code;
}

bool is_anchored(const pcre2_code *code) {
  std::uint32_t options = 0;
  pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
  return (options & PCRE2_ANCHORED) != 0;
}

} // namespace

void Pattern::Free::operator()(pcre2_real_code_8 *code) const {
  pcre2_code_free(code);
}

Result<Pattern> Pattern::compile(std::string_view ecmascript) {
  const auto text = pcre2_from_ecmascript(ecmascript);
  if (!text) return tl::unexpected(text.error());
  auto compiled = compile_text(*text);
  if (!compiled) return tl::unexpected(std::move(compiled.error()));
  Code code(*compiled);
  if (!is_anchored(code.get())) {
    // PCRE2 gives each start of a search all its steps anew. With the way to the start as a part of the pattern, all
    // starts share them; and the clock can be read at each.
    auto searching = compile_text("\\A(?s:.*?)(?C)(?:" + *text + ")");
    if (!searching) return tl::unexpected(std::move(searching.error()));
    code.reset(*searching);
  }
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE); // where it isn't possible, the interpreter does the same
  return Pattern(std::move(code));
}

bool Pattern::found_in(std::string_view text) const {
  Search search(code_.get());
  std::uint32_t options = is_ascii(text) ? PCRE2_NO_UTF_CHECK : 0; // its check takes as long as a short search
  int result = search.run(text, options);
  if (is_utf_error(result)) {
    if (!is_utf8_with_surrogates(text)) return false;
    options |= PCRE2_NO_UTF_CHECK;
    result = search.run(text, options);
  }
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = search.run(text, options | PCRE2_NO_JIT);
  return result >= 0;
}

} // namespace trellis::schema
