// The part of `trellis svc ID ...` that is about authority; the id belongs to the group `svc`.
#pragma once

#include "command.h"
#include <memory>
#include <string>

namespace trellis::cli {

// `deployment`: the id, once the command line is parsed.
void add_authority_commands(Command svc, const std::shared_ptr<const std::string> &deployment);

} // namespace trellis::cli
