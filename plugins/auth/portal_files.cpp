#include "portal_files.h"

#include "http_reply.h"
#include "portal_builtin.h"
#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <system_error>

namespace trellis::auth {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAssets = "/_trellis/assets/", kPages = "/_trellis/portal/";
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{32} << 20;

// No segment that means something to a file system, and no byte that ends a path.
bool is_plain(std::string_view rest) {
  if (rest.empty() || rest.find('\0') != std::string_view::npos || rest.find('\\') != std::string_view::npos)
    return false;
  while (!rest.empty()) {
    const auto slash = std::min(rest.find('/'), rest.size());
    const auto segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return false;
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  return true;
}

bool is_inside(const fs::path &file, const fs::path &folder) {
  const auto ends = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return ends.first == folder.end();
}

std::optional<std::string> read_file(const fs::path &file, const fs::path &folder) {
  std::error_code problem;
  const auto real_folder = fs::canonical(folder, problem);
  if (problem) return std::nullopt;
  const auto real = fs::canonical(file, problem);
  if (problem || !is_inside(real, real_folder) || !fs::is_regular_file(real, problem)) return std::nullopt;
  if (const auto size = fs::file_size(real, problem); problem || size > kMaxFileBytes) return std::nullopt;
  std::ifstream in(real, std::ios::binary);
  std::string out{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return std::nullopt;
  return out;
}

HttpResponse file_reply(std::string content, std::string_view path) {
  auto out = empty_reply(200);
  if (const auto type = content_type_of(path); !type.empty()) set_header(out, "Content-Type", std::string(type));
  out.body = std::move(content);
  return out;
}

} // namespace

std::string_view content_type_of(std::string_view path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kTypes = {
      {{".css", "text/css; charset=utf-8"},
       {".html", "text/html; charset=utf-8"},
       {".ico", "image/x-icon"},
       {".js", "text/javascript; charset=utf-8"},
       {".json", "application/json; charset=utf-8"},
       {".png", "image/png"},
       {".svg", "image/svg+xml"},
       {".txt", "text/plain; charset=utf-8"},
       {".webp", "image/webp"}}};
  for (const auto &[extension, type] : kTypes)
    if (path.ends_with(extension)) return type;
  return {};
}

PortalFiles::PortalFiles(fs::path directory) : directory_(std::move(directory)) {}

std::optional<std::string> PortalFiles::read(std::string_view subtree, std::string_view rest) const {
  const auto path = std::string(subtree) + std::string(rest);
  if (!directory_.empty()) return read_file(directory_ / path.substr(1), directory_);
  const auto content = builtin_portal_file(path);
  return content ? std::optional<std::string>(*content) : std::nullopt;
}

HttpResponse PortalFiles::asset(std::string_view rest) const {
  auto content = is_plain(rest) ? read(kAssets, rest) : std::nullopt;
  return content ? file_reply(std::move(*content), rest) : empty_reply(404);
}

HttpResponse PortalFiles::page(std::string_view rest) const {
  if (!rest.empty() && !is_plain(rest)) return empty_reply(404);
  auto content = rest.empty() ? std::nullopt : read(kPages, rest);
  if (content) return file_reply(std::move(*content), rest);
  content = read("/", "200.html");
  return content ? file_reply(std::move(*content), "200.html") : empty_reply(404);
}

} // namespace trellis::auth
