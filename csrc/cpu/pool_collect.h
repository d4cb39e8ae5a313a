// Backward of pooling by pixels: each collects what its windows give it, whole vectors at a time.
//
// With stride S column fx of the windows ox, ox + 1 ... are the pixels x, x + S ... where x = S*ox
// - pad + fx: of a vector of each of the S phases of pixels, one gets what whole vectors of windows
// give, side by side.
#pragma once

#include "cpu/loop.h"
#include "cpu/pool_2x2.h"

namespace pynet::PYNET_ISA {
namespace {

// The common windows, for which the loops are unrolled; others scatter what they give.
PYNET_INLINE bool can_collect(const PoolShape& s) {
  return (s.FW == 2 || s.FW == 3) && (s.stride_w == 1 || s.stride_w == 2) && s.FH <= 3 &&
         s.pad_w <= s.W + 16;
}

template <class T>
struct Given {
  index_t lead, row;                   // zeros before a row, and its length with all zeros
  T* values;                           // (OH, row): what the windows of one plane give
  typename VecOf<T>::iscalar* places;  // (OH, row), of max pooling: which pixel gets it
};

// In `memory`, which holds as many bytes as `bytes` tells.
template <class T>
PYNET_INLINE Given<T> given_of(const PoolShape& s, void* memory, std::size_t* bytes = nullptr) {
  Given<T> g;
  g.lead = 2;
  g.row = g.lead + max_of(s.OW, ceil_div(s.W + s.pad_w, s.stride_w) + kLanes<T> + 1);
  g.values = static_cast<T*>(memory);
  g.places = reinterpret_cast<typename VecOf<T>::iscalar*>(g.values + s.OH * g.row);
  if (bytes) *bytes = static_cast<std::size_t>(2 * s.OH * g.row) * sizeof(T);
  return g;
}

template <class T>
PYNET_INLINE void prepare(const PoolShape& s, const Given<T>& g) {
  for (index_t i = 0; i < s.OH * g.row; ++i) g.values[i] = 0;
  for (index_t i = 0; i < s.OH * g.row; ++i) g.places[i] = 0;
}

// One plane of dx: each pixel adds up its windows in the order of fy and fx. R is pad_w % S;
// value(i, k) is what pixel k of each of the windows from i on is given.
template <int S, int FW, int R, class T, class Value>
PYNET_INLINE void collect(const PoolShape& s, const Given<T>& g, T* dx, bool add,
                          const Value& value) {
  constexpr index_t L = kLanes<T>;
  const index_t H = s.H, W = s.W, OH = s.OH, FH = s.FH, stride = s.stride_h, row = g.row;
  const auto write = [&](T* p, vec<T> v, index_t n) {
    if (n >= L) {
      store(p, add ? load(p) + v : v);
    } else if (n > 0) {
      store_n(p, add ? load_n(p, n) + v : v, n);
    }
  };
  index_t top = s.pad_h / stride, first = s.pad_h % stride;  // the last window of a row, and its fy
  for (index_t y = 0; y < H; ++y, dx += W) {
    for (index_t x = 0; x < W; x += S * L) {
      vec<T> phases[S] = {};
      index_t i = top * row + g.lead + x / S + s.pad_w / S;
      for (index_t oy = top, fy = first; oy >= 0 && fy < FH; --oy, fy += stride, i -= row) {
        if (oy >= OH) continue;
        ivec<T> k = place<T>(fy * FW);
#pragma GCC unroll 4
        for (int fx = 0; fx < FW; ++fx, k += 1) {
          const int phase = (fx + S - R) % S;
          phases[phase] += value(i + (phase + R - fx) / S, k);
        }
      }
      if constexpr (S == 1) {
        write(dx + x, phases[0], W - x);
      } else {
        const PairOf<vec<T>> pair = join(spread(phases[0]), spread(phases[1]));
        write(dx + x, pair.first, W - x), write(dx + x + L, pair.second, W - x - L);
      }
    }
    if (++first == stride) first = 0, ++top;
  }
}

template <int FW, class T, class Value>
PYNET_INLINE void collect_wide(const PoolShape& s, const Given<T>& g, T* dx, bool add,
                               const Value& value) {
  if (s.stride_w == 1) {
    collect<1, FW, 0>(s, g, dx, add, value);
  } else if (s.pad_w % 2 == 0) {
    collect<2, FW, 0>(s, g, dx, add, value);
  } else {
    collect<2, FW, 1>(s, g, dx, add, value);
  }
}

template <class T, class Value>
PYNET_INLINE void collect_plane(const PoolShape& s, const Given<T>& g, T* dx, bool add,
                                const Value& value) {
  if (s.FW == 2) {
    collect_wide<2>(s, g, dx, add, value);
  } else {
    collect_wide<3>(s, g, dx, add, value);
  }
}

template <class T>
PYNET_INLINE void max_collect(const PoolShape& s, const Given<T>& g, T* dx, const T* dout,
                              const std::int32_t* arg, const T* y, bool add) {
  for (index_t oy = 0; oy < s.OH; ++oy) {
    T* values = g.values + oy * g.row + g.lead;
    auto* places = g.places + oy * g.row + g.lead;
    for (index_t ox = 0; ox < s.OW; ++ox) values[ox] = dout[oy * s.OW + ox];
    for (index_t ox = 0; y && ox < s.OW; ++ox)
      values[ox] = y[oy * s.OW + ox] <= 0 ? T(0) : values[ox];
    for (index_t ox = 0; ox < s.OW; ++ox) places[ox] = arg[oy * s.OW + ox];
  }
  const auto value = [values = g.values, places = g.places](index_t i, ivec<T> k) {
    ivec<T> place;
    __builtin_memcpy(&place, places + i, sizeof(place));
    return (vec<T>)((place == k) & (ivec<T>)load(values + i));
  };
  collect_plane(s, g, dx, add, value);
}

// What the windows give is in g.values already.
template <class T>
PYNET_INLINE void avg_collect(const PoolShape& s, const Given<T>& g, T* dx, bool add) {
  collect_plane(s, g, dx, add,
                [values = g.values](index_t i, ivec<T>) { return load(values + i); });
}

}  // namespace
}  // namespace pynet::PYNET_ISA
