// The portal's files (04 §17.1): from a folder that the operator names, or the few pages that are built in.
//
// Only what lies below the requested subtree is served, symbolic links included: the real path of a file must be inside
// the real path of the folder. Files are read per request; a portal is a handful of small files, and an operator who
// replaces one sees it at once.
#pragma once

#include "http_api.h"
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace trellis::auth {

class PortalFiles {
public:
  // TRELLIS_BUILTIN_PORTAL_DIR; empty = the built-in pages.
  explicit PortalFiles(std::filesystem::path directory);

  // `rest`: the decoded path below /_trellis/assets/ or /_trellis/portal/.
  HttpResponse asset(std::string_view rest) const;
  HttpResponse page(std::string_view rest) const; // the file, else 200.html

private:
  std::optional<std::string> read(std::string_view subtree, std::string_view rest) const;

  const std::filesystem::path directory_;
};

// "" when the extension has none.
std::string_view content_type_of(std::string_view path);

} // namespace trellis::auth
