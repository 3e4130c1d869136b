// For property tests: manifests, schemas and values made from a seed.
//
// Everything is decided by one std::mt19937_64 and our own arithmetic on it: the distributions of the standard library
// differ between implementations, and a seed that was printed must make the same case elsewhere. Names and texts come
// from short lists with the awkward ones (empty, index-like, escapes of JSON pointers, characters whose UTF-16 order
// isn't their byte order), because random letters would never meet them.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace trellis::testing {

class Random {
public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }
  bool chance(std::size_t in) { return below(in) == 0; }
  template <class T>
  const T &pick(const std::vector<T> &items) {
    return items[below(items.size())];
  }
  std::string text(); // any, as it is in memory: valid UTF-8

private:
  std::mt19937_64 engine_;
};

// How a manifest is written: same seed, same contract. What the flags change must not reach the digest (01 §7.3).
struct Spelling {
  std::uint64_t order = 0;      // members are shuffled by this seed; 0: as they come
  bool other_texts = false;     // display texts and docs
  bool unknown_members = false; // wherever they are dropped
};

std::string schema_text(std::uint64_t seed);
std::string value_text(std::uint64_t seed);                                   // any JSON value of moderate depth
std::string manifest_text(std::uint64_t seed, const Spelling &spelling = {}); // always valid, id acme.gen@v1
std::string dependency_text();                                                // acme.dep@v1, which all of them use

} // namespace trellis::testing
