#include "rpc_floor.h"

#include <filesystem>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>

namespace trellis::bench {

FloorProcess::FloorProcess(bool verify, const RawMode &mode, const std::string &url,
                           const std::string &credentials_file) {
  int in[2], out[2];
  if (::pipe(in) != 0 || ::pipe(out) != 0) throw std::runtime_error("pipe failed");
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string loop = mode.event_loop ? "1" : "0", threads = std::to_string(mode.threads);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    for (const int fd : {in[0], in[1], out[0], out[1]})
      ::close(fd);
    ::execl(program.c_str(), program.c_str(), "--responder", verify ? "verify" : "raw", loop.c_str(), threads.c_str(),
            url.c_str(), credentials_file.c_str(), kFloor, nullptr);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  stdin_ = in[1];
  char ready = 0;
  const bool heard = ::read(out[0], &ready, 1) == 1;
  ::close(out[0]);
  if (!heard) throw std::runtime_error("the floor's responder didn't start");
}

FloorProcess::~FloorProcess() {
  ::close(stdin_);
  ::waitpid(pid_, nullptr, 0);
}

} // namespace trellis::bench
