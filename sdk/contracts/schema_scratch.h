// What a check remembers about one object or array while it looks at it; internal to schema_check.cpp.
//
// Both live on the stack of the check. The usual sizes fit into them; only larger values and schemas pay for memory.
#pragma once

#include "contracts/schema_program.h"
#include <array>

namespace trellis::schema {

// Which members of an object, or items of an array, a keyword has looked at and accepted.
class Evaluated {
public:
  explicit Evaluated(std::size_t count) : count_(count) {
    if (count > few_.size() * 64) many_.resize((count + 63) / 64);
  }

  std::size_t count() const { return count_; }
  void mark(std::size_t index) { words()[index / 64] |= bit(index); }
  bool has(std::size_t index) const { return (words()[index / 64] & bit(index)) != 0; }
  void merge(const Evaluated &other) {
    for (std::size_t i = 0; i * 64 < count_; ++i)
      words()[i] |= other.words()[i];
  }

private:
  static std::uint64_t bit(std::size_t index) { return std::uint64_t{1} << (index % 64); }
  std::uint64_t *words() { return many_.empty() ? few_.data() : many_.data(); }
  const std::uint64_t *words() const { return many_.empty() ? few_.data() : many_.data(); }

  std::size_t count_;
  std::array<std::uint64_t, 2> few_{};
  std::vector<std::uint64_t> many_;
};

// Where an object holds the names of a table: by slot, the index of the member.
class Slots {
public:
  Slots(const ObjectRules &rules, const JsonValue &object) {
    if (rules.names.size() > few_.size()) many_.resize(rules.names.size());
    Slot guess = 0;
    std::uint32_t place = 0; // index + 1, so that 0 means absent
    for (const auto &member : object.GetObject()) {
      ++place;
      const Slot slot = rules.names.find(text_of(member.name), guess);
      if (slot == NameTable::kNone) continue;
      declared_ += slot < rules.properties.size() ? 1 : 0;
      places()[slot] = place;
      guess = slot + 1;
    }
  }

  bool has(Slot slot) const { return places()[slot] != 0; }
  std::uint32_t index(Slot slot) const { return places()[slot] - 1; } // only of a slot that it has
  std::size_t declared() const { return declared_; }                  // how many members are declared properties

private:
  std::uint32_t *places() { return many_.empty() ? few_.data() : many_.data(); }
  const std::uint32_t *places() const { return many_.empty() ? few_.data() : many_.data(); }

  std::size_t declared_ = 0;
  std::array<std::uint32_t, 64> few_{};
  std::vector<std::uint32_t> many_;
};

} // namespace trellis::schema
