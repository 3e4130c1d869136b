#include "generate/model.h"

#include "contracts/canonical.h"
#include "contracts/event_template.h"
#include "contracts/name_index.h"
#include "generate/schema_types.h"
#include <algorithm>
#include <set>

namespace trellis::generate {
namespace {

// Members that every error has (06 §5); the runtime sets them.
const std::vector<std::string_view> kEnvelope{"id", "type", "message", "context", "traceId"};

template <class T>
std::vector<const std::pair<std::string, T> *> sorted(const std::optional<Named<T>> &section) {
  std::vector<const std::pair<std::string, T> *> out;
  for (const auto &entry : entries_of(section))
    out.push_back(&entry);
  std::sort(out.begin(), out.end(), [](const auto *a, const auto *b) { return utf16_less(a->first, b->first); });
  return out;
}

std::string doc_text(const std::optional<Docs> &docs) {
  return docs ? docs->summary.value_or("") : "";
}

class ModelBuilder {
public:
  explicit ModelBuilder(const Manifest &manifest) : manifest_(manifest), from_(manifest.model()) {}

  Result<Model> build() {
    out_.contract_id = manifest_.id();
    out_.digest = manifest_.digest();
    out_.display_name = from_.display_name;
    out_.description = from_.description;
    out_.contract = manifest_.normalized();
    add_schemas();
    add_errors();
    add_rpcs();
    add_operations();
    add_events();
    add_feeds();
    add_resources();
    if (problem_) return tl::make_unexpected(std::move(*problem_));
    out_.types = types_.take();
    drop_unused_types();
    return std::move(out_);
  }

private:
  // Schemas that only describe errors become the errors' structs and nothing else.
  std::set<std::string> error_schemas() const {
    std::set<std::string> only_errors;
    for (const auto *entry : sorted(from_.errors))
      if (entry->second.schema) only_errors.insert(*entry->second.schema);
    const auto used = [&](const std::string &name) { only_errors.erase(name); };
    for (const auto *rpc : sorted(from_.rpc)) {
      used(rpc->second.input);
      used(rpc->second.output);
    }
    for (const auto *operation : sorted(from_.operations)) {
      used(operation->second.input);
      used(operation->second.output);
      if (operation->second.progress) used(*operation->second.progress);
      for (const auto *signal : sorted(operation->second.signals))
        used(signal->second.input);
    }
    for (const auto *event : sorted(from_.events))
      used(event->second.event);
    for (const auto *feed : sorted(from_.feeds)) {
      used(feed->second.input);
      used(feed->second.event);
    }
    for (const auto *job : sorted(from_.jobs)) {
      used(job->second.payload);
      if (job->second.result) used(*job->second.result);
    }
    for (const auto *state : sorted(from_.state))
      used(state->second.schema);
    if (from_.resources)
      for (const auto *kv : sorted(from_.resources->kv))
        used(kv->second.schema);
    return only_errors;
  }

  void add_schemas() {
    const auto only_errors = error_schemas();
    for (const auto *entry : sorted(from_.schemas))
      if (!only_errors.contains(entry->first)) named_.emplace(entry->first, types_.add(entry->first, *entry->second));
  }

  void add_errors() {
    std::map<std::string, std::string> schema_of;
    for (const auto *entry : sorted(from_.errors)) {
      const auto &[type, schema] = entry->second;
      const auto [before, is_new] = schema_of.try_emplace(type, schema.value_or(""));
      if (!is_new && before->second != schema.value_or(""))
        report(json_pointer("errors", entry->first), "ambiguous_error_type",
               "error type \"" + type + "\" is declared twice with different schemas", "one declaration of a type");
      if (!is_new) continue;
      const auto *value = schema ? manifest_.schema(*schema) : nullptr;
      out_.errors.push_back({type, value ? types_.shape_of(type, *value, kEnvelope) : ObjectShape{}});
    }
  }

  void add_rpcs() {
    for (const auto *entry : sorted(from_.rpc)) {
      const auto &[name, rpc] = *entry;
      std::set<std::string, Utf16Less> errors;
      for (const auto &type : names_in(rpc.errors))
        errors.insert(type);
      out_.rpcs.push_back({name,
                           rpc.subject,
                           doc_text(rpc.docs),
                           use(rpc.input, json_pointer("rpc", name, "input")),
                           use(rpc.output, json_pointer("rpc", name, "output")),
                           {errors.begin(), errors.end()}});
    }
  }

  void add_operations() {
    for (const auto *entry : sorted(from_.operations)) {
      const auto &[name, operation] = *entry;
      Operation out{name,
                    operation.subject,
                    doc_text(operation.docs),
                    use(operation.input, json_pointer("operations", name, "input")),
                    use(operation.output, json_pointer("operations", name, "output")),
                    {},
                    {}};
      if (operation.progress) out.progress = use(*operation.progress, json_pointer("operations", name, "progress"));
      for (const auto *signal : sorted(operation.signals))
        out.signals.emplace_back(signal->first, use(signal->second.input, json_pointer("operations", name, "signals",
                                                                                       signal->first, "input")));
      out_.operations.push_back(std::move(out));
    }
  }

  void add_events() {
    for (const auto *entry : sorted(from_.events)) {
      const auto &[name, event] = *entry;
      Event out{name, event.subject, doc_text(event.docs), use(event.event, json_pointer("events", name, "event")), {}};
      for (const auto &pointer : names_in(event.params))
        out.params.push_back({pointer, param_kind(out.payload, pointer)});
      out_.events.push_back(std::move(out));
    }
  }

  // Follows the pointer through structs; what is anything else than a number is written as text.
  Type::Kind param_kind(Type type, std::string_view pointer) {
    const auto &types = types_.types();
    while (pointer.starts_with('/')) {
      pointer.remove_prefix(1);
      const auto token = pointer.substr(0, pointer.find('/'));
      pointer.remove_prefix(token.size());
      while (type.kind == Type::Kind::named && std::holds_alternative<AliasShape>(types[type.named].shape))
        type = std::get<AliasShape>(types[type.named].shape).type;
      if (type.kind != Type::Kind::named) return Type::Kind::text;
      const auto *object = std::get_if<ObjectShape>(&types[type.named].shape);
      if (!object) return Type::Kind::text;
      const auto found = std::find_if(object->members.begin(), object->members.end(),
                                      [&](const Member &member) { return json_pointer_token(member.name) == token; });
      if (found == object->members.end()) return Type::Kind::text;
      type = found->type;
    }
    const bool is_number = type.kind == Type::Kind::integer || type.kind == Type::Kind::number;
    return is_number ? type.kind : Type::Kind::text;
  }

  void add_feeds() {
    for (const auto *entry : sorted(from_.feeds)) {
      const auto &[name, feed] = *entry;
      out_.feeds.push_back({name, feed.subject, doc_text(feed.docs),
                            use(feed.input, json_pointer("feeds", name, "input")),
                            use(feed.event, json_pointer("feeds", name, "event"))});
    }
  }

  void add_resources() {
    for (const auto *entry : sorted(from_.jobs)) {
      Job job{entry->first,
              doc_text(entry->second.docs),
              use(entry->second.payload, json_pointer("jobs", entry->first, "payload")),
              {}};
      if (entry->second.result) job.result = use(*entry->second.result, json_pointer("jobs", entry->first, "result"));
      out_.jobs.push_back(std::move(job));
    }
    for (const auto *entry : sorted(from_.state))
      out_.states.push_back({entry->first, doc_text(entry->second.docs),
                             use(entry->second.schema, json_pointer("state", entry->first, "schema"))});
    if (!from_.resources) return;
    for (const auto *entry : sorted(from_.resources->kv))
      out_.kvs.push_back({entry->first, entry->second.purpose,
                          use(entry->second.schema, json_pointer("resources", "kv", entry->first, "schema"))});
  }

  Type use(const std::string &schema, const std::string &pointer) {
    const auto found = named_.find(schema);
    if (found != named_.end()) return found->second;
    report(pointer, "unknown_schema_ref", "there is no schema \"" + schema + "\"", "a name under schemas");
    return {};
  }

  void report(const std::string &pointer, std::string code, std::string message, std::string expected) {
    if (!problem_) problem_ = Error{std::move(code), pointer, std::move(message), std::move(expected), {}};
  }

  // ---------------------------------------------------------------------------------------------- unused types

  void mark(const Type &type, std::vector<bool> &used) {
    if (type.kind == Type::Kind::list || type.kind == Type::Kind::map) mark(type.item[0], used);
    if (type.kind == Type::Kind::named) used[type.named] = true;
  }
  template <class Visit>
  static void visit_types(ObjectShape &shape, const Visit &visit) {
    for (auto &member : shape.members)
      visit(member.type);
    if (shape.rest) visit(*shape.rest);
  }
  template <class Visit>
  static void visit_types(NamedType &named, const Visit &visit) {
    if (auto *object = std::get_if<ObjectShape>(&named.shape)) visit_types(*object, visit);
    if (auto *alias = std::get_if<AliasShape>(&named.shape)) visit(alias->type);
    if (auto *either = std::get_if<UnionShape>(&named.shape))
      for (auto &type : either->alternatives)
        visit(type);
  }
  template <class Visit>
  void visit_surfaces(const Visit &visit) {
    for (auto &error : out_.errors)
      visit_types(error.own, visit);
    for (auto &rpc : out_.rpcs)
      visit(rpc.input), visit(rpc.output);
    for (auto &operation : out_.operations) {
      visit(operation.input), visit(operation.output);
      if (operation.progress) visit(*operation.progress);
      for (auto &signal : operation.signals)
        visit(signal.second);
    }
    for (auto &event : out_.events)
      visit(event.payload);
    for (auto &feed : out_.feeds)
      visit(feed.input), visit(feed.event);
    for (auto &job : out_.jobs) {
      visit(job.payload);
      if (job.result) visit(*job.result);
    }
    for (auto *stores : {&out_.states, &out_.kvs})
      for (auto &store : *stores)
        visit(store.value);
  }

  // Attempts at unions leave some behind. Users come after what they use, so one pass from the end finds all.
  void drop_unused_types() {
    std::vector<bool> used(out_.types.size());
    const auto mark_it = [&](const Type &type) { mark(type, used); };
    visit_surfaces(mark_it);
    for (std::size_t i = out_.types.size(); i-- > 0;) {
      if (out_.types[i].path.size() == 1) used[i] = true; // a schema of the contract
      if (used[i]) visit_types(out_.types[i], mark_it);
    }
    std::vector<std::size_t> moved(out_.types.size());
    std::vector<NamedType> kept;
    for (std::size_t i = 0; i < out_.types.size(); ++i) {
      moved[i] = kept.size();
      if (used[i]) kept.push_back(std::move(out_.types[i]));
    }
    out_.types = std::move(kept);
    const auto move_it = [&](Type &type) { renumber(type, moved); };
    visit_surfaces(move_it);
    for (auto &type : out_.types)
      visit_types(type, move_it);
  }
  static void renumber(Type &type, const std::vector<std::size_t> &moved) {
    if (!type.item.empty()) renumber(type.item[0], moved);
    if (type.kind == Type::Kind::named) type.named = moved[type.named];
  }

  const Manifest &manifest_;
  const ManifestModel &from_;
  SchemaTypes types_;
  std::map<std::string, Type> named_; // by schema name
  Model out_;
  std::optional<Error> problem_;
};

} // namespace

Result<Model> read_model(const Manifest &manifest) {
  return ModelBuilder(manifest).build();
}

} // namespace trellis::generate
