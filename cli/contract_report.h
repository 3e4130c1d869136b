// What the commands of `trellis contract` print: results as text for people or as one JSON object, and errors in both
// forms (10 §1.2). With --json an error is a JSON object on stdout as well as text on stderr, so that an editor or a
// pipeline learns file, line, column, pointer and category without taking a sentence apart.
#pragma once

#include "contracts/result.h"
#include "output.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::cli {

// {category, file, line, column, pointer, message, expected, details}, without what isn't known.
std::string error_json(const Error &error);
std::string errors_json(const std::vector<Error> &errors); // an array

// Compact JSON with line ends and an indent of 2. Text in, text out: what was in canonical order or holds escapes
// stays so.
std::string indented_json(std::string_view compact);
void print_json(Output &out, std::string_view compact);

// The error as text on stderr and, in JSON format, {"errors": [...]} on stdout. Returns `code`.
int fail_contract(Output &out, const Error &error, int code = 1);

} // namespace trellis::cli
