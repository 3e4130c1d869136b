#include "wire/xkey.h"

#include "wire/sodium_ready.h"
#include <algorithm>
#include <sodium.h>

namespace trellis {
namespace {

constexpr std::string_view kMagic = "xkv1";
constexpr std::size_t kHeaderSize = 4 + 24; // magic, nonce
static_assert(std::tuple_size_v<XkeyNonce> == crypto_box_NONCEBYTES);

tl::unexpected<Error> not_curve(const NkeySeed &seed) {
  return fail("nkey_type", seed.public_text(), "the key can't seal or open payloads", "a curve key, X...");
}

tl::unexpected<Error> invalid(std::string message) {
  return fail("xkey_invalid", {}, std::move(message), "a payload sealed as xkv1 by an X... key");
}

tl::unexpected<Error> failed() {
  return fail("xkey_failed", {}, "the sealed payload is damaged or meant for another key");
}

bool has_magic(ByteView sealed) {
  return as_text(sealed.first(kMagic.size())) == kMagic;
}

} // namespace

Result<Bytes> xkey_seal(const NkeySeed &sender, std::string_view recipient_public, ByteView plaintext) {
  ensure_sodium();
  XkeyNonce nonce;
  randombytes_buf(nonce.data(), nonce.size());
  return xkey_seal(sender, recipient_public, plaintext, nonce);
}

Result<Bytes> xkey_seal(const NkeySeed &sender, std::string_view recipient_public, ByteView plaintext,
                        const XkeyNonce &nonce) {
  if (sender.type() != NkeyType::curve) return not_curve(sender);
  const auto recipient = decode_nkey(recipient_public, NkeyType::curve);
  if (!recipient) return tl::make_unexpected(recipient.error());
  Bytes sealed(kHeaderSize + crypto_box_MACBYTES + plaintext.size());
  std::copy(kMagic.begin(), kMagic.end(), sealed.begin());
  std::copy(nonce.begin(), nonce.end(), sealed.begin() + kMagic.size());
  const int status = crypto_box_easy(sealed.data() + kHeaderSize, plaintext.data(), plaintext.size(), nonce.data(),
                                     recipient->bytes.data(), sender.raw().data());
  if (status != 0) return fail("nkey_invalid", std::string(recipient_public), "a key that gives no shared secret");
  return sealed;
}

Result<Bytes> xkey_open(const NkeySeed &recipient, std::string_view sender_public, ByteView sealed) {
  if (recipient.type() != NkeyType::curve) return not_curve(recipient);
  if (sealed.size() <= kHeaderSize) return invalid("the sealed payload is too short");
  if (!has_magic(sealed)) return invalid("the payload is not sealed as xkv1");
  const auto sender = decode_nkey(sender_public, NkeyType::curve);
  if (!sender) return invalid("the sender's key: " + sender.error().message);
  const ByteView nonce = sealed.subspan(kMagic.size(), crypto_box_NONCEBYTES);
  const ByteView box = sealed.subspan(kHeaderSize);
  if (box.size() < crypto_box_MACBYTES) return failed();
  Bytes plaintext(box.size() - crypto_box_MACBYTES);
  const int status = crypto_box_open_easy(plaintext.data(), box.data(), box.size(), nonce.data(), sender->bytes.data(),
                                          recipient.raw().data());
  if (status != 0) return failed();
  return plaintext;
}

} // namespace trellis
