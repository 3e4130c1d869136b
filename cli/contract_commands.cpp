// trellis contract: what can be said about a contract without any server.
#include "commands.h"
#include "contract_file.h"

namespace trellis::cli {
namespace {

Result<Report> check(const std::string &file) {
  const auto manifest = read_contract(file);
  if (!manifest) return tl::make_unexpected(manifest.error());
  Report report(file + " holds a valid contract");
  report.text("id", manifest->id())
      .text("kind", std::string(kind_name(manifest->kind())))
      .text("displayName", manifest->model().display_name)
      .text("digest", manifest->digest());
  return report;
}

// Text is the digest alone, for scripts.
int digest(const std::string &file, Output &out) {
  const auto manifest = read_contract(file);
  if (!manifest) return out.fail(manifest.error());
  if (out.format() == Output::Format::text)
    out.out() << manifest->digest() << '\n';
  else
    out.show(Report().text("id", manifest->id()).text("digest", manifest->digest()));
  return 0;
}

Command add_command(Command group, const std::string &name, const std::string &help, std::string &file) {
  auto command = group.command(name, help);
  command.argument("FILE", file, "contract.json or plugin.so");
  return command;
}

} // namespace

void add_contract_commands(Command root) {
  auto group = root.group("contract", "Contracts as files");
  const auto checked = std::make_shared<std::string>();
  add_command(group, "check", "Say whether a contract is valid, and if not, where and why", *checked).report([checked] {
    return check(*checked);
  });
  const auto digested = std::make_shared<std::string>();
  add_command(group, "digest", "Print the digest of a contract", *digested).action([digested](Output &out) {
    return digest(*digested, out);
  });
}

} // namespace trellis::cli
