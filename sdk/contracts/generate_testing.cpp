#include "generate_testing.h"

#include "contracts/json_text.h"
#include <algorithm>

namespace trellis::testing {
namespace {

using Texts = std::vector<std::string>;

const Texts &awkward_texts() {
  static const Texts kTexts{"",     "a",      "0",  "10",  "a/b",         "~",         "~1",         "x.y", "*",
                            ">",    "$SYS",   "_",  "_$x", "\u00e9",      "\ue000",    "\U0001F600", " ",   "\t",
                            "{/a}", "\u2028", "\"", "\\",  "constructor", "__proto__", "\u00a0",     "a b", "~2E~"};
  return kTexts;
}

std::string quoted(const std::string &text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// An object while it is written: its members can still be shuffled.
class Object {
public:
  Object &add(const std::string &name, std::string value) {
    members_.emplace_back(quoted(name) + ":" + std::move(value));
    return *this;
  }
  bool empty() const { return members_.empty(); }
  std::string str(std::uint64_t order = 0) const {
    auto members = members_;
    Random random(order);
    for (auto i = order == 0 ? 0 : members.size(); i > 1; --i)
      std::swap(members[i - 1], members[random.below(i)]);
    std::string out = "{";
    for (const auto &member : members)
      out += (out.size() > 1 ? "," : "") + member;
    return out + "}";
  }

private:
  Texts members_;
};

std::string array_of(const Texts &items) {
  std::string out = "[";
  for (const auto &item : items)
    out += (out.size() > 1 ? "," : "") + item;
  return out + "]";
}

std::string names_array(const Texts &names) {
  Texts items;
  for (const auto &name : names)
    items.push_back(quoted(name));
  return array_of(items);
}

// ------------------------------------------------------------------------------------------------- values and schemas

std::string any_value(Random &random, int depth) {
  switch (random.below(depth > 0 ? 8 : 6)) {
  case 0: return "null";
  case 1: return random.chance(2) ? "true" : "false";
  case 2: return std::to_string(random.below(20));
  case 3: return random.pick<std::string>({"0.5", "1e21", "1.0", "-3", "1e-7", "9007199254740993"});
  case 4:
  case 5: return quoted(random.text());
  case 6: {
    Texts items;
    for (auto count = random.below(4); count > 0; --count)
      items.push_back(any_value(random, depth - 1));
    return array_of(items);
  }
  default: {
    Object object;
    for (auto count = random.below(4); count > 0; --count)
      object.add(random.pick(awkward_texts()) + std::to_string(count), any_value(random, depth - 1));
    return object.str();
  }
  }
}

class SchemaWriter {
public:
  SchemaWriter(Random &random, std::uint64_t order) : random_(random), order_(order) {}

  std::string any(int depth) {
    if (depth == 0 || random_.chance(8)) return random_.pick<std::string>({"true", "{}", R"({"type":"string"})"});
    Object out;
    switch (random_.below(6)) {
    case 0: object(out, depth); break;
    case 1: text(out); break;
    case 2: number(out); break;
    case 3: list(out, depth); break;
    case 4: combined(out, depth); break;
    default: out.add("enum", array_of({any_value(random_, 1), any_value(random_, 1)})); break;
    }
    if (random_.chance(4)) out.add("title", quoted(random_.text()));
    return out.str(order_);
  }

private:
  void object(Object &out, int depth) {
    Object properties;
    Texts required;
    for (auto count = random_.below(4); count > 0; --count) {
      const auto name = random_.pick(awkward_texts()) + std::to_string(count);
      properties.add(name, any(depth - 1));
      if (random_.chance(2)) required.push_back(name);
    }
    out.add("type", "\"object\"").add("properties", properties.str(order_));
    if (!required.empty()) out.add("required", names_array(required));
    if (random_.chance(3)) out.add("additionalProperties", random_.chance(2) ? "false" : any(depth - 1));
    if (random_.chance(5)) out.add("maxProperties", std::to_string(random_.below(4)));
  }
  void text(Object &out) {
    out.add("type", "\"string\"");
    if (random_.chance(2)) out.add("minLength", std::to_string(random_.below(3)));
    if (random_.chance(3))
      out.add("pattern", quoted(random_.pick<std::string>({"^a", "\\d+", "[^/]$", "(a|b)*", "\u00e9"})));
    if (random_.chance(4))
      out.add("format", quoted(random_.pick<std::string>({"uuid", "date-time", "email", "nothing"})));
  }
  void number(Object &out) {
    out.add("type", random_.chance(2) ? "\"integer\"" : R"(["number","null"])");
    if (random_.chance(2)) out.add("minimum", std::to_string(random_.below(5)));
    if (random_.chance(3)) out.add("multipleOf", random_.pick<std::string>({"2", "0.5", "1e0"}));
  }
  void list(Object &out, int depth) {
    out.add("type", "\"array\"");
    if (random_.chance(2)) out.add("items", any(depth - 1));
    if (random_.chance(3)) out.add("maxItems", std::to_string(random_.below(4)));
    if (random_.chance(3)) out.add("uniqueItems", "true");
    if (random_.chance(4)) out.add("contains", any(depth - 1));
  }
  void combined(Object &out, int depth) {
    const auto keyword = random_.pick<std::string>({"anyOf", "allOf", "oneOf"});
    out.add(keyword, array_of({any(depth - 1), any(depth - 1)}));
    if (random_.chance(3)) out.add("not", any(depth - 1));
  }

  Random &random_;
  std::uint64_t order_;
};

// ---------------------------------------------------------------------------------------------------------- manifests

class ManifestWriter {
public:
  ManifestWriter(std::uint64_t seed, const Spelling &spelling) : random_(seed), spelling_(spelling) {}

  std::string write() {
    Object out;
    out.add("format", "\"trellis.contract.v1\"").add("id", "\"acme.gen@v1\"").add("kind", "\"service\"");
    out.add("displayName", quoted(people("Gen"))).add("description", quoted(people("Generated.")));
    docs(out);
    schemas(out);
    maybe(out, "capabilities", [this] { return capabilities(); });
    maybe(out, "rpc", [this] { return surfaces("rpc", &ManifestWriter::rpc); });
    maybe(out, "operations", [this] { return surfaces("operations", &ManifestWriter::operation); });
    maybe(out, "feeds", [this] { return surfaces("feeds", &ManifestWriter::feed); });
    events(out);
    maybe(out, "jobs", [this] { return jobs(); });
    maybe(out, "state", [this] { return state(); });
    maybe(out, "resources", [this] { return resources(); });
    uses(out);
    if (random_.chance(3))
      out.add("errors", object().add("gone", R"({"type":"Gone","schema":)" + ref() + "}").str(spelling_.order));
    if (random_.chance(3)) out.add("exports", R"({"schemas":["S0"]})");
    unknown(out);
    return out.str(spelling_.order);
  }

private:
  using Fields = void (ManifestWriter::*)(Object &);

  static Object object() { return {}; }
  std::string people(const std::string &text) const { return spelling_.other_texts ? text + " otherwise" : text; }

  // A section is absent, empty or filled, which are three digests.
  template <class Write>
  void maybe(Object &out, const std::string &name, const Write &write) {
    if (random_.chance(3)) return;
    out.add(name, random_.chance(6) ? "{}" : write());
  }
  void docs(Object &out) {
    if (random_.chance(4) || spelling_.other_texts) out.add("docs", R"({"markdown":)" + quoted(people("m")) + "}");
  }
  void unknown(Object &out) {
    if (spelling_.unknown_members) out.add("x-unknown", R"({"rpc":[1,null]})");
  }
  std::string name() { return random_.pick(awkward_texts()) + std::to_string(++names_); }

  std::string ref() {
    Object out;
    out.add("schema", quoted("S" + std::to_string(random_.below(3))));
    unknown(out);
    return out.str(spelling_.order);
  }
  std::string caps() {
    static const Texts kKeys{"acme.gen::a", "acme.gen::b", "admin", "acme.dep::read", "\ue000", "\U0001F600"};
    Texts keys;
    for (auto count = random_.below(4); count > 0; --count)
      keys.push_back(random_.pick(kKeys));
    return names_array(keys);
  }
  std::string integer(std::size_t least) {
    const auto digits = std::to_string(least + random_.below(5));
    return random_.chance(4) ? digits + ".0" : digits;
  }

  void schemas(Object &out) {
    Object all;
    for (int i = 0; i < 3; ++i)
      all.add("S" + std::to_string(i), SchemaWriter(random_, spelling_.order).any(3));
    all.add("E",
            R"({"type":"object","properties":{"a":{"type":"string"},"b/c":{"enum":["x",1]},"0":{"type":"integer"}}})");
    out.add("schemas", all.str(spelling_.order));
  }
  std::string capabilities() {
    Object all;
    for (const char *key : {"acme.gen::a", "acme.gen::b"}) {
      Object one;
      one.add("displayName", quoted(random_.text() + "N")).add("description", quoted(random_.text() + "D"));
      if (random_.chance(2)) one.add("consequence", quoted("C"));
      unknown(one);
      all.add(key, one.str(spelling_.order));
    }
    return all.str(spelling_.order);
  }

  std::string surfaces(const std::string &section, Fields fields) {
    Object all;
    for (auto count = 1 + random_.below(3); count > 0; --count) {
      const auto id = name();
      Object one;
      one.add("version", "\"v1\"").add("subject", quoted(section + ".v1.Gen." + std::to_string(names_)));
      (this->*fields)(one);
      docs(one);
      unknown(one);
      all.add(id, one.str(spelling_.order));
    }
    return all.str(spelling_.order);
  }
  void rpc(Object &out) {
    out.add("input", ref()).add("output", ref());
    if (random_.chance(2)) out.add("capabilities", R"({"call":)" + caps() + "}");
    if (random_.chance(3)) out.add("errors", R"([{"type":"Gone"},{"type":"AuthError"},{"type":"Gone"}])");
    if (random_.chance(4)) out.add("transfer", R"({"direction":"receive"})");
    if (random_.chance(6)) out.add("internal", "true");
  }
  void operation(Object &out) {
    out.add("input", ref()).add("output", ref());
    if (random_.chance(2)) out.add("progress", ref());
    if (random_.chance(2)) out.add("cancel", random_.chance(2) ? "true" : "false");
    if (random_.chance(2)) {
      Object lists;
      for (const char *list : {"call", "observe", "cancel", "control"})
        if (random_.chance(2)) lists.add(list, caps());
      out.add("capabilities", lists.str(spelling_.order));
    }
    if (random_.chance(3)) out.add("signals", object().add(name(), R"({"input":)" + ref() + "}").str());
    if (random_.chance(4))
      out.add("transfer", R"({"direction":"send","store":"s","key":"/k","maxBytes":)" + integer(1) + "}");
  }
  void feed(Object &out) {
    out.add("input", ref()).add("event", ref());
    if (random_.chance(2)) out.add("capabilities", R"({"subscribe":)" + caps() + "}");
  }
  // Two events, which consumers may select.
  void events(Object &out) {
    Object plain, templated, all;
    plain.add("version", "\"v1\"").add("subject", "\"events.v1.Gen.Plain\"").add("event", ref());
    templated.add("version", "\"v1\"").add("event", R"({"schema":"E"})");
    const auto pointers = random_.pick<Texts>({{"/a"}, {"/b~1c", "/a"}, {"/0", "/0"}});
    std::string subject = "events.v1.Gen.At";
    for (const auto &pointer : pointers)
      subject += ".{" + pointer + "}";
    templated.add("subject", quoted(subject)).add("params", names_array(pointers));
    if (random_.chance(2)) templated.add("capabilities", R"({"publish":)" + caps() + R"(,"subscribe":)" + caps() + "}");
    docs(templated);
    unknown(plain);
    all.add("Gen.Plain", plain.str(spelling_.order)).add("Gen.At", templated.str(spelling_.order));
    out.add("events", all.str(spelling_.order));
  }
  std::string jobs() {
    Object one;
    one.add("payload", ref());
    if (random_.chance(2)) one.add("maxDeliver", integer(1));
    if (random_.chance(2)) one.add("backoffMs", array_of({integer(0), integer(0)}));
    if (random_.chance(3)) one.add("dlq", "false");
    docs(one);
    unknown(one);
    return object().add(name(), one.str(spelling_.order)).str();
  }
  std::string state() {
    Object one;
    one.add("kind", random_.chance(2) ? "\"value\"" : "\"map\"").add("schema", ref());
    if (random_.chance(2)) one.add("acceptedVersions", object().add("v0", ref()).str());
    docs(one);
    return object().add(name(), one.str(spelling_.order)).str();
  }
  std::string resources() {
    Object kv, store, out;
    kv.add("purpose", "\"p\"").add("schema", ref());
    if (random_.chance(2)) kv.add("required", "false");
    if (random_.chance(2)) kv.add("history", integer(1));
    store.add("purpose", "\"q\"");
    docs(store);
    unknown(store);
    if (random_.chance(2)) out.add("kv", object().add(name(), kv.str(spelling_.order)).str());
    if (random_.chance(2)) out.add("store", object().add("s", store.str(spelling_.order)).str());
    return out.str(spelling_.order);
  }
  void uses(Object &out) {
    Object use, groups;
    use.add("contract", "\"acme.dep@v1\"").add("rpc", R"({"call":["Dep.Two","Dep.One","Dep.Two"]})");
    use.add("events", R"({"subscribe":["Dep.Ev"]})");
    if (random_.chance(2)) use.add("operations", R"({"call":["Dep.Run"]})");
    if (random_.chance(2)) use.add("feeds", R"({"subscribe":["Dep.Feed"]})");
    unknown(use);
    groups.add("required", object().add("dep", use.str(spelling_.order)).str());
    if (random_.chance(2))
      groups.add("optional", R"({"dep":{"contract":"acme.none@v1"},"more":{"contract":"acme.none@v1"}})");
    out.add("uses", groups.str(spelling_.order));
    if (random_.chance(2)) return;
    Object group;
    group.add("uses", R"({"dep":["Dep.Ev"]})").add("self", R"(["Gen.Plain","Gen.At","Gen.Plain"])");
    if (random_.chance(2)) group.add("maxDeliver", integer(1));
    docs(group);
    unknown(group);
    out.add("eventConsumers", object().add(name(), group.str(spelling_.order)).str());
  }

  Random random_;
  const Spelling spelling_;
  int names_ = 0;
};

} // namespace

std::string Random::text() {
  std::string out;
  for (auto count = below(3); count > 0; --count)
    out += pick(awkward_texts());
  return out;
}

std::string schema_text(std::uint64_t seed) {
  Random random(seed);
  return SchemaWriter(random, 0).any(4);
}

std::string value_text(std::uint64_t seed) {
  Random random(seed);
  return any_value(random, 3);
}

std::string manifest_text(std::uint64_t seed, const Spelling &spelling) {
  return ManifestWriter(seed, spelling).write();
}

std::string dependency_text() {
  const auto surface = [](const std::string &name, const std::string &section, const std::string &rest) {
    return quoted(name) + R"(:{"version":"v1","subject":")" + section + ".v1." + name + "\"," + rest + "}";
  };
  const std::string io = R"("input":{"schema":"S"},"output":{"schema":"S"})";
  return R"({"format":"trellis.contract.v1","id":"acme.dep@v1","displayName":"D","description":"D","kind":"service",
    "schemas":{"S":{}},"capabilities":{"acme.dep::read":{"displayName":"Read","description":"Reads."}},"rpc":{)" +
         surface("Dep.One", "rpc", io + R"(,"capabilities":{"call":["acme.dep::read"]})") + "," +
         surface("Dep.Two", "rpc", io + R"(,"transfer":{"direction":"receive"})") + R"(},"operations":{)" +
         surface("Dep.Run", "operations", io + R"(,"cancel":true,"capabilities":{"call":["acme.dep::read"]})") +
         R"(},"events":{)" + surface("Dep.Ev", "events", R"("event":{"schema":"S"})") + R"(},"feeds":{)" +
         surface("Dep.Feed", "feeds", R"("input":{"schema":"S"},"event":{"schema":"S"})") + "}}";
}

} // namespace trellis::testing
