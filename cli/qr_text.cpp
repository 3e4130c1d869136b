#include "qr_text.h"
#include <memory>
#include <qrencode.h>

namespace trellis::cli {
namespace {

struct FreeCode {
  void operator()(QRcode *code) const { ::QRcode_free(code); }
};

bool is_dark(const QRcode &code, int row, int column) {
  return row < code.width && (code.data[row * code.width + column] & 1) != 0;
}

std::string_view block(bool upper, bool lower) {
  if (upper) return lower ? "█" : "▀";
  return lower ? "▄" : " ";
}

} // namespace

Result<std::string> qr_text(std::string_view text) {
  const auto *bytes = reinterpret_cast<const unsigned char *>(text.data());
  const std::unique_ptr<QRcode, FreeCode> code(
      text.empty() ? nullptr : ::QRcode_encodeData(static_cast<int>(text.size()), bytes, 0, QR_ECLEVEL_L));
  if (!code) return fail("qr_too_long", "", std::to_string(text.size()) + " bytes don't fit into a QR code");
  std::string out;
  for (int row = 0; row < code->width; row += 2) {
    for (int column = 0; column < code->width; ++column)
      out += block(is_dark(*code, row, column), is_dark(*code, row + 1, column));
    out += '\n';
  }
  return out;
}

} // namespace trellis::cli
