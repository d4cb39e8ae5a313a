// A padded plane laid out by phases, so that windows of any stride are read as whole vectors.
//
// With stride s the pixels of a padded row are dealt out to s phases: pixel i goes to place i / s
// of phase i % s. Column fx of the windows ox, ox+1, ox+2 ... then lies at places ox + fx/s ... of
// phase fx % s, side by side.
#pragma once

#include "cpu/kernel.h"
#include "cpu/pairs.h"
#include "pynet/pool.h"

namespace pynet::PYNET_ISA {
namespace {

// Worth it for strides of this size and for more than one window in a row, but not at the price of
// scratch beyond measure: for windows that lie mostly in the padding.
PYNET_INLINE bool has_phases(const PoolShape& s) {
  return s.stride_w <= 4 && s.OW > 1 && s.FH * s.FW <= 4096 && s.pad_w <= s.W + 16;
}

template <class T>
struct Phases {
  index_t row;      // pixels of a padded row, a multiple of the stride
  index_t step;     // from a row of a phase to the next
  index_t places;   // of one phase, with some to spare: vectors may read too far
  index_t* offset;  // (FH * FW): where the pixels of window (0, 0) lie
  T* window;        // (OW), with some to spare: one value for each window of a row
  T* padded;        // (H * row)
  T* pixels;        // (stride, places)
};

// The layout in `memory`, which holds as many bytes as `bytes` tells.
template <class T>
PYNET_INLINE Phases<T> phases_of(const PoolShape& s, void* memory, std::size_t* bytes = nullptr) {
  constexpr index_t L = kLanes<T>;
  Phases<T> p;
  p.row = round_up(max_of(s.W + s.pad_w, (s.OW - 1) * s.stride_w + s.FW), s.stride_w);
  p.step = p.row / s.stride_w;
  p.places = s.H * p.step + 2 * L;
  p.offset = static_cast<index_t*>(memory);
  p.window = reinterpret_cast<T*>(p.offset + s.FH * s.FW);
  p.padded = p.window + s.OW + L;
  p.pixels = s.stride_w == 1 ? p.padded : p.padded + s.H * p.row + 2 * L;
  if (bytes) {
    *bytes =
        static_cast<std::size_t>(s.FH * s.FW) * sizeof(index_t) +
        static_cast<std::size_t>(s.OW + s.H * p.row + 3 * L + s.stride_w * p.places) * sizeof(T);
  }
  return p;
}

template <class T>
PYNET_INLINE std::size_t phases_bytes(const PoolShape& s) {
  std::size_t bytes = 0;
  if (has_phases(s)) phases_of<T>(s, nullptr, &bytes);
  return bytes;
}

// What is the same for every plane: the padding, and where the windows' pixels lie.
template <class T>
PYNET_INLINE void prepare(const PoolShape& s, const Phases<T>& p, T padding) {
  for (index_t i = 0; i < s.H * p.row + 2 * kLanes<T>; ++i) p.padded[i] = padding;
  for (index_t fy = 0; fy < s.FH; ++fy) {
    for (index_t fx = 0; fx < s.FW; ++fx) {
      p.offset[fy * s.FW + fx] = fx % s.stride_w * p.places + fy * p.step + fx / s.stride_w;
    }
  }
}

template <class T>
PYNET_INLINE void copy_row(T* to, const T* from, index_t n) {
  constexpr index_t L = kLanes<T>;
  if (n < L) {
    for (index_t i = 0; i < n; ++i) to[i] = from[i];
    return;
  }
  for (index_t i = 0; i + L <= n; i += L) store(to + i, load(from + i));
  store(to + n - L, load(from + n - L));
}

template <class T>
PYNET_INLINE void pad_rows(const PoolShape& s, const Phases<T>& p, const T* x) {
  for (index_t y = 0; y < s.H; ++y) {
    copy_row(p.padded + y * p.row + s.pad_w, x + y * s.W, s.W);
  }
}

// Lays one plane out.
template <class T>
PYNET_INLINE void deal_out(const PoolShape& s, const Phases<T>& p, const T* x) {
  pad_rows(s, p, x);
  const index_t n = s.H * p.row;
  if (s.stride_w == 2) {
    constexpr index_t L = kLanes<T>;
    for (index_t i = 0; i < n; i += 2 * L) {
      const PairOf<vec<T>> pair = split(load(p.padded + i), load(p.padded + i + L));
      store(p.pixels + i / 2, in_order(pair.first));
      store(p.pixels + p.places + i / 2, in_order(pair.second));
    }
  } else if (s.stride_w > 2) {
    for (index_t phase = 0; phase < s.stride_w; ++phase) {
      const T* from = p.padded + phase;
      T* to = p.pixels + phase * p.places;
      for (index_t i = 0; i * s.stride_w < n; ++i) to[i] = from[i * s.stride_w];
    }
  }
}

// Calls body(oy, ox, n) for the windows of a plane, n = kLanes<T> or fewer at a time; where a row
// ends, some come a second time.
template <class T, class Body>
PYNET_INLINE void for_windows(const PoolShape& s, const Body& body) {
  constexpr index_t L = kLanes<T>;
  for (index_t oy = 0; oy < s.OH; ++oy) {
    for (index_t ox = 0; ox + L <= s.OW; ox += L) body(oy, ox, L);
    if (s.OW < L) {
      body(oy, index_t{0}, s.OW);
    } else if (s.OW % L) {
      body(oy, s.OW - L, L);
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
