// A model with the names that it has in C++. Internal to the C++ back end.
#pragma once

#include "generate/cpp_backend.h"
#include "generate/cpp_names.h"
#include <map>
#include <string>
#include <vector>

namespace trellis::generate {

struct CppMember {
  const Member *member = nullptr;
  std::string name; // of the member, or of the constant when it can only be one thing
  std::string type;
};

struct CppObject {
  std::vector<CppMember> members;
  std::string rest_name; // "" when there is no rest
  std::string rest_type;
};

struct CppType {
  const NamedType *named = nullptr;
  std::string name;
  CppObject object;                      // of an ObjectShape
  std::vector<std::string> enumerators;  // of an EnumShape
  std::vector<std::string> alternatives; // of a UnionShape: C++ types
  std::string aliased;                   // of an AliasShape
};

struct CppError {
  std::string type; // as on the wire
  std::string name;
  const DeclaredError *declared = nullptr;
  CppObject object;
};

struct CppRpc {
  const Rpc *rpc = nullptr;
  std::string descriptor; // InventoryGet
  std::string function;   // inventory_get
  std::string input, output;
  std::vector<std::string> errors;  // C++ types
  std::vector<std::string> untyped; // error types that have none
  std::string health_handler;       // the class of its handler when hosts answer it by themselves, else ""
};

class CppModel {
public:
  CppModel(const Model &model, const CppOptions &options);

  const Model &model;
  std::string stem;
  std::string name_space;
  std::vector<CppType> types;
  std::vector<CppError> errors;
  std::vector<CppRpc> rpcs;

  std::string type_text(const Type &type) const;

private:
  void name_types();
  void name_errors();
  void name_rpcs();
  CppObject object_of(const ObjectShape &shape, CppScope scope) const;
  CppScope scope_;
};

// Whether it has to_json and from_json of its own: schemas of the contract do, what is nested in them doesn't.
inline bool has_texts(const NamedType &type) {
  return type.path.size() == 1;
}

// What starts each file.
std::string file_header(const CppModel &model, std::string_view about);
// `head` + arguments + `tail`, broken as clang-format does it when a line gets too long.
std::string wrapped(const std::string &head, const std::vector<std::string> &arguments, const std::string &tail);
// #include lines, sorted.
std::string includes(const std::set<std::string> &headers);

std::string types_header(const CppModel &model);    // STEM.h
std::string codec_source(const CppModel &model);    // STEM.cpp
std::string service_header(const CppModel &model);  // STEM_service.h
std::string contract_source(const CppModel &model); // STEM_contract.cpp

// Parts of STEM.h and STEM.cpp that are about surfaces.
std::string surface_descriptors(const CppModel &model);
std::string client_class(const CppModel &model);
std::string client_functions(const CppModel &model);
std::string subject_functions(const CppModel &model);

} // namespace trellis::generate
