// What a generated handler returns: its output, an error that the contract declares, or `deferred`.
//
//   trellis::Reply<Stock, OutOfStock> inventory_take(const Take &in, trellis::Call &call) override {
//     if (none_left) return OutOfStock{.message = "There are none.", .sku = in.sku};
//     return Stock{...};
//   }
//
// To answer later, keep a Later of the same types and return `deferred`:
//
//     queue_.push([later = rpc::InventoryTake::Later(call)]() mutable { later.complete(Stock{...}); });
//     return trellis::deferred;
//
// Errors are values here, so that the compiler refuses one that the contract doesn't declare. A thrown Fault is still
// possible, and any other exception is an UnexpectedError for the caller.
#pragma once

#include "trellis/builtin_errors.h"
#include "trellis/call.h"
#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace trellis {

struct Deferred {};
inline constexpr Deferred deferred;

// A declared error as the host takes it.
template <class Error>
Fault fault_of(const Error &error) {
  auto fields = error.to_json();
  if (!fields) return Fault("UnexpectedError", std::string(Error::kType) + ": " + fields.problem().text());
  return Fault(std::string(Error::kType), error.message, std::move(*fields));
}

template <class Out>
void send_output(Pending &pending, const Out &output) {
  if (const auto text = json::encode(output))
    pending.complete_text(*text);
  else
    pending.fail(Fault("UnexpectedError", "the output: " + text.problem().text()));
}

template <class Out, class... Errors>
class Reply {
public:
  Reply(Out output) : held_(std::in_place_index<0>, std::move(output)) {}
  template <class Error>
  requires(std::same_as<Error, Errors> || ...) Reply(const Error &error)
      : held_(std::in_place_index<1>, fault_of(error)) {}
  Reply(Deferred) : held_(std::in_place_index<2>) {}

  void send(Pending pending) const {
    if (const auto *output = std::get_if<0>(&held_)) return send_output(pending, *output);
    if (const auto *fault = std::get_if<1>(&held_)) pending.fail(*fault);
  }

private:
  std::variant<Out, Fault, Deferred> held_;
};

// A request that is answered later, from any thread and once. Dropped without an answer the caller gets an error.
template <class Out, class... Errors>
class Later {
public:
  explicit Later(Call &call) : pending_(call.defer()) {}

  void complete(const Out &output) { send_output(pending_, output); }
  template <class Error>
  requires(std::same_as<Error, Errors> || ...) void fail(const Error &error) { pending_.fail(fault_of(error)); }

private:
  Pending pending_;
};

// An input that passed its schema and doesn't fit its type: an integer beyond 64 bits, for example.
inline Fault unfit_input(const json::Problem &problem) {
  const ValidationError error({{problem.pointer, problem.message}});
  return fault_of(error);
}

} // namespace trellis
