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
// Whole vectors whose results go past the caches.
struct Streamed : Whole {
  template <class T, class V>
  PYNET_INLINE void store(T* p, V v) const {
    stream(p, v);
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

// Results of this size push everything else out of the caches and are gone themselves when the next
// kernel looks for them: then a store need not fetch its cache line first.
constexpr index_t kStreamBytes = index_t{16} << 20;

// Whether `size` elements from `to` on are worth streaming, and can be, in whole vectors.
template <class T>
PYNET_INLINE bool can_stream(const T* to, index_t size) {
  return size * static_cast<index_t>(sizeof(T)) >= kStreamBytes &&
         reinterpret_cast<std::uintptr_t>(to) % kVectorBytes == 0;
}

// Calls body(i, lanes) for the vectors of elements begin .. end-1; lanes is a Whole or a Part.
template <class T, class Body>
PYNET_INLINE void for_vectors(index_t begin, index_t end, const Body& body) {
  index_t i = begin;
  for (; i + kLanes<T> <= end; i += kLanes<T>) body(i, Whole{});
  if (i < end) body(i, Part{end - i});
}

// The vectors begin .. end-1 of a row. Where the body may see an element twice, the last vector is
// a whole one that overlaps the one before.
template <class T, class Lanes, class Body>
PYNET_INLINE void for_row(index_t begin, index_t end, bool twice, Lanes whole, const Body& body) {
  constexpr index_t L = kLanes<T>;
  index_t i = begin;
  for (; i + L <= end; i += L) body(i, whole);
  if (i == end) return;
  if (twice && end - begin >= L) {
    body(end - L, Whole{});
  } else {
    body(i, Part{end - i});
  }
}

// What becomes of a row of results: it is stored, streamed or added.
enum class Write { Store, Stream, Add };

template <class T>
PYNET_INLINE Write how_to_write(const T* to, index_t size, index_t row, bool add) {
  if (add) return Write::Add;
  return row % kLanes<T> == 0 && can_stream(to, size) ? Write::Stream : Write::Store;
}

// A row of n elements from `from` to `to`.
template <class T>
PYNET_INLINE void write_row(T* to, const T* from, index_t n, Write how) {
  if (how == Write::Stream) {
    for (index_t i = 0; i < n; i += kLanes<T>) stream(to + i, load(from + i));
  } else if (how == Write::Add) {
    for_vectors<T>(0, n, [&](index_t i, auto lanes) {
      lanes.store(to + i, lanes.load(to + i) + lanes.load(from + i));
    });
  } else {
    for_row<T>(0, n, true, Whole{},
               [&](index_t i, auto lanes) { lanes.store(to + i, lanes.load(from + i)); });
  }
}

// The vectors of one tile of kChunk elements.
template <class T, class Body>
PYNET_INLINE void for_tile(index_t size, const Tile& tile, const Body& body) {
  for_vectors<T>(tile.index * kChunk, min_of(size, (tile.index + 1) * kChunk), body);
}

// The same for a kernel that writes `to` and reads nothing back from it.
template <class T, class Body>
PYNET_INLINE void for_tile(T* to, index_t size, const Tile& tile, const Body& body) {
  if (!can_stream(to, size)) return for_tile<T>(size, tile, body);
  const index_t begin = tile.index * kChunk, end = min_of(size, begin + kChunk);
  const index_t whole = begin + (end - begin) / kLanes<T> * kLanes<T>;
  for (index_t i = begin; i < whole; i += kLanes<T>) body(i, Streamed{});
  if (whole < end) body(whole, Part{end - whole});
  order_streams();
}

}  // namespace
}  // namespace pynet::PYNET_ISA
