// Lookup by name in constant time over lists that keep document order. A manifest's length is an outsider's choice, so
// a linear search inside a loop over the same manifest would let 4 MiB of text take minutes.
#pragma once

#include "contracts/manifest.h"
#include <optional>
#include <string_view>
#include <unordered_map>

namespace trellis {

// Points into the list it was made from. Of equal names the first counts.
template <class T>
class NameIndex {
public:
  NameIndex() = default;
  explicit NameIndex(const Named<T> &entries) {
    entries_.reserve(entries.size());
    for (const auto &[name, value] : entries)
      entries_.try_emplace(name, &value);
  }
  explicit NameIndex(const std::optional<Named<T>> &entries) : NameIndex(entries ? NameIndex(*entries) : NameIndex()) {}

  const T *find(std::string_view name) const {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : found->second;
  }
  bool contains(std::string_view name) const { return entries_.contains(name); }

private:
  std::unordered_map<std::string_view, const T *> entries_;
};

// What there is to iterate over: the entries of a section that may be absent.
template <class T>
const Named<T> &entries_of(const std::optional<Named<T>> &section) {
  static const Named<T> kNone;
  return section ? *section : kNone;
}
inline const NameList &names_in(const std::optional<NameList> &list) {
  static const NameList kNone;
  return list ? *list : kNone;
}

} // namespace trellis
