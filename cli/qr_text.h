// A QR code as text: two rows of modules a line, drawn with half blocks (10 §2.1).
//
// Dark modules are drawn and light ones are the terminal's own background. So the surroundings always count as light,
// on dark terminals (where all colours are swapped, which readers cope with) as on light ones, and no margin is needed.
#pragma once

#include "contracts/result.h"
#include <string>
#include <string_view>

namespace trellis::cli {

// Lines that end with \n. Error "qr_too_long": more than fits into a QR code (about 2900 bytes).
Result<std::string> qr_text(std::string_view text);

} // namespace trellis::cli
