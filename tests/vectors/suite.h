// Vector files on disk: which there are, running them, and the lines that say how it went (README §1).
//
// Files are found by listing the folders, not from a list of names: a topic that nobody has implemented yet then shows
// up as "not yet" instead of being forgotten. Such files are named but not counted.
#pragma once

#include "runner.h"
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace trellis::vectors {

struct Suite {
  std::filesystem::path folder; // *.json and json-schema/*.json
  // Everything in it must run: a missing folder, a skipped case and what has no procedure yet are failures. For the
  // project's own vectors, which come with what runs them.
  bool complete = false;
};

enum ExitStatus {
  kAllPassed = 0,
  kSomeFailed = 1,
  kUsage = 2,
  kNoVectors = 77, // what Meson counts as a skipped test
};

// Runs all files, or only those called in `only` ("canonical-json", "json-schema", "json-schema/const"). Writes one
// line per failed or skipped case, then what is not yet there, and last "vectors: <passed> passed, <failed> failed,
// <skipped> skipped".
ExitStatus run_suite(const Registry &registry, const Suite &suite, const std::vector<std::string> &only,
                     std::ostream &out);

} // namespace trellis::vectors
