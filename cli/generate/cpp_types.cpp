// STEM.h: types, then surfaces and client.
#include "contracts/canonical.h"
#include "generate/cpp_model.h"

namespace trellis::generate {
namespace {

std::string initial(const std::string &type) {
  if (type == "bool") return "false";
  if (type == "std::int64_t" || type == "double") return "0";
  return type == "std::nullptr_t" ? "nullptr" : "{}";
}

std::string constant_text(const Constant &constant) {
  if (const auto *flag = std::get_if<bool>(&constant)) return *flag ? "true" : "false";
  if (const auto *integer = std::get_if<std::int64_t>(&constant)) return std::to_string(*integer);
  if (const auto *text = std::get_if<std::string>(&constant)) return cpp_literal(*text);
  const auto text = ecmascript_number(std::get<double>(constant));
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

std::string members(const CppObject &object) {
  std::string out;
  for (const auto &[member, name, type] : object.members) {
    out += cpp_comment(member->doc, "  ");
    if (member->constant)
      out += "  static constexpr " + type + " " + name + " = " + constant_text(*member->constant) + ";\n";
    else
      out += "  " + type + " " + name + " = " + initial(type) + ";\n";
  }
  if (!object.rest_name.empty()) out += "  " + object.rest_type + " " + object.rest_name + " = {};\n";
  return out;
}

std::string codec_declarations(const std::string &name, bool is_schema) {
  const std::string texts = "  trellis::json::Result<std::string> to_json() const;\n"
                            "  static trellis::json::Result<" +
                            name + "> from_json(std::string_view json);\n";
  return (is_schema ? texts : "") + "  void read_json(trellis::json::Reader &in);\n"
                                    "  void write_json(trellis::json::Writer &out) const;\n";
}

std::string object_type(const std::string &name, const std::string &body, bool is_schema) {
  return "struct " + name + " {\n" + body + (body.empty() ? "" : "\n") + "  bool operator==(const " + name +
         " &) const = default;\n" + codec_declarations(name, is_schema) + "};\n";
}

std::string union_type(const CppType &type) {
  return wrapped("struct " + type.name + " : std::variant<", type.alternatives, "> {") +
         "\n  using variant::variant;\n\n" + codec_declarations(type.name, has_texts(*type.named)) + "};\n";
}

std::string enum_type(const CppType &type) {
  return wrapped("enum class " + type.name + " { ", type.enumerators, " };") + "\nstd::string_view to_text(" +
         type.name + " value); // without data for what is no enumerator\n" + "bool from_text(std::string_view text, " +
         type.name + " &out); // false for any other text\n";
}

std::string type_definition(const CppType &type) {
  const auto doc = cpp_comment(type.named->doc);
  const auto &shape = type.named->shape;
  if (std::holds_alternative<ObjectShape>(shape))
    return doc + object_type(type.name, members(type.object), has_texts(*type.named));
  if (std::holds_alternative<EnumShape>(shape)) return doc + enum_type(type);
  if (std::holds_alternative<UnionShape>(shape)) return doc + union_type(type);
  return doc + "using " + type.name + " = " + type.aliased + ";\n";
}

std::string error_type(const CppError &error) {
  return cpp_comment("Error \"" + error.type + "\".") +
         object_type(error.name,
                     "  static constexpr std::string_view kType = " + cpp_literal(error.type) +
                         ";\n  std::string message = {};\n" + members(error.object),
                     true);
}

std::set<std::string> headers_for(const std::string &body) {
  std::set<std::string> out{"string", "string_view", "trellis/json.h"};
  const auto uses = [&](const char *text, const char *header) {
    if (body.find(text) != std::string::npos) out.insert(header);
  };
  uses("std::int64_t", "cstdint");
  uses("std::nullptr_t", "cstddef");
  uses("std::map<", "map");
  uses("std::optional<", "optional");
  uses("std::vector<", "vector");
  uses("std::variant<", "variant");
  uses("std::chrono::", "chrono");
  uses("std::function<", "functional");
  uses("trellis::RpcCaller", "trellis/rpc_caller.h");
  for (const char *builtin :
       {"trellis::AuthError", "trellis::TransportError", "trellis::UnexpectedError", "trellis::ValidationError"})
    uses(builtin, "trellis/builtin_errors.h");
  return out;
}

} // namespace

std::string types_header(const CppModel &model) {
  std::string body;
  for (const auto &type : model.types)
    body += type_definition(type) + "\n";
  for (const auto &error : model.errors)
    body += error_type(error) + "\n";
  body += surface_descriptors(model);
  body += client_class(model);
  return file_header(model, comment_text(model.model.display_name + ". " + model.model.description)) +
         "#pragma once\n\n" + includes(headers_for(body)) + "\nnamespace " + model.name_space + " {\n\n" +
         "inline constexpr std::string_view kContractId = " + cpp_literal(model.model.contract_id) + ";\n" +
         "inline constexpr std::string_view kContractDigest = " + cpp_literal(model.model.digest) + ";\n" +
         "std::string_view contract_text(); // JSON; defined in " + model.stem + "_contract.cpp\n\n" + body +
         "} // namespace " + model.name_space + "\n";
}

} // namespace trellis::generate
