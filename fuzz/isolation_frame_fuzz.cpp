// Frames that an isolated plugin's process sends, in pieces of any size: nothing is read beyond them, what is whole
// reads back the same, and a crash area holds whatever it likes.

#include "isolation/crash_area.h"
#include "isolation/frame.h"
#include "require.h"

#include <algorithm>
#include <cstring>
#include <memory>

using trellis::fuzz::require;
using namespace trellis::isolation;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const auto *bytes = reinterpret_cast<const char *>(data);
  if (const auto frame = decode_frame({bytes, size})) {
    const auto again = encode_frame(*frame);
    require(again.size() == size + kFrameHead);
    require(std::memcmp(again.data() + kFrameHead, bytes, size) == 0);
  }

  FrameReader reader;
  const std::size_t piece = size > 0 ? data[0] % 7 + 1U : 1U;
  for (std::size_t at = 0; at < size; at += piece) {
    reader.add({bytes + at, std::min(piece, size - at)});
    while (const auto frame = reader.next()) {
      std::size_t total = 0;
      for (const auto text : frame->frame.texts)
        total += text.size();
      require(total <= frame->bytes.size());
      require(frame->frame.text(frame->frame.texts.size()).empty());
    }
  }

  const auto area = std::make_unique<CrashArea>();
  std::memcpy(static_cast<void *>(area.get()), data, std::min(size, sizeof *area));
  if (const auto facts = crash_facts(*area)) require(facts->backtrace.size() <= CrashArea::kFrames);
  return 0;
}
