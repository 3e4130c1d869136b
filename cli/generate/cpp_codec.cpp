// STEM.cpp: how each type is read and written.
#include "generate/cpp_model.h"

#include <algorithm>

namespace trellis::generate {
namespace {

std::string names_list(const CppObject &object) {
  std::vector<std::string> names;
  for (const auto &member : object.members)
    names.push_back(cpp_literal(member.member->name));
  return wrapped("  static constexpr std::string_view declared_members[] = {", names, "};\n");
}

std::string read_members(const CppObject &object) {
  std::string out = "  in.object();\n";
  for (const auto &[member, name, type] : object.members)
    out += std::string("  in.") + (member->constant ? "constant(" : "member(") + cpp_literal(member->name) + ", " +
           name + ");\n";
  if (object.rest_name.empty()) return out;
  if (object.members.empty()) return out + "  in.rest({}, " + object.rest_name + ");\n";
  return out + names_list(object) + "  in.rest(declared_members, " + object.rest_name + ");\n";
}

std::string write_members(const CppObject &object) {
  std::string out = "  out.begin_object();\n";
  for (const auto &[member, name, type] : object.members)
    out += "  out.member(" + cpp_literal(member->name) + ", " + name + ");\n";
  if (!object.rest_name.empty() && object.members.empty()) out += "  out.rest({}, " + object.rest_name + ");\n";
  if (!object.rest_name.empty() && !object.members.empty())
    out += names_list(object) + "  out.rest(declared_members, " + object.rest_name + ");\n";
  return out + "  out.end_object();\n";
}

std::string text_functions(const std::string &name) {
  return "trellis::json::Result<std::string> " + name +
         "::to_json() const {\n  return trellis::json::encode(*this);\n}\n\n" + "trellis::json::Result<" + name + "> " +
         name + "::from_json(std::string_view json) {\n  return trellis::json::decode<" + name + ">(json);\n}\n\n";
}

std::string codec(const std::string &name, bool is_schema, const std::string &read, const std::string &write) {
  return "void " + name + "::read_json(trellis::json::Reader &in) {\n" + read + "}\n\nvoid " + name +
         "::write_json(trellis::json::Writer &out) const {\n" + write + "}\n\n" +
         (is_schema ? text_functions(name) : "");
}

// How a reader knows that its value is this alternative.
std::string recognition(const Type &type, const std::string &name, const CppModel &model, std::size_t objects) {
  switch (type.kind) {
  case Type::Kind::boolean: return "in.is_boolean()";
  case Type::Kind::integer:
  case Type::Kind::number: return "in.is_number()";
  case Type::Kind::text: return "in.is_string()";
  case Type::Kind::list: return "in.is_array()";
  case Type::Kind::json:
  case Type::Kind::null:
  case Type::Kind::map: return "in.is_object()";
  case Type::Kind::named: break;
  }
  const auto &named = model.types[type.named];
  if (!std::holds_alternative<ObjectShape>(named.named->shape)) return "in.is_string()";
  if (objects == 1) return "in.is_object()";
  std::string out;
  for (const auto &member : named.object.members)
    if (member.member->constant)
      out += (out.empty() ? "" : " && ") + ("in.has(" + cpp_literal(member.member->name)) + ", " + name +
             "::" + member.name + ")";
  return out;
}

std::string union_codec(const CppType &type, const CppModel &model) {
  const auto &alternatives = std::get<UnionShape>(type.named->shape).alternatives;
  const auto objects = std::count_if(alternatives.begin(), alternatives.end(), [&](const Type &alternative) {
    return alternative.kind == Type::Kind::map ||
           (alternative.kind == Type::Kind::named &&
            std::holds_alternative<ObjectShape>(model.types[alternative.named].named->shape));
  });
  std::string read;
  for (std::size_t i = 0; i < alternatives.size(); ++i)
    read += "  if (" + recognition(alternatives[i], type.alternatives[i], model, static_cast<std::size_t>(objects)) +
            ") return in.value(emplace<" + type.alternatives[i] + ">());\n";
  read += "  in.fail(\"none of the alternatives that are allowed here\");\n";
  return codec(type.name, has_texts(*type.named), read,
               "  std::visit([&out](const auto &alternative) { out.value(alternative); }, *this);\n");
}

std::string enum_codec(const CppType &type) {
  const auto &texts = std::get<EnumShape>(type.named->shape).texts;
  std::string to, from;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto name = type.name + "::" + type.enumerators[i];
    to += "  case " + name + ": return " + cpp_literal(texts[i]) + ";\n";
    from += "  if (text == " + cpp_literal(texts[i]) + ") return out = " + name + ", true;\n";
  }
  return "std::string_view to_text(" + type.name + " value) {\n  switch (value) {\n" + to + "  }\n  return {};\n}\n\n" +
         "bool from_text(std::string_view text, " + type.name + " &out) {\n" + from + "  return false;\n}\n\n";
}

std::string definitions(const CppType &type, const CppModel &model) {
  const auto &shape = type.named->shape;
  if (std::holds_alternative<ObjectShape>(shape))
    return codec(type.name, has_texts(*type.named), read_members(type.object), write_members(type.object));
  if (std::holds_alternative<UnionShape>(shape)) return union_codec(type, model);
  return std::holds_alternative<EnumShape>(shape) ? enum_codec(type) : "";
}

} // namespace

std::string codec_source(const CppModel &model) {
  std::string body;
  for (const auto &type : model.types)
    body += definitions(type, model);
  for (const auto &error : model.errors)
    body += codec(error.name, true, read_members(error.object), write_members(error.object));
  body += subject_functions(model);
  body += client_functions(model);
  std::set<std::string> headers{"trellis/json_reader.h", "trellis/json_writer.h"};
  if (!model.rpcs.empty()) headers.insert("trellis/typed_rpc.h");
  if (body.find("_token(") != std::string::npos) headers.insert("trellis/event_subject.h");
  return file_header(model, "codecs and client.") + "#include \"" + model.stem + ".h\"\n\n" + includes(headers) +
         "\nnamespace " + model.name_space + " {\n\n" + body + "} // namespace " + model.name_space + "\n";
}

} // namespace trellis::generate
