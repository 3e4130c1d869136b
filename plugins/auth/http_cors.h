// Which origins may read which answers (04 §3.4), as one decision on values.
//
// The table has four kinds of rows; `cors_row` finds the row of a path, `decide_cors` says what it means for a request.
// CORS never refuses a request, it only leaves headers out.
#pragma once

#include "http_api.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

enum class CorsRow {
  none,   // /version, portal
  listed, // /auth/*, /bootstrap/*: exact members of web.origins
  echo,   // /auth/login/local: any origin
  flow,   // /auth/flow/*: web.origins, or the flow's portal
  bind,   // /auth/flow/:id/bind: only the flow's app
};

struct CorsPath {
  CorsRow row = CorsRow::none;
  std::string flow_id;      // of flow and bind
  bool preflighted = false; // does the row answer OPTIONS here?
};
CorsPath cors_row(std::string_view path);

struct CorsDecision {
  std::vector<std::pair<std::string, std::string>> headers;
  bool answered = false; // a preflight: 204 with these headers
};

// `allowed_origin`: of rows flow and bind, the origin that the flow itself adds ("" = none).
CorsDecision decide_cors(const CorsPath &path, const HttpRequest &request, const std::vector<std::string> &web_origins,
                         std::string_view allowed_origin);

} // namespace trellis::auth
