// The C++ back end: a model to files.
//
//   STEM.h           types, names of surfaces, client. Light.
//   STEM.cpp         codecs and client
//   STEM_service.h   Handlers and serve(), for the plugin that implements the contract
//   STEM_contract.cpp  the contract's text, in the section where hosts look for it
//
// They are separate because their users are: another service's plugin takes the first two, and a second contract
// section in its file would be refused.
#pragma once

#include "generate/model.h"
#include <string>
#include <vector>

namespace trellis::generate {

struct CppOptions {
  std::string stem;       // of file names; "" is from the contract id
  std::string name_space; // "" is from the contract id
};

struct GeneratedFile {
  std::string name;
  std::string text;
};

std::vector<GeneratedFile> generate_cpp(const Model &model, const CppOptions &options = {});

} // namespace trellis::generate
