// A complete service in C++, typed, in under 30 lines.
#include <trellis/service.h>

TRELLIS_CONTRACT({
  "format": "trellis.contract.v1", "id": "acme.shout@v1", "displayName": "Shout", "kind": "service",
  "description": "Answers every message in capital letters.",
  "schemas": {"Message": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}},
  "rpc": {"Shout.Say": {"version": "v1", "subject": "rpc.v1.Shout.Say", "input": {"schema": "Message"}, "output": {"schema": "Message"}}}
});

struct Message {
  std::string message;
  static constexpr auto fields = std::tuple(trellis::field("message", &Message::message));
};

static void setup(trellis::Service &service) {
  service.rpc("Shout.Say", [](const Message &in, trellis::Call &) {
    Message out = in;
    for (char &c : out.message)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return out;
  });
}

TRELLIS_SERVICE("acme.shout@v1", "echo-cpp", "1.0.0", setup);
