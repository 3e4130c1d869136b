// trellis contract schema: the schemas of a contract, and whether a payload conforms to one of them (01 §4).
#include "contract_commands.h"

#include "contract_report.h"
#include "contracts/canonical.h"
#include "contracts/json_write.h"
#include "contracts/name_index.h"
#include "contracts/schema.h"
#include <map>
#include <ostream>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

constexpr int kNonconforming = 1, kNoVerdict = 2;

struct Options {
  ContractOptions contract;
  std::string name, payload;
};

// ------------------------------------------------------------------------------------------------------------- list

using References = std::map<std::string, std::vector<std::string>, std::less<>>; // schema name -> JSON pointers

// A normalized manifest has a text member "schema" in schema refs only.
void collect_references(References &out, const JsonValue &value, const std::string &pointer) {
  if (!value.IsObject()) return;
  for (const auto &[name, member] : value.GetObject()) {
    if (text_of(name) == "schema" && member.IsString()) out[std::string(text_of(member))].push_back(pointer);
    if (pointer.empty() && text_of(name) == "schemas") continue;
    collect_references(out, member, pointer + json_pointer(text_of(name)));
  }
}

References references_in(const Manifest &manifest) {
  JsonLimits limits;
  limits.max_bytes = manifest.normalized().size();
  References out;
  if (const auto json = parse_json(manifest.normalized(), limits)) collect_references(out, *json, "");
  if (const auto &exports = manifest.model().exports)
    for (const auto &name : names_in(*exports))
      out[name].push_back("/exports/schemas");
  return out;
}

int list(const Manifest &manifest, Output &out) {
  const auto references = references_in(manifest);
  Table table{{"schema", "usedBy"}, {}};
  std::string json = "[";
  for (const auto &[name, schema] : entries_of(manifest.model().schemas)) {
    const auto found = references.find(name);
    const auto users = found == references.end() ? std::vector<std::string>() : found->second;
    json += (json.size() > 1 ? "," : "") + JsonObjectText().text("name", name).texts("usedBy", users).str();
    std::string joined;
    for (const auto &user : users)
      joined += (joined.empty() ? "" : ", ") + user;
    table.rows.push_back({name, joined});
  }
  if (out.format() == Output::Format::json)
    print_json(out, JsonObjectText().text("id", manifest.id()).json("schemas", json + "]").str());
  else
    out.show(Report().table("schemas", table));
  return 0;
}

// --------------------------------------------------------------------------------------------------------- validate

std::string issues_json(const std::vector<SchemaIssue> &issues) {
  std::string out = "[";
  for (const auto &issue : issues)
    out += (out.size() > 1 ? "," : "") + JsonObjectText().text("path", issue.path).text("message", issue.message).str();
  return out + "]";
}

Result<std::vector<SchemaIssue>> issues_of(const SourcedContract &contract, const JsonValue &schema,
                                           const Options &options) {
  auto compiled = Schema::compile(schema);
  if (!compiled) {
    compiled.error().where.insert(0, json_pointer("schemas", options.name));
    return tl::make_unexpected(contract.place(std::move(compiled.error())));
  }
  const auto text = read_input(options.payload, kMaxJsonFile);
  if (!text) return tl::make_unexpected(text.error());
  const auto value = parse_json(*text);
  if (!value) return tl::make_unexpected(place_in_file(value.error(), options.payload, *text));
  return compiled->check(*value);
}

int validate(const SourcedContract &contract, const JsonValue &schema, const Options &options, Output &out) {
  const auto issues = issues_of(contract, schema, options);
  if (!issues) return fail_contract(out, issues.error(), kNoVerdict);
  const auto file = shown_name(options.payload);
  if (out.format() == Output::Format::json)
    print_json(out, JsonObjectText()
                        .flag("valid", issues->empty())
                        .text("schema", options.name)
                        .text("file", file)
                        .json("issues", issues_json(*issues))
                        .str());
  else if (issues->empty())
    out.show(Report(file + " conforms to " + options.name));
  else
    for (const auto &issue : *issues)
      out.out() << printable(issue.path + ": " + issue.message) << std::endl;
  if (issues->empty()) return 0;
  out.fail({"schema_issues", file, "doesn't conform to " + canonical_string(options.name), {}, {}});
  return kNonconforming;
}

int run(const Options &options, Output &out) {
  const int failure = options.payload.empty() ? 1 : kNoVerdict;
  const auto contract = read_sourced_contract(options.contract.file, options.contract.id);
  if (!contract) return fail_contract(out, contract.error(), failure);
  const auto &manifest = contract->manifest;
  if (options.name.empty()) return list(manifest, out);
  const auto *schema = manifest.schema(options.name);
  if (!schema)
    return fail_contract(out,
                         contract->place({"unknown_schema",
                                          "/schemas",
                                          canonical_string(options.name) + " is no schema of this contract",
                                          "a name that `trellis contract schema FILE` lists",
                                          {}}),
                         failure);
  if (!options.payload.empty()) return validate(*contract, *schema, options, out);
  print_json(out, to_json(*schema));
  return 0;
}

Result<void> check_options(const Options &options) {
  if (options.payload.empty()) return {};
  if (options.name.empty())
    return fail("option", "--validate", "which schema is missing", "FILE NAME --validate PAYLOAD");
  if (options.payload == "-" && options.contract.file == "-")
    return fail("option", "--validate", "standard input can be read once only", "a file");
  return {};
}

} // namespace

void add_schema_command(Command group) {
  const auto options = std::make_shared<Options>();
  auto command = group.command("schema", "List the schemas of a contract, print one, or validate a payload with it");
  add_contract_arguments(command, options->contract);
  command.argument("NAME", options->name, "the schema to print or to validate with", Presence::optional);
  command.option("--validate", options->payload, "JSON to validate, or - for standard input; 1: it doesn't conform");
  command.action([options](Output &out) {
    const auto checked = check_options(*options);
    return checked ? run(*options, out) : fail_contract(out, checked.error(), kNoVerdict);
  });
}

} // namespace trellis::cli
