#include "command.h"

#include "settings/config_keys.h"
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

namespace trellis::cli {

// The global options, and what the chosen command does.
struct Command::Shared {
  std::string version;
  std::string format = "text";
  bool json = false;
  int verbosity = 0;
  Action chosen;
};

namespace {

CLI::App &add(CLI::App &parent, const std::string &name, const std::string &help) {
  auto *added = parent.add_subcommand(name, help);
  added->fallthrough(); // global options may follow the command
  return *added;
}

// The innermost command that was recognised.
CLI::App &innermost(CLI::App &app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : innermost(*chosen.back());
}

// CLI11 only says that a command is required; a word that was meant as one deserves to be named.
std::string usage_problem(CLI::App &root, const CLI::Error &problem) {
  const auto &app = innermost(root);
  std::vector<std::string> names;
  for (const auto *command : app.get_subcommands([](const CLI::App *each) { return !each->get_name().empty(); }))
    names.push_back(command->get_name());
  const auto words = root.remaining(true);
  const auto unknown = std::ranges::find_if(words, [](const auto &word) { return !word.starts_with('-'); });
  if (names.empty() || unknown == words.end()) return problem.what();
  const auto close = closest_name(*unknown, names);
  return "unknown command " + *unknown + (close.empty() ? "" : ", did you mean " + close + "?");
}

void bind(CLI::Option *option, Presence presence) {
  if (presence == Presence::required) option->required();
}

} // namespace

Command Command::group(const std::string &name, const std::string &help) {
  for (auto *existing : app_->get_subcommands([](const CLI::App *) { return true; }))
    if (existing->get_name() == name) return {*existing, *shared_};
  auto &added = add(*app_, name, help);
  added.require_subcommand(1);
  return {added, *shared_};
}

Command Command::command(const std::string &name, const std::string &help) {
  return {add(*app_, name, help), *shared_};
}

void Command::argument(const std::string &name, std::string &into, const std::string &help, Presence presence) {
  bind(app_->add_option(name, into, help)->type_name(""), presence);
}

void Command::option(const std::string &names, std::string &into, const std::string &help, Presence presence) {
  auto *option = app_->add_option(names, into, help);
  if (!into.empty()) option->capture_default_str();
  bind(option, presence);
}

void Command::options(const std::string &names, std::vector<std::string> &into, const std::string &help,
                      Presence presence) {
  // One value each time, so that it can't swallow a positional that follows.
  bind(app_->add_option(names, into, help)->allow_extra_args(false), presence);
}

void Command::exactly_one(const std::string &first, const std::string &second) {
  auto *group = app_->add_option_group("one of");
  for (const auto &name : {first, second})
    group->add_option(app_->get_option(name));
  group->require_option(1);
}

void Command::number(const std::string &names, std::int64_t &into, std::int64_t least, std::int64_t most,
                     const std::string &help) {
  app_->add_option(names, into, help)->check(CLI::Range(least, most))->capture_default_str();
}

void Command::flag(const std::string &names, bool &into, const std::string &help) {
  app_->add_flag(names, into, help);
}

void Command::action(Action run) {
  app_->callback([shared = shared_, run = std::move(run)] { shared->chosen = run; });
}

void Command::report(std::function<Result<Report>()> make) {
  action([make = std::move(make)](Output &out) {
    const auto made = make();
    if (!made) return out.fail(made.error());
    out.show(*made);
    return 0;
  });
}

Program::Program(const std::string &name, const std::string &version, const std::string &help)
    : app_(std::make_unique<CLI::App>(help, name)), shared_(std::make_unique<Command::Shared>()) {
  shared_->version = version;
  app_->require_subcommand(1);
  app_->set_version_flag("-V,--version", name + " " + version);
  app_->add_option("--format", shared_->format, "form of the result")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app_->add_flag("--json", shared_->json, "the same as --format json");
  app_->add_flag("-v,--verbose", shared_->verbosity, "more on stderr; twice: everything");
}

Program::~Program() = default;

Command Program::root() {
  return {*app_, *shared_};
}

int Program::run(const std::vector<std::string> &arguments, std::ostream &out, std::ostream &err, bool colour) {
  try {
    app_->parse(std::vector<std::string>(arguments.rbegin(), arguments.rend())); // CLI11 takes them from the end
  } catch (const CLI::Success &asked) {                                          // --help, --version
    return app_->exit(asked, out, err);
  } catch (const CLI::Error &problem) {
    err << "error: " << printable(usage_problem(*app_, problem)) << "\n\n" << app_->help();
    return 2;
  }
  const auto format = shared_->json || shared_->format == "json" ? Output::Format::json : Output::Format::text;
  Output output(out, err, format, colour, shared_->verbosity);
  return shared_->chosen(output);
}

} // namespace trellis::cli
