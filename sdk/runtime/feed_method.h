// What a runtime knows of one feed, compiled once from its contract and then shared by all threads.
#pragma once

#include "contracts/schema.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

class Manifest;

struct FeedMethod {
  std::string name;                      // "Orders.Watch"
  std::string subject;                   // "feeds.v1.Orders.Watch"
  std::vector<std::string> capabilities; // all needed to subscribe
  Schema input;
  Schema event;
};

// Compiles the feed called `name`. Errors: "unknown_feed", and those of Schema::compile with the schema's pointer.
Result<FeedMethod> compile_feed(const Manifest &manifest, std::string_view name);

} // namespace trellis
