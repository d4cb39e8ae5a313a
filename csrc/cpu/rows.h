// Loops over the rows of a matrix, and sums and maxima along a row.
#pragma once

#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

// The lanes beyond the end of a row replaced by a value that changes nothing.
template <class T>
PYNET_INLINE vec<T> fill_rest(Whole, vec<T> v, T) {
  return v;
}
template <class T>
PYNET_INLINE vec<T> fill_rest(Part part, vec<T> v, T value) {
  typedef typename VecOf<T>::iscalar iscalar;
  ivec<T> lane;
  for (index_t i = 0; i < kLanes<T>; ++i) lane[i] = static_cast<iscalar>(i);
  return lane < static_cast<iscalar>(part.n) ? v : splat(value);
}

// Rows are cut into tiles of about this many elements.
constexpr index_t kRowChunk = 4096;

PYNET_INLINE index_t tile_rows(index_t D) { return max_of<index_t>(1, kRowChunk / D); }
PYNET_INLINE index_t row_tiles(index_t N, index_t D) { return ceil_div(N, tile_rows(D)); }

// Nanoseconds for rows that cost `element` each element and 20 for what is done once.
PYNET_INLINE double row_cost(index_t N, index_t D, double element) {
  return static_cast<double>(N) * (20 + static_cast<double>(D) * element);
}
PYNET_INLINE Work plan_rows(index_t N, index_t D, double element) {
  return Work{1, {row_tiles(N, D)}, 0, 0, row_cost(N, D, element)};
}

// Calls body(row) for the rows of a tile.
template <class Body>
PYNET_INLINE void for_rows(index_t N, index_t D, const Tile& tile, const Body& body) {
  const index_t rows = tile_rows(D);
  const index_t end = min_of(N, (tile.index + 1) * rows);
  for (index_t n = tile.index * rows; n < end; ++n) body(n);
}

// The largest element of a row; NaN is passed over.
template <class T>
PYNET_INLINE T row_max(const T* x, index_t D) {
  const T least = static_cast<T>(-__builtin_inf());
  vec<T> largest = splat(least);
  for_vectors<T>(0, D, [&](index_t j, auto lanes) {
    largest = max(fill_rest<T>(lanes, lanes.load(x + j), least), largest);
  });
  return max_lanes<T>(largest);
}

// The sum of body(j, lanes) along a row of D elements.
template <class T, class Body>
PYNET_INLINE T row_sum(index_t D, const Body& body) {
  vec<T> sum{};
  for_vectors<T>(0, D,
                 [&](index_t j, auto lanes) { sum += fill_rest<T>(lanes, body(j, lanes), 0); });
  return sum_lanes<T>(sum);
}

}  // namespace
}  // namespace pynet::PYNET_ISA
