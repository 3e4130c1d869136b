#include "wire/credentials.h"

#include <algorithm>

namespace trellis {
namespace {

constexpr std::string_view kBeginJwt = "-----BEGIN NATS USER JWT-----";
constexpr std::string_view kEndJwt = "------END NATS USER JWT------";
constexpr std::string_view kBeginSeed = "-----BEGIN USER NKEY SEED-----";
constexpr std::string_view kEndSeed = "------END USER NKEY SEED------";
constexpr std::size_t kMaxSize = 64 << 10; // real files have one or two KiB
constexpr std::string_view kWarning = "************************* IMPORTANT *************************\n"
                                      "NKEY Seed printed below can be used to sign and prove identity.\n"
                                      "NKEYs are sensitive and should be treated as secrets.\n";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(kWhiteSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhiteSpace) - first + 1);
}

// Where the line that holds exactly `mark` starts at or after `from`, or npos. White space around it is ignored.
std::size_t find_line(std::string_view text, std::string_view mark, std::size_t from) {
  for (auto at = text.find(mark, from); at != std::string_view::npos; at = text.find(mark, at + 1)) {
    const auto line_start = at == 0 ? 0 : text.rfind('\n', at - 1) + 1; // npos + 1 = 0: the first line
    const auto line_end = std::min(text.find('\n', at), text.size());
    if (trimmed(text.substr(line_start, line_end - line_start)) == mark) return at;
  }
  return std::string_view::npos;
}

// What stands between the two lines; empty when a line is missing or nothing stands there.
std::string_view block(std::string_view text, std::string_view begin, std::string_view end) {
  const auto start = find_line(text, begin, 0);
  if (start == std::string_view::npos) return {};
  const auto value = start + begin.size();
  const auto stop = find_line(text, end, value);
  if (stop == std::string_view::npos) return {};
  return trimmed(text.substr(value, stop - value));
}

// A JWT has no white space inside; something else in the block means a damaged file.
bool is_one_word(std::string_view text) {
  return text.find_first_of(" \t\r\n\v\f") == std::string_view::npos;
}

tl::unexpected<Error> missing(std::string_view begin) {
  return fail("credentials_invalid", std::string(begin), "the credentials lack this block",
              "a NATS credentials file with a user JWT and a user nkey seed");
}

} // namespace

Result<NatsCredentials> parse_credentials(std::string_view text) {
  if (text.size() > kMaxSize) return fail("credentials_invalid", {}, "the file is too large for NATS credentials");
  const auto jwt = block(text, kBeginJwt, kEndJwt);
  if (jwt.empty() || !is_one_word(jwt)) return missing(kBeginJwt);
  const auto seed_text = block(text, kBeginSeed, kEndSeed);
  if (seed_text.empty()) return missing(kBeginSeed);
  auto seed = NkeySeed::parse(seed_text, NkeyType::user);
  if (!seed) return tl::make_unexpected(std::move(seed.error()));
  return NatsCredentials{std::string(jwt), std::move(*seed)};
}

SecretText format_credentials(const NatsCredentials &credentials) {
  const SecretText seed = credentials.seed.text();
  std::string out;
  out.reserve(512 + credentials.jwt.size()); // one allocation: a grown string would leave the seed behind
  out.append(kBeginJwt).append("\n").append(credentials.jwt).append("\n").append(kEndJwt).append("\n\n");
  out.append(kWarning).append("\n");
  out.append(kBeginSeed).append("\n").append(seed.reveal()).append("\n").append(kEndSeed).append("\n");
  return SecretText(std::move(out));
}

} // namespace trellis
