// trellis contract diff: a verdict over two contracts of one lineage, with its reasons.
#include "contract_commands.h"

#include "contract_diff.h"
#include "contract_report.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <ostream>

namespace trellis::cli {
namespace {

constexpr int kIncompatible = 1, kNoVerdict = 2;

struct Options {
  std::string before, after, id;
  std::vector<std::string> with;
};

std::string verdict_of(const ContractDiff &diff) {
  return diff.conflict ? "incompatible" : diff.same ? "same" : "compatible";
}

std::string joined(const std::vector<std::string> &names) {
  std::string out;
  for (const auto &name : names)
    out += (out.empty() ? "" : ", ") + name;
  return out;
}

// What fits into a table; the whole is in the JSON. Cut between characters.
std::string shortened(const std::string &json) {
  constexpr std::size_t kMost = 40;
  if (json.size() <= kMost) return json;
  std::size_t end = kMost;
  while ((static_cast<unsigned char>(json[end]) & 0xC0) == 0x80)
    --end;
  return json.substr(0, end) + "...";
}

Table changes_table(const std::vector<JsonChange> &changes) {
  Table table{{"change", "pointer", "old", "new"}, {}};
  for (const auto &change : changes)
    table.rows.push_back(
        {std::string(change_name(change.kind)), change.pointer, shortened(change.before), shortened(change.after)});
  return table;
}

Report text_of_diff(const Manifest &before, const Manifest &after, const ContractDiff &diff) {
  Report report;
  report.text("verdict", verdict_of(diff)).text("id", after.id());
  if (diff.same)
    report.text("digest", after.digest());
  else
    report.text("oldDigest", before.digest()).text("newDigest", after.digest());
  if (diff.conflict) report.text("rule", std::string(conflict_rule(*diff.conflict)));
  report.text("approval", diff.approval).text("approvalReason", diff.approval_reason);
  for (const auto &note : diff.notes)
    report.text("note", note);
  Table surfaces{{"change", "section", "name", "fields"}, {}};
  for (const auto &change : diff.surfaces)
    surfaces.rows.push_back(
        {std::string(change_name(change.kind)), change.section, change.name, joined(change.fields)});
  Table needs{{"change", "need"}, {}};
  for (const auto &change : diff.needs)
    needs.rows.push_back({std::string(change_name(change.kind)), change.need});
  report.table("surfaces", surfaces).table("needs", needs);
  report.table("inDigest", changes_table(diff.digest)).table("outsideDigest", changes_table(diff.other));
  return report;
}

template <class T, class Write>
std::string array_of(const std::vector<T> &items, const Write &write) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + write(item);
  return out + "]";
}

std::string changes_json(const std::vector<JsonChange> &changes) {
  return array_of(changes, [](const JsonChange &change) {
    JsonObjectText out;
    out.text("change", change_name(change.kind)).text("pointer", change.pointer);
    if (!change.before.empty()) out.json("old", change.before);
    if (!change.after.empty()) out.json("new", change.after);
    return out.str();
  });
}

std::string json_of_diff(const Manifest &before, const Manifest &after, const ContractDiff &diff) {
  JsonObjectText out;
  out.text("verdict", verdict_of(diff))
      .text("id", after.id())
      .text("oldDigest", before.digest())
      .text("newDigest", after.digest())
      .text("approval", diff.approval)
      .text("approvalReason", diff.approval_reason)
      .texts("notes", diff.notes);
  if (diff.conflict) out.text("rule", conflict_rule(*diff.conflict)).json("conflict", error_json(*diff.conflict));
  out.json("surfaces", array_of(diff.surfaces, [](const SurfaceChange &change) {
             return JsonObjectText()
                 .text("change", change_name(change.kind))
                 .text("section", change.section)
                 .text("name", change.name)
                 .texts("fields", change.fields)
                 .str();
           }));
  out.json("needs", array_of(diff.needs, [](const NeedChange &change) {
             return JsonObjectText().text("change", change_name(change.kind)).text("need", change.need).str();
           }));
  out.json("inDigest", changes_json(diff.digest)).json("outsideDigest", changes_json(diff.other));
  return out.str();
}

int show(const Options &options, Output &out) {
  const auto before = read_sourced_contract(options.before, options.id);
  if (!before) return fail_contract(out, before.error(), kNoVerdict);
  const auto after = read_sourced_contract(options.after, options.id);
  if (!after) return fail_contract(out, after.error(), kNoVerdict);
  if (before->manifest.id() != after->manifest.id())
    return fail_contract(out,
                         after->place({"different_lineage",
                                       "/id",
                                       "\"" + after->manifest.id() + "\" is another contract than \"" +
                                           before->manifest.id() + "\" in " + shown_name(options.before),
                                       "two contracts of one id",
                                       {}}),
                         kNoVerdict);
  const auto surroundings = read_surroundings(options.with);
  if (!surroundings) return fail_contract(out, surroundings.error(), kNoVerdict);
  auto diff = diff_contracts(before->manifest, after->manifest, *surroundings);
  if (!diff) return fail_contract(out, after->place(diff.error()), kNoVerdict);
  if (diff->conflict) diff->conflict = after->place(std::move(*diff->conflict));
  if (out.format() == Output::Format::json)
    print_json(out, json_of_diff(before->manifest, after->manifest, *diff));
  else
    out.show(text_of_diff(before->manifest, after->manifest, *diff));
  if (!diff->conflict) return 0;
  out.fail(*diff->conflict);
  return kIncompatible;
}

} // namespace

void add_diff_command(Command group) {
  const auto options = std::make_shared<Options>();
  auto command = group.command("diff", "Say what a new version of a contract changes; 1: incompatible, 2: no verdict");
  command.argument("OLD", options->before, "contract.json, plugin.so or - for standard input");
  command.argument("NEW", options->after, "the same");
  command.option("--id", options->id, "the contract to take from files with several");
  add_with_option(command, options->with);
  command.action([options](Output &out) {
    if (options->before == "-" && options->after == "-")
      return fail_contract(out, {"option", "NEW", "standard input can be read once only", "a file", {}}, kNoVerdict);
    return show(*options, out);
  });
}

} // namespace trellis::cli
