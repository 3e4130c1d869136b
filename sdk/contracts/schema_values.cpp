#include "contracts/schema_values.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <rapidjson/document.h>
#include <sodium.h>
#include <vector>

namespace trellis::schema {
namespace {

static_assert(crypto_shorthash_KEYBYTES == std::tuple_size_v<HashKey>);
static_assert(crypto_shorthash_BYTES == sizeof(std::uint64_t));

// Up to this many items or members, comparing each with each is cheaper than sorting, and needs no memory.
constexpr rapidjson::SizeType kFew = 16;

std::string_view name_of(const JsonValue::Member &member) {
  return text_of(member.name);
}

std::vector<const JsonValue::Member *> by_name(const JsonValue &object) {
  std::vector<const JsonValue::Member *> members;
  members.reserve(object.MemberCount());
  for (const auto &member : object.GetObject())
    members.push_back(&member);
  std::sort(members.begin(), members.end(), [](const auto *a, const auto *b) { return name_of(*a) < name_of(*b); });
  return members;
}

bool equal_large_objects(const JsonValue &a, const JsonValue &b) {
  const auto in_a = by_name(a);
  const auto in_b = by_name(b);
  return std::equal(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(), [](const auto *x, const auto *y) {
    return name_of(*x) == name_of(*y) && equal_values(x->value, y->value);
  });
}

bool same_order(const JsonValue &a, const JsonValue &b) {
  return std::equal(a.MemberBegin(), a.MemberEnd(), b.MemberBegin(), b.MemberEnd(),
                    [](const auto &x, const auto &y) { return name_of(x) == name_of(y); });
}

bool equal_objects(const JsonValue &a, const JsonValue &b) {
  if (a.MemberCount() != b.MemberCount()) return false;
  if (same_order(a, b))
    return std::equal(a.MemberBegin(), a.MemberEnd(), b.MemberBegin(),
                      [](const auto &x, const auto &y) { return equal_values(x.value, y.value); });
  if (a.MemberCount() > kFew) return equal_large_objects(a, b);
  return std::all_of(a.MemberBegin(), a.MemberEnd(), [&](const auto &member) {
    const auto *other = find_member(b, name_of(member));
    return other && equal_values(member.value, *other);
  });
}

bool equal_arrays(const JsonValue &a, const JsonValue &b) {
  return std::equal(a.Begin(), a.End(), b.Begin(), b.End(), equal_values);
}

class Hasher {
public:
  explicit Hasher(const HashKey &key) : key_(key) {}

  std::uint64_t hash(const JsonValue &value) const {
    if (value.IsString()) return bytes(rapidjson::kStringType, value.GetString(), value.GetStringLength());
    if (value.IsNumber()) {
      const double number = value.GetDouble() + 0.0; // no negative zero
      return bytes(rapidjson::kNumberType, &number, sizeof number);
    }
    if (value.IsArray()) return array(value);
    if (value.IsObject()) return object(value);
    return bytes(value.GetType(), nullptr, 0);
  }

private:
  std::uint64_t bytes(rapidjson::Type type, const void *data, std::size_t size) const {
    std::uint64_t out = 0;
    static constexpr unsigned char kNothing = 0;
    const auto *text = data ? static_cast<const unsigned char *>(data) : &kNothing;
    crypto_shorthash(reinterpret_cast<unsigned char *>(&out), text, size, key_.data());
    return out + static_cast<std::uint64_t>(type) * 0x9E3779B97F4A7C15U;
  }

  std::uint64_t pair(rapidjson::Type type, std::uint64_t first, std::uint64_t second) const {
    const std::uint64_t both[2] = {first, second};
    return bytes(type, both, sizeof both);
  }

  std::uint64_t array(const JsonValue &value) const {
    std::uint64_t out = value.Size();
    for (const auto &item : value.GetArray())
      out = pair(rapidjson::kArrayType, out, hash(item));
    return out;
  }

  std::uint64_t object(const JsonValue &value) const {
    std::uint64_t sum = value.MemberCount(); // a sum, because the order of members doesn't count
    for (const auto &member : value.GetObject())
      sum += pair(rapidjson::kObjectType, hash(member.name), hash(member.value));
    return pair(rapidjson::kObjectType, sum, 0);
  }

  const HashKey &key_;
};

bool has_equal_items_among_few(const JsonValue &array) {
  for (auto a = array.Begin(); a != array.End(); ++a)
    for (auto b = array.Begin(); b != a; ++b)
      if (equal_values(*a, *b)) return true;
  return false;
}

} // namespace

HashKey random_hash_key() {
  HashKey key{};
  if (sodium_init() >= 0) randombytes_buf(key.data(), key.size());
  return key;
}

bool equal_values(const JsonValue &a, const JsonValue &b) {
  if (a.IsNumber() && b.IsNumber()) return a.GetDouble() == b.GetDouble();
  if (a.GetType() != b.GetType()) return false;
  if (a.IsString()) return text_of(a) == text_of(b);
  if (a.IsArray()) return equal_arrays(a, b);
  if (a.IsObject()) return equal_objects(a, b);
  return true; // null, true and false are types of their own
}

bool has_equal_items(const JsonValue &array, const HashKey &key) {
  if (array.Size() <= kFew) return has_equal_items_among_few(array);
  const Hasher hasher(key);
  std::vector<std::pair<std::uint64_t, const JsonValue *>> items;
  items.reserve(array.Size());
  for (const auto &item : array.GetArray())
    items.emplace_back(hasher.hash(item), &item);
  std::sort(items.begin(), items.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
  // Items with one hash are equal, as long as nobody knows the key: comparing neighbours is enough to prove it.
  return std::adjacent_find(items.begin(), items.end(), [](const auto &a, const auto &b) {
           return a.first == b.first && equal_values(*a.second, *b.second);
         }) != items.end();
}

} // namespace trellis::schema
