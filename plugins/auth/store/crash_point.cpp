#include "store/crash_point.h"

#ifdef TRELLIS_CRASH_POINTS

#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <unistd.h>

namespace trellis::auth {
namespace {

// Counts down what the variable says, or what the file says each time that its text is another one.
class Countdown {
public:
  Countdown() {
    if (const char *text = std::getenv("TRELLIS_CRASH_AT")) left_ = std::atol(text);
    if (const char *file = std::getenv("TRELLIS_CRASH_FILE")) file_ = file;
  }
  void reach() {
    const std::lock_guard lock(mutex_);
    if (!file_.empty()) look();
    if (left_ > 0 && --left_ == 0) ::_exit(137);
  }

private:
  void look() {
    std::string text;
    std::getline(std::ifstream(file_), text);
    if (text == text_) return;
    text_ = text;
    left_ = std::atol(text.c_str());
  }

  std::mutex mutex_; // guards what follows
  std::string file_, text_;
  long left_ = 0; // 0: pass
};

} // namespace

void crash_point() {
  static Countdown of_process; // as its environment is
  of_process.reach();
}

} // namespace trellis::auth

#endif
