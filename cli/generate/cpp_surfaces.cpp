// Descriptors of surfaces, client, handlers, and the contract's section.
#include "generate/cpp_model.h"

#include <algorithm>
#include <array>
#include <set>

namespace trellis::generate {
namespace {

// What the descriptors of a namespace have as members: no struct can have a member type of its own name.
std::set<std::string> aliases_in(const std::string &name) {
  if (name == "rpc") return {"Input", "Later", "Output", "Reply", "Result"};
  if (name == "events") return {"Payload"};
  if (name == "operations") return {"Input", "Output", "Progress"};
  if (name == "feeds") return {"Event", "Input"};
  return name == "jobs" ? std::set<std::string>{"Payload", "Result"} : std::set<std::string>{"Value"};
}

// One namespace of descriptors. A schema may have the name of a descriptor ("Order.Shipped" and "OrderShipped") or of
// an alias in one ("Result"): there it needs all of its name.
class Section {
public:
  Section(const CppModel &model, std::string name, std::string comment = {})
      : model_(model), name_(std::move(name)), comment_(std::move(comment)), scope_(aliases_in(name_)) {}

  // Of all descriptors before the first one is written.
  std::string descriptor(std::string_view name) {
    names_.push_back(scope_.add(pascal_case(name)));
    known_.insert(names_.back());
    return names_.back();
  }
  std::string type(const std::string &name) const {
    constexpr std::array kAliases{"Event",    "Input", "Later",  "Output", "Payload",
                                  "Progress", "Reply", "Result", "Value"};
    const bool is_hidden = known_.contains(name) ||
                           std::find(kAliases.begin(), kAliases.end(), name) != kAliases.end() ||
                           name.ends_with("Signal");
    if (!is_hidden) return name;
    std::string space = model_.name_space;
    if (const auto at = space.find("inline "); at != std::string::npos) space.erase(at, 7);
    return "::" + space + "::" + name;
  }
  std::string type(const Type &of) const { return type(model_.type_text(of)); }

  void open(const std::string &descriptor, const std::string &doc, std::string_view name, const std::string &subject) {
    body_ += (body_.empty() ? "" : "\n") + cpp_comment(doc) + "struct " + descriptor + " {\n";
    constant("kContract", "kContractId");
    constant("kName", cpp_literal(name));
    if (!subject.empty()) constant("kSubject", cpp_literal(subject));
  }
  void constant(const std::string &name, const std::string &value) {
    body_ += "  static constexpr std::string_view " + name + " = " + value + ";\n";
  }
  void alias(const std::string &name, const std::string &type) { body_ += "  using " + name + " = " + type + ";\n"; }
  void comment(const std::string &text) { body_ += cpp_comment(text, "  "); }
  void line(const std::string &text) { body_ += text + "\n"; }
  void close() { body_ += "};\n"; }

  std::string text() const {
    return body_.empty() ? ""
                         : comment_ + "namespace " + name_ + " {\n\n" + body_ + "\n} // namespace " + name_ + "\n\n";
  }
  const std::vector<std::string> &names() const { return names_; }

private:
  const CppModel &model_;
  std::string name_, comment_, body_;
  CppScope scope_;
  std::vector<std::string> names_;
  std::set<std::string> known_; // the same
};

template <class Surface>
void name_all(Section &section, const std::vector<Surface> &surfaces) {
  for (const auto &surface : surfaces)
    section.descriptor(surface.name);
}

std::string rpc_descriptors(const CppModel &model) {
  Section section(
      model, "rpc",
      "// Result is what a caller gets, Reply what a handler returns, Later what it keeps to answer later.\n");
  for (const auto &rpc : model.rpcs)
    section.descriptor(rpc.rpc->name);
  for (auto rpc : model.rpcs) {
    section.open(rpc.descriptor, rpc.rpc->doc, rpc.rpc->name, rpc.rpc->subject);
    rpc.input = section.type(rpc.input);
    rpc.output = section.type(rpc.output);
    for (auto &error : rpc.errors)
      error = section.type(error);
    section.alias("Input", rpc.input);
    section.alias("Output", rpc.output);
    for (const char *alias : {"Result", "Reply", "Later"}) {
      const std::string which = alias == std::string_view("Result") ? "RpcResult" : alias;
      std::vector<std::string> arguments{rpc.output};
      arguments.insert(arguments.end(), rpc.errors.begin(), rpc.errors.end());
      section.line(wrapped(std::string("  using ") + alias + " = trellis::" + which + "<", arguments, ">;"));
    }
    for (const auto &type : rpc.untyped)
      section.comment("Also declares error \"" + type + "\", which this contract doesn't describe.");
    section.close();
  }
  return section.text();
}

std::string param_type(Type::Kind kind) {
  return kind == Type::Kind::text ? "std::string_view" : "double";
}

// The names of an event's parameters: the last part of their pointers.
std::vector<std::string> param_names(const Event &event) {
  CppScope scope;
  std::vector<std::string> out;
  for (const auto &param : event.params)
    out.push_back(scope.add(snake_case(param.pointer.substr(param.pointer.rfind('/') + 1))));
  return out;
}

std::vector<std::string> parameters(const Event &event, bool is_filter, bool with_defaults) {
  const auto names = param_names(event);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto type = param_type(event.params[i].kind);
    out.push_back((is_filter ? "std::optional<" + type + ">" : type) + " " + names[i] +
                  (is_filter && with_defaults ? " = {}" : ""));
  }
  return out;
}

std::string event_descriptors(const CppModel &model) {
  Section section(model, "events");
  name_all(section, model.model.events);
  for (std::size_t i = 0; i < model.model.events.size(); ++i) {
    const auto &event = model.model.events[i];
    section.open(section.names()[i], event.doc, event.name, event.subject);
    section.alias("Payload", section.type(event.payload));
    if (!event.params.empty()) {
      section.line(wrapped("  static std::string subject(", parameters(event, false, true), "); // of one event"));
      section.line(wrapped("  static std::string filter(", parameters(event, true, true), "); // any where absent"));
    }
    section.close();
  }
  return section.text();
}

std::string operation_descriptors(const CppModel &model) {
  Section section(model, "operations");
  name_all(section, model.model.operations);
  for (std::size_t i = 0; i < model.model.operations.size(); ++i) {
    const auto &operation = model.model.operations[i];
    section.open(section.names()[i], operation.doc, operation.name, operation.subject);
    section.alias("Input", section.type(operation.input));
    section.alias("Output", section.type(operation.output));
    if (operation.progress) section.alias("Progress", section.type(*operation.progress));
    CppScope scope({"Input", "Output", "Progress", section.names()[i]});
    for (const auto &[name, input] : operation.signals)
      section.alias(scope.add(pascal_case(name) + "Signal"), section.type(input));
    section.close();
  }
  return section.text();
}

std::string feed_descriptors(const CppModel &model) {
  Section section(model, "feeds");
  name_all(section, model.model.feeds);
  for (std::size_t i = 0; i < model.model.feeds.size(); ++i) {
    const auto &feed = model.model.feeds[i];
    section.open(section.names()[i], feed.doc, feed.name, feed.subject);
    section.alias("Input", section.type(feed.input));
    section.alias("Event", section.type(feed.event));
    section.close();
  }
  return section.text();
}

std::string job_descriptors(const CppModel &model) {
  Section section(model, "jobs");
  name_all(section, model.model.jobs);
  for (std::size_t i = 0; i < model.model.jobs.size(); ++i) {
    const auto &job = model.model.jobs[i];
    section.open(section.names()[i], job.doc, job.name, {});
    section.alias("Payload", section.type(job.payload));
    if (job.result) section.alias("Result", section.type(*job.result));
    section.close();
  }
  return section.text();
}

std::string store_descriptors(const CppModel &model, const std::string &name, const std::vector<Store> &stores) {
  Section section(model, name);
  name_all(section, stores);
  for (std::size_t i = 0; i < stores.size(); ++i) {
    section.open(section.names()[i], stores[i].doc, stores[i].name, {});
    section.alias("Value", section.type(stores[i].value));
    section.close();
  }
  return section.text();
}

// The pieces of a template: what is between the parameters, and where these are.
std::string subject_expression(const Event &event, const std::string &function) {
  const auto names = param_names(event);
  std::string out, rest = event.subject;
  for (const auto &name : names) {
    const auto open = rest.find('{');
    if (open > 0)
      out += (out.empty() ? "std::string(" : " + ") + cpp_literal(rest.substr(0, open)) + (out.empty() ? ")" : "");
    out += (out.empty() ? "trellis::" : " + trellis::") + function + "(" + name + ")";
    rest.erase(0, rest.find('}') + 1);
  }
  return rest.empty() ? out : out + " + " + cpp_literal(rest);
}

} // namespace

std::string surface_descriptors(const CppModel &model) {
  return rpc_descriptors(model) + event_descriptors(model) + operation_descriptors(model) + feed_descriptors(model) +
         job_descriptors(model) + store_descriptors(model, "state", model.model.states) +
         store_descriptors(model, "kv", model.model.kvs);
}

std::string subject_functions(const CppModel &model) {
  Section section(model, "events");
  std::string out;
  for (const auto &event : model.model.events) {
    const auto name = "events::" + section.descriptor(event.name);
    if (event.params.empty()) continue;
    out += wrapped("std::string " + name + "::subject(", parameters(event, false, false), ") {") + "\n  return " +
           subject_expression(event, "subject_token") + ";\n}\n\n";
    out += wrapped("std::string " + name + "::filter(", parameters(event, true, false), ") {") + "\n  return " +
           subject_expression(event, "filter_token") + ";\n}\n\n";
  }
  return out;
}

std::string client_class(const CppModel &model) {
  if (model.rpcs.empty()) return {};
  std::string out =
      "// Calls the service over `caller`, which must outlive the client. A function waits for the answer;\n"
      "// `timeout` zero is the protocol's default. The other form returns at once, and `on_result` runs\n"
      "// exactly once, on any thread.\n"
      "class Client {\npublic:\n"
      "  explicit Client(trellis::RpcCaller &caller) : caller_(caller) {}\n\n";
  for (const auto &rpc : model.rpcs) {
    const std::string result = "rpc::" + rpc.descriptor + "::Result";
    out += wrapped("  " + result + " " + rpc.function + "(",
                   {"const " + rpc.input + " &in", "std::chrono::milliseconds timeout = {}"}, ") const;\n");
    out += wrapped("  void " + rpc.function + "_async(",
                   {"const " + rpc.input + " &in", "std::function<void(" + result + ")> on_result",
                    "std::chrono::milliseconds timeout = {}"},
                   ") const;\n");
  }
  return out + "\nprivate:\n  trellis::RpcCaller &caller_;\n};\n\n";
}

std::string client_functions(const CppModel &model) {
  std::string out;
  for (const auto &rpc : model.rpcs) {
    const std::string descriptor = "rpc::" + rpc.descriptor, result = descriptor + "::Result";
    out += wrapped(result + " Client::" + rpc.function + "(",
                   {"const " + rpc.input + " &in", "std::chrono::milliseconds timeout"}, ") const {") +
           "\n  return trellis::call_typed<" + descriptor + ">(caller_, in, timeout);\n}\n\n";
    out += wrapped("void Client::" + rpc.function + "_async(",
                   {"const " + rpc.input + " &in", "std::function<void(" + result + ")> on_result",
                    "std::chrono::milliseconds timeout"},
                   ") const {") +
           "\n  trellis::call_typed_async<" + descriptor + ">(caller_, in, std::move(on_result), timeout);\n}\n\n";
  }
  return out;
}

namespace {

// What a service implements, and how it is registered.
struct ServiceParts {
  std::string handlers, health_handlers, registrations;
};

std::string handler_function(const CppRpc &rpc) {
  return cpp_comment(rpc.rpc->doc, "  ") + wrapped("  virtual rpc::" + rpc.descriptor + "::Reply " + rpc.function + "(",
                                                   {"const " + rpc.input + " &in", "trellis::Call &call"}, ") = 0;\n");
}

std::string registration(const CppRpc &rpc, const std::string &indent, const std::string &object) {
  return wrapped(
      indent + "service.typed_rpc<rpc::" + rpc.descriptor + ">(",
      {"[" + object + "](const auto &in, auto &call) { return " + object + "->" + rpc.function + "(in, call); }"},
      ");\n");
}

// <Plugin>.Health has a class of its own, for a service that doesn't leave it to the host. Registered by what the
// handlers are, not by a second serve(): that one would be ambiguous.
void add_health(const CppRpc &rpc, ServiceParts &parts) {
  parts.health_handlers += "// " + rpc.rpc->name +
                           " is the host's to answer, when the plugin or its program has that name. A service that\n"
                           "// answers it itself derives from this, too.\nstruct " +
                           rpc.health_handler + " {\n  virtual ~" + rpc.health_handler + "() = default;\n\n" +
                           handler_function(rpc) + "};\n\n";
  parts.registrations += "  if (const auto own = std::dynamic_pointer_cast<" + rpc.health_handler + ">(handlers))\n" +
                         registration(rpc, "    ", "own");
}

void add_rpcs(const CppModel &model, ServiceParts &parts) {
  for (const auto &rpc : model.rpcs) {
    if (!rpc.health_handler.empty()) {
      add_health(rpc, parts);
      continue;
    }
    parts.handlers += handler_function(rpc);
    parts.registrations += registration(rpc, "  ", "handlers");
  }
}

// A feed may have the name of an rpc: then its function gets a number.
void add_feeds(const CppModel &model, ServiceParts &parts) {
  Section section(model, "feeds");
  name_all(section, model.model.feeds);
  std::set<std::string> taken;
  for (const auto &rpc : model.rpcs)
    taken.insert(rpc.function);
  CppScope functions(std::move(taken));
  for (std::size_t i = 0; i < model.model.feeds.size(); ++i) {
    const auto &feed = model.model.feeds[i];
    const auto descriptor = "feeds::" + section.names()[i], function = functions.add(snake_case(feed.name));
    parts.handlers += cpp_comment(feed.doc, "  ") + wrapped("  virtual void " + function + "(",
                                                            {"const " + descriptor + "::Input &in",
                                                             "trellis::Stream<" + descriptor + "::Event> stream"},
                                                            ") = 0;\n");
    parts.registrations += wrapped(
        "  service.typed_feed<" + descriptor + ">(",
        {"[handlers](const auto &in, auto stream) { handlers->" + function + "(in, std::move(stream)); }"}, ");\n");
  }
}

} // namespace

std::string service_header(const CppModel &model) {
  ServiceParts parts;
  add_rpcs(model, parts);
  add_feeds(model, parts);
  const std::string body =
      parts.registrations.empty()
          ? "// The contract owns neither rpc nor feed: there is nothing to handle.\n"
          : "// What the service does. A function runs on a worker of the plugin, several at the same time.\n"
            "struct Handlers {\n  virtual ~Handlers() = default;\n" +
                (parts.handlers.empty() ? "" : "\n" + parts.handlers) + "};\n\n" + parts.health_handlers +
                "inline void serve(trellis::Service &service, const std::shared_ptr<Handlers> &handlers) {\n" +
                parts.registrations + "}\n";
  return file_header(model, "for the plugin that implements it.") + "#pragma once\n\n#include \"" + model.stem +
         ".h\"\n#include <memory>\n#include <trellis/service.h>\n" +
         (model.model.feeds.empty() ? "" : "#include <utility>\n") + "\nnamespace " + model.name_space + " {\n\n" +
         body + "\n} // namespace " + model.name_space + "\n";
}

} // namespace trellis::generate
