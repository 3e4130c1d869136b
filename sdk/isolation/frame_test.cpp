#include "isolation/frame.h"

#include <catch2/catch_test_macros.hpp>
#include <cstring>

using namespace trellis::isolation;

namespace {

std::string encoded() {
  return encode_frame({FrameKind::rpc, 77, {1, ~std::uint64_t{0}}, {"Echo.Say", "", R"({"a":1})"}});
}

std::span<const char> body(const std::string &bytes) {
  return {bytes.data() + kFrameHead, bytes.size() - kFrameHead};
}

} // namespace

TEST_CASE("a frame reads back as it was written") {
  const auto bytes = encoded();
  const auto frame = decode_frame(body(bytes));
  REQUIRE(frame);
  CHECK(frame->kind == FrameKind::rpc);
  CHECK(frame->id == 77);
  CHECK(frame->numbers == std::vector<std::uint64_t>{1, ~std::uint64_t{0}});
  CHECK(frame->texts == std::vector<std::string_view>{"Echo.Say", "", R"({"a":1})"});
}

TEST_CASE("what a frame doesn't hold reads as nothing") {
  const Frame frame{FrameKind::answer, 1, {5}, {"x"}};
  CHECK(frame.number(1) == 0);
  CHECK(frame.text(1).empty());
}

TEST_CASE("a frame cut anywhere, or with bytes too many, is malformed") {
  const auto bytes = encoded();
  const auto whole = body(bytes);
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(!decode_frame(whole.first(size)));
  const std::string longer = bytes + "x";
  CHECK(!decode_frame(body(longer)));
}

TEST_CASE("counts and lengths that the frame can't hold are malformed, and nothing is reserved for them") {
  auto bytes = encoded();
  const std::uint32_t many = 0xFFFFFFFF;
  std::memcpy(bytes.data() + kFrameHead + 4, &many, sizeof many); // texts
  CHECK(!decode_frame(body(bytes)));
  bytes = encoded();
  bytes[kFrameHead] = 2; // version
  CHECK(!decode_frame(body(bytes)));
}

TEST_CASE("a stream is cut into its frames, whatever the pieces it comes in") {
  const auto bytes = encoded() + encode_frame({FrameKind::ping, 2, {}, {}}) + encoded();
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameReader reader;
    std::vector<std::uint64_t> ids;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
      while (const auto frame = reader.next())
        ids.push_back(frame->frame.id);
    }
    CHECK(ids == std::vector<std::uint64_t>{77, 2, 77});
  }
}

TEST_CASE("a length beyond the limit ends the stream before its bytes arrive") {
  FrameReader reader;
  const std::uint32_t size = kMaxFrameBytes + 1;
  char head[sizeof size];
  std::memcpy(head, &size, sizeof size);
  reader.add(head);
  CHECK(!reader.next());
  CHECK(reader.malformed());
  CHECK(!reader.add(head));
}

TEST_CASE("a frame beyond the limits isn't written") {
  CHECK(encode_frame({FrameKind::log, 0, std::vector<std::uint64_t>(kMaxFrameNumbers + 1), {}}).empty());
  CHECK(encode_frame({FrameKind::log, 0, {}, std::vector<std::string_view>(kMaxFrameTexts + 1)}).empty());
  const std::string large(kMaxFrameBytes, 'x');
  CHECK(encode_frame({FrameKind::log, 0, {}, {large}}).empty());
}
