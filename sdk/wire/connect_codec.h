// Connect info as a part of other answers. Internal to sdk/wire.
#pragma once

#include "wire/connect_info.h"
#include "wire/record_reader.h"

namespace trellis {

ConnectInfo read_connect_info(const RecordReader &reader, ConnectKind kind);

} // namespace trellis
