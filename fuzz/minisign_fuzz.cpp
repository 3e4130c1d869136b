// Signatures and public keys in minisign's text form. What parses has one text: written again it is the same, up to the
// untrusted comment and line ends. And nothing that a fuzzer invents is a signature by a key that it doesn't have.

#include "artifact/trust_minisign.h"
#include "require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  using namespace trellis;
  const auto text = as_text({data, size});
  if (const auto signer = parse_signer(text))
    fuzz::require(format_signer(signer->id, signer->key) == text && signer->text == text);
  const auto parsed = parse_minisign(text);
  if (!parsed) {
    fuzz::require(parsed.error().code == "signature_malformed" && !parsed.error().where.empty());
    return 0;
  }
  const auto written = format_minisign(*parsed, "again");
  const auto again = parse_minisign(written);
  fuzz::require(again && format_minisign(*again, "again") == written);

  auto signer = parse_signer("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").value();
  signer.id = parsed->key_id;
  fuzz::require(!verify_artifact(as_bytes("a file"), text, {signer}));
  return 0;
}
