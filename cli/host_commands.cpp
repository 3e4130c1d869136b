// trellis host: what runs, over the control socket of a host on this machine.
#include "commands.h"
#include "contracts/json.h"
#include "host/control_socket.h"
#include "host_config/config.h"
#include "host_watch.h"
#include <memory>
#include <ostream>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string config = "trellis.toml", state_dir;
  bool watch = false;
  std::int64_t interval_s = 2;
};

Result<std::filesystem::path> socket_of(const Options &options) {
  if (!options.state_dir.empty()) return std::filesystem::path(options.state_dir) / host::kControlSocketName;
  const auto config = host::load_config(options.config);
  if (!config) return tl::unexpected(config.error());
  return config->state_dir / host::kControlSocketName;
}

Result<JsonDocument> ask(const Options &options, std::string_view request, std::chrono::milliseconds limit) {
  const auto socket = socket_of(options);
  if (!socket) return tl::unexpected(socket.error());
  const auto text = host::ask_control_socket(*socket, request, limit);
  if (!text) return tl::unexpected(text.error());
  auto answer = parse_json(*text, {host::kMaxControlAnswer, 64});
  if (!answer) return fail("control_socket", socket->string(), "the host's answer is no JSON");
  const JsonValue *ok = find_member(*answer, "ok");
  if (ok && ok->IsBool() && ok->GetBool()) return answer;
  return fail(std::string(string_member(*answer, "code", "refused")), socket->string(),
              std::string(string_member(*answer, "reason", "the host refused")));
}

// One row for each object of the answer's list `member`.
Table table_of(const JsonValue &answer, const char *member, std::vector<std::string> columns) {
  Table table{std::move(columns), {}};
  const JsonValue *list = find_member(answer, member);
  if (!list || !list->IsArray()) return table;
  for (const JsonValue &entry : list->GetArray()) {
    std::vector<std::string> row;
    for (const auto &column : table.columns)
      row.emplace_back(string_member(entry, column));
    table.rows.push_back(std::move(row));
  }
  return table;
}

bool settled(const JsonValue &answer) {
  const JsonValue *flag = find_member(answer, "settled");
  return flag && flag->IsBool() && flag->GetBool();
}

int run_watch(const Options &options, Output &out) {
  if (const auto socket = socket_of(options); !socket) return out.fail(socket.error());
  const auto interval = std::chrono::seconds(options.interval_s);
  return watch_host([&] { return ask(options, R"({"op":"status"})", 3s); }, interval, out);
}

int run_status(const Options &options, Output &out) {
  if (options.watch) return run_watch(options, out);
  const auto answer = ask(options, R"({"op":"status"})", 10s);
  if (!answer) return out.fail(answer.error());
  Report report;
  report.text("host", std::string(string_member(*answer, "host")))
      .flag("settled", settled(*answer))
      .table("plugins", table_of(*answer, "plugins", {"name", "role", "deployment", "phase", "contractId", "detail"}));
  out.show(report, to_json(*answer));
  return 0;
}

int run_keys(const Options &options, Output &out) {
  const auto answer = ask(options, R"({"op":"keys"})", 10s);
  if (!answer) return out.fail(answer.error());
  out.show(Report().table("keys", table_of(*answer, "keys", {"plugin", "deployment", "sessionKey"})), to_json(*answer));
  return 0;
}

// As text it is what Prometheus scrapes, and nothing else.
int run_metrics(const Options &options, Output &out) {
  const bool as_json = out.format() == Output::Format::json;
  const auto answer = ask(options, as_json ? R"({"op":"metrics"})" : R"({"op":"metrics","format":"prometheus"})", 10s);
  if (!answer) return out.fail(answer.error());
  if (as_json)
    out.out() << pretty_json(to_json(*answer)) << std::endl;
  else
    out.out() << printable(string_member(*answer, "text")) << std::flush;
  return out.out() ? 0 : 1;
}

int run_reload(const Options &options, Output &out) {
  const auto answer = ask(options, R"({"op":"reload"})", 90s); // the host answers within 60 s
  if (!answer) return out.fail(answer.error());
  out.show(Report(settled(*answer) ? "reloaded" : "reloaded; some plugins still start or stop")
               .flag("settled", settled(*answer)),
           to_json(*answer));
  return 0;
}

} // namespace

void add_host_commands(Command root) {
  const auto options = std::make_shared<Options>();
  auto host = root.group("host", "The host that runs on this machine");
  const auto add = [&](const char *name, const char *help, int (*run)(const Options &, Output &)) {
    auto command = host.command(name, help);
    command.option("--config", options->config, "its trellis.toml, which says where its state is");
    command.option("--state-dir", options->state_dir, "its state folder, instead of --config");
    command.action([options, run](Output &out) { return run(*options, out); });
    return command;
  };
  auto status = add("status", "Which plugins run, and why others don't", run_status);
  status.flag("--watch", options->watch, "show it again and again, with rates, until Ctrl-C");
  status.number("--interval", options->interval_s, 1, 3600, "seconds between two looks of --watch");
  add("reload", "Read trellis.toml and the policy again", run_reload);
  add("metrics", "What it counts, for Prometheus; docs/metrics.md has every name", run_metrics);
  add("keys", "The public keys of its plugins, for provisioning them", run_keys);
}

} // namespace trellis::cli
