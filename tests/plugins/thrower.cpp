// Throws everything that C++ can throw out of handlers and lifecycle functions. For tests of sdk/cpp and the host.
#include <stdexcept>
#include <trellis/service.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "test.thrower@v1", "displayName": "Thrower", "kind": "service",
  "description": "Throws.",
  "schemas": {
    "What": {"type": "object", "required": ["what"], "properties": {"what": {"type": "string"}}},
    "DeclaredData": {"type": "object", "required": ["id", "type", "message", "number"], "properties": {
      "id": {"type": "string"}, "type": {"type": "string", "const": "Declared"}, "message": {"type": "string"},
      "number": {"type": "integer"}}}
  },
  "errors": {"Declared": {"type": "Declared", "schema": {"schema": "DeclaredData"}}},
  "rpc": {"Thrower.Throw": {"version": "v1", "subject": "rpc.v1.Thrower.Throw", "input": {"schema": "What"},
                            "output": {"schema": "What"}, "errors": [{"type": "Declared"}]}}
});

namespace {

struct What {
  std::string what;
  static constexpr auto fields = std::tuple(trellis::field("what", &What::what));
};

struct Config {
  std::optional<std::string> fail_in;
  static constexpr auto fields = std::tuple(trellis::field("fail_in", &Config::fail_in));
};

void setup(trellis::Service &service) {
  const auto fail_in = service.config<Config>().fail_in.value_or("");
  if (fail_in == "create") throw std::runtime_error("create was told to fail");
  service.on_start([fail_in] {
    if (fail_in == "start") throw std::runtime_error("start was told to fail");
  });
  service.on_stop([fail_in](std::int64_t) {
    if (fail_in == "stop") throw 42;
  });
  service.rpc("Thrower.Throw", [](const What &in, trellis::Call &) {
    if (in.what == "exception") throw std::runtime_error("boom");
    if (in.what == "int") throw 42;
    if (in.what == "declared") throw trellis::Fault("Declared", "as the contract says", R"({"number":7})");
    return in;
  });
}

} // namespace

TRELLIS_SERVICE("test.thrower@v1", "thrower", "1.0.0", setup);
