// A floor's process in bench rpc: this program again, as a responder (rpc_responder.h). Ends with the object.
#pragma once

#include "raw_nats.h"
#include <string>
#include <sys/types.h>

namespace trellis::bench {

inline constexpr char kFloor[] = "bench.floor"; // the subject that it answers on

class FloorProcess {
public:
  // Throws when it doesn't start.
  FloorProcess(bool verify, const RawMode &mode, const std::string &url, const std::string &credentials_file);
  ~FloorProcess();
  FloorProcess(const FloorProcess &) = delete;
  FloorProcess &operator=(const FloorProcess &) = delete;

private:
  pid_t pid_ = -1;
  int stdin_ = -1; // its end ends the process
};

} // namespace trellis::bench
