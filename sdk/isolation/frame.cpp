#include "isolation/frame.h"

#include <cstring>

namespace trellis::isolation {
namespace {

template <class T>
void put(std::string &out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

// Reads values one after the other; `ok` turns false at the first that isn't there.
struct Cursor {
  std::span<const char> left;
  bool ok = true;

  template <class T>
  T take() {
    T value{};
    if (left.size() < sizeof value) {
      ok = false;
      return value;
    }
    std::memcpy(&value, left.data(), sizeof value);
    left = left.subspan(sizeof value);
    return value;
  }
  std::string_view take_text() {
    const auto size = take<std::uint32_t>();
    if (!ok || left.size() < size) {
      ok = false;
      return {};
    }
    const std::string_view text(left.data(), size);
    left = left.subspan(size);
    return text;
  }
};

} // namespace

std::string encode_frame(const Frame &frame) {
  std::size_t size = kFrameFixed + frame.numbers.size() * sizeof(std::uint64_t);
  for (const auto text : frame.texts) {
    if (text.size() > kMaxFrameBytes) return {}; // a plugin's struct may say anything
    size += sizeof(std::uint32_t) + text.size();
  }
  if (size > kMaxFrameBytes || frame.numbers.size() > kMaxFrameNumbers || frame.texts.size() > kMaxFrameTexts)
    return {};
  std::string out;
  out.reserve(kFrameHead + size);
  put(out, static_cast<std::uint32_t>(size));
  put(out, kFrameVersion);
  put(out, static_cast<std::uint8_t>(frame.kind));
  put(out, static_cast<std::uint16_t>(frame.numbers.size()));
  put(out, static_cast<std::uint32_t>(frame.texts.size()));
  put(out, frame.id);
  for (const auto number : frame.numbers)
    put(out, number);
  for (const auto text : frame.texts) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out.append(text);
  }
  return out;
}

std::optional<Frame> decode_frame(std::span<const char> body) {
  Cursor cursor{body};
  Frame frame;
  const auto version = cursor.take<std::uint8_t>();
  frame.kind = static_cast<FrameKind>(cursor.take<std::uint8_t>());
  const auto numbers = cursor.take<std::uint16_t>();
  const auto texts = cursor.take<std::uint32_t>();
  frame.id = cursor.take<std::uint64_t>();
  // What is counted has to be there before anything is reserved for it.
  if (!cursor.ok || version != kFrameVersion || numbers > kMaxFrameNumbers || texts > kMaxFrameTexts ||
      cursor.left.size() < numbers * sizeof(std::uint64_t) + texts * sizeof(std::uint32_t))
    return std::nullopt;
  frame.numbers.reserve(numbers);
  for (std::size_t i = 0; i < numbers; ++i)
    frame.numbers.push_back(cursor.take<std::uint64_t>());
  frame.texts.reserve(texts);
  for (std::size_t i = 0; i < texts && cursor.ok; ++i)
    frame.texts.push_back(cursor.take_text());
  if (!cursor.ok || !cursor.left.empty()) return std::nullopt;
  return frame;
}

bool FrameReader::add(std::span<const char> bytes) {
  if (malformed_) return false;
  if (begin_ > 0 && (begin_ == waiting_.size() || begin_ > waiting_.size() / 2)) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
  waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
  return true;
}

std::optional<ReceivedFrame> FrameReader::next() {
  const auto have = waiting_.size() - begin_;
  if (malformed_ || have < kFrameHead) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, waiting_.data() + begin_, sizeof size);
  if (size < kFrameFixed || size > kMaxFrameBytes) {
    malformed_ = true;
    return std::nullopt;
  }
  if (have < kFrameHead + size) return std::nullopt;
  const auto from = waiting_.begin() + static_cast<std::ptrdiff_t>(begin_ + kFrameHead);
  ReceivedFrame out{std::vector<char>(from, from + size), {}};
  begin_ += kFrameHead + size;
  auto frame = decode_frame(out.bytes);
  if (!frame) {
    malformed_ = true;
    return std::nullopt;
  }
  out.frame = std::move(*frame);
  return out;
}

} // namespace trellis::isolation
