#include "generate/cpp_model.h"

#include "wire/health_report.h"
#include <algorithm>
#include <array>

namespace trellis::generate {
namespace {

// The built-in errors that sdk/cpp has structs for (trellis/builtin_errors.h).
constexpr std::array kBuiltinErrors{"AuthError", "TransportError", "UnexpectedError", "ValidationError"};

std::string joined(const std::vector<std::string> &path) {
  std::string out;
  for (const auto &part : path)
    out += pascal_case(part);
  return out;
}

std::string constant_type(const Constant &constant) {
  if (std::holds_alternative<bool>(constant)) return "bool";
  if (std::holds_alternative<std::int64_t>(constant)) return "std::int64_t";
  return std::holds_alternative<double>(constant) ? "double" : "std::string_view";
}

} // namespace

CppModel::CppModel(const Model &from, const CppOptions &options)
    : model(from), stem(options.stem.empty() ? file_stem(from.contract_id) : options.stem),
      name_space(options.name_space.empty() ? cpp_namespace(from.contract_id) : options.name_space),
      scope_({"Client", "Handlers"}) {
  name_types();
  name_errors();
  name_rpcs();
}

// Schemas of the contract first, so that they keep their names whatever is nested in others.
void CppModel::name_types() {
  types.resize(model.types.size());
  for (const bool is_schema : {true, false})
    for (std::size_t i = 0; i < types.size(); ++i)
      if ((model.types[i].path.size() == 1) == is_schema) types[i].name = scope_.add(joined(model.types[i].path));
  for (std::size_t i = 0; i < types.size(); ++i) {
    auto &type = types[i];
    type.named = &model.types[i];
    const auto &shape = model.types[i].shape;
    if (const auto *object = std::get_if<ObjectShape>(&shape)) type.object = object_of(*object, {});
    if (const auto *alias = std::get_if<AliasShape>(&shape)) type.aliased = type_text(alias->type);
    if (const auto *either = std::get_if<UnionShape>(&shape))
      for (const auto &alternative : either->alternatives)
        type.alternatives.push_back(type_text(alternative));
    if (const auto *list = std::get_if<EnumShape>(&shape)) {
      CppScope enumerators;
      for (const auto &text : list->texts)
        type.enumerators.push_back(enumerators.add(snake_case(text)));
    }
  }
}

void CppModel::name_errors() {
  for (const auto &error : model.errors)
    errors.push_back({error.type, scope_.add(pascal_case(error.type)), &error,
                      object_of(error.own, CppScope({"message", "kType"}))});
}

void CppModel::name_rpcs() {
  CppScope descriptors({"Input", "Later", "Output", "Reply", "Result"}); // each has members of these names
  CppScope functions({"caller_"});
  for (const auto &rpc : model.rpcs) {
    CppRpc out{&rpc,
               descriptors.add(pascal_case(rpc.name)),
               functions.add(snake_case(rpc.name)),
               type_text(rpc.input),
               type_text(rpc.output),
               {},
               {},
               {}};
    if (is_health_method(rpc.name)) out.health_handler = scope_.add(out.descriptor + "Handler");
    for (const auto &type : rpc.errors) {
      const auto declared =
          std::find_if(errors.begin(), errors.end(), [&](const CppError &error) { return error.type == type; });
      const bool is_builtin = std::find(kBuiltinErrors.begin(), kBuiltinErrors.end(), type) != kBuiltinErrors.end();
      if (declared != errors.end())
        out.errors.push_back(declared->name);
      else if (is_builtin)
        out.errors.push_back("trellis::" + type);
      else
        out.untyped.push_back(type);
    }
    rpcs.push_back(std::move(out));
  }
}

CppObject CppModel::object_of(const ObjectShape &shape, CppScope scope) const {
  CppObject out;
  for (const auto &member : shape.members) {
    CppMember named{&member, {}, {}};
    if (member.constant) {
      named.name = scope.add(constant_name(member.name));
      named.type = constant_type(*member.constant);
    } else {
      named.name = scope.add(snake_case(member.name));
      named.type = type_text(member.type);
      if (!member.required) named.type = "std::optional<" + named.type + ">";
    }
    out.members.push_back(std::move(named));
  }
  if (!shape.rest) return out;
  out.rest_name = scope.add("other_members");
  out.rest_type = "std::map<std::string, " + type_text(*shape.rest) + ">";
  return out;
}

std::string CppModel::type_text(const Type &type) const {
  const auto bare = [&]() -> std::string {
    switch (type.kind) {
    case Type::Kind::json: return "trellis::RawJson";
    case Type::Kind::null: return "std::nullptr_t";
    case Type::Kind::boolean: return "bool";
    case Type::Kind::integer: return "std::int64_t";
    case Type::Kind::number: return "double";
    case Type::Kind::text: return "std::string";
    case Type::Kind::list: return "std::vector<" + type_text(type.item[0]) + ">";
    case Type::Kind::map: return "std::map<std::string, " + type_text(type.item[0]) + ">";
    case Type::Kind::named: break;
    }
    return types[type.named].name;
  };
  return type.nullable ? "trellis::Nullable<" + bare() + ">" : bare();
}

std::string file_header(const CppModel &model, std::string_view about) {
  return cpp_comment(model.model.contract_id + ": " + std::string(about)) + "//\n" +
         "// Made by trellis-generate from the contract with digest " + model.model.digest +
         ".\n// Don't edit: change the contract and make it again.\n";
}

std::string wrapped(const std::string &head, const std::vector<std::string> &arguments, const std::string &tail) {
  constexpr std::size_t kWidth = 120;
  const auto start = head.rfind('\n') == std::string::npos ? 0 : head.rfind('\n') + 1;
  std::size_t indent = head.size() - start;
  std::size_t longest = 0;
  for (const auto &argument : arguments)
    longest = std::max(longest, argument.size() + tail.find('\n') % kWidth);
  std::string out = head;
  if (indent + longest > kWidth) { // no room beside the head
    indent = head.find_first_not_of(' ', start) - start + 4;
    out += "\n" + std::string(indent, ' ');
  }
  std::size_t column = indent;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto piece = arguments[i] + (i + 1 < arguments.size() ? "," : tail);
    if (i > 0 && column + 1 + piece.size() > kWidth) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (i > 0) {
      out += ' ';
      ++column;
    }
    out += piece;
    column += piece.size();
  }
  return arguments.empty() ? out + tail : out;
}

std::string includes(const std::set<std::string> &headers) {
  std::string out;
  for (const auto &header : headers)
    out += "#include <" + header + ">\n";
  return out;
}

std::vector<GeneratedFile> generate_cpp(const Model &model, const CppOptions &options) {
  const CppModel named(model, options);
  return {{named.stem + ".h", types_header(named)},
          {named.stem + ".cpp", codec_source(named)},
          {named.stem + "_service.h", service_header(named)},
          {named.stem + "_contract.cpp", contract_source(named)}};
}

} // namespace trellis::generate
