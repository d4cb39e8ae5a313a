// The loop of every element-by-element kernel.
#pragma once

#include "cpu/kernel.h"

namespace pynet::PYNET_ISA {
namespace {

// How a loop body reads and writes one vector: whole, or only the first n lanes at the end.
struct Whole {
  template <class T>
  PYNET_INLINE vec<T> load(const T* p) const {
    return pynet::PYNET_ISA::load(p);
  }
  template <class T, class V>
  PYNET_INLINE void store(T* p, V v) const {
    pynet::PYNET_ISA::store(p, v);
  }
};
struct Part {
  index_t n;
  template <class T>
  PYNET_INLINE vec<T> load(const T* p) const {
    return load_n(p, n);
  }
  template <class T, class V>
  PYNET_INLINE void store(T* p, V v) const {
    store_n(p, v, n);
  }
};

// Calls body(i, lanes) for the vectors of elements begin .. end-1; lanes is a Whole or a Part.
template <class T, class Body>
PYNET_INLINE void for_vectors(index_t begin, index_t end, const Body& body) {
  index_t i = begin;
  for (; i + kLanes<T> <= end; i += kLanes<T>) body(i, Whole{});
  if (i < end) body(i, Part{end - i});
}

// The vectors of one tile of kChunk elements.
template <class T, class Body>
PYNET_INLINE void for_tile(index_t size, const Tile& tile, const Body& body) {
  for_vectors<T>(tile.index * kChunk, min_of(size, (tile.index + 1) * kChunk), body);
}

}  // namespace
}  // namespace pynet::PYNET_ISA
