// What all poolings share: tiles of whole planes, and the pixels that a window sees.
#pragma once

#include "cpu/kernel.h"
#include "pynet/pool.h"

namespace pynet::PYNET_ISA {
namespace {

// A tile is a number of whole images of one channel each ("planes"), about kChunk pixels.
PYNET_INLINE index_t planes_per_tile(const PoolShape& s) {
  return max_of(kChunk / max_of(s.H * s.W, s.OH * s.OW), index_t{1});
}

PYNET_INLINE Work plan_planes(const PoolShape& s, std::size_t local, double cost) {
  return Work{1, {ceil_div(s.N * s.C, planes_per_tile(s))}, 0, local, cost};
}

template <class Body>
PYNET_INLINE void for_planes(const PoolShape& s, const Tile& tile, const Body& body) {
  const index_t planes = planes_per_tile(s), begin = tile.index * planes;
  const index_t end = min_of(s.N * s.C, begin + planes);
  for (index_t plane = begin; plane < end; ++plane) body(plane);
}

// Elements begin .. end-1 along one axis of the window that lie in the image; start is the
// coordinate of the window's first element.
struct Overlap {
  index_t begin, end;
};
PYNET_INLINE Overlap inside(index_t start, index_t window, index_t size) {
  return {max_of(-start, index_t{0}), min_of(window, size - start)};
}

PYNET_INLINE bool is_2x2(const PoolShape& s) {
  return s.FH == 2 && s.FW == 2 && s.stride_h == 2 && s.stride_w == 2 && s.pad_h == 0 &&
         s.pad_w == 0;
}

// Of one row of windows that lie side by side.
PYNET_INLINE index_t pixels_of_windows(const PoolShape& s) { return s.FH * s.W; }

PYNET_INLINE double pixels(const PoolShape& s) {
  return static_cast<double>(s.N * s.C * s.H * s.W);
}
PYNET_INLINE double outputs(const PoolShape& s) {
  return static_cast<double>(s.N * s.C * s.OH * s.OW);
}

// Pixels of the image in the window at (oy, ox), or all of its pixels.
PYNET_INLINE index_t window_size(const PoolShape& s, bool count_pad, index_t oy, index_t ox) {
  if (count_pad) return s.FH * s.FW;
  const Overlap y = inside(oy * s.stride_h - s.pad_h, s.FH, s.H);
  const Overlap x = inside(ox * s.stride_w - s.pad_w, s.FW, s.W);
  return (y.end - y.begin) * (x.end - x.begin);
}

}  // namespace
}  // namespace pynet::PYNET_ISA
