// Names for C++ from names that may be any text, and texts as C++ writes them.
//
// A name is cut into words at what is no letter or digit and at changes of case: "orderId", "order-id" and "order_id"
// are [order, id]. Characters beyond ASCII become words of their code point, so that a name never comes out empty. What
// would be a keyword, a macro of the standard library or a name that generated code needs itself gets an underscore.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::generate {

std::vector<std::string> words_of(std::string_view name);
std::string snake_case(std::string_view name);    // members, functions, enumerators
std::string pascal_case(std::string_view name);   // types
std::string constant_name(std::string_view name); // kOrderId

// The names of one scope: who comes second gets a number.
class CppScope {
public:
  CppScope() = default;
  explicit CppScope(std::set<std::string> taken) : taken_(std::move(taken)) {}
  std::string add(const std::string &name);

private:
  std::set<std::string> taken_;
  std::map<std::string, int> numbers_; // the last one that a name got, so that many equal names cost no more
};

// "acme.inventory@v1" -> "acme::inventory::inline v1".
std::string cpp_namespace(std::string_view contract_id);
// "acme.inventory@v1" -> "acme_inventory".
std::string file_stem(std::string_view contract_id);

// `text` with quotes; std::string_view("...", n) when it holds a NUL.
std::string cpp_literal(std::string_view text);
// `text` as // lines of at most 120 columns; "" for a text without letters.
std::string cpp_comment(std::string_view text, std::string_view indent = {});
// One line, without what would end it or its comment.
std::string comment_text(std::string_view text);

} // namespace trellis::generate
