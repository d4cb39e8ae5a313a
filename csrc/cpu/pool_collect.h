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

// Rows of windows that are kept at a time, in turn: a pixel is in 3 of them at most, and the next
// one is laid down before it is needed: a load that follows its stores closely has to wait for
// them.
constexpr index_t kWindowRows = 4;

template <class T>
using Places = typename VecOf<T>::iscalar*;

template <class T>
struct Given {
  index_t lead, row;  // zeros before a row, and its length with all zeros
  T* values;          // (kWindowRows, row): what the windows give
  Places<T> places;   // (kWindowRows, row), of max pooling: which pixel gets it
  T* lines[2];        // (W), with some to spare: rows of pixels, written out one row later
};

// In `memory`, which holds as many bytes as `bytes` tells.
template <class T>
PYNET_INLINE Given<T> given_of(const PoolShape& s, void* memory, std::size_t* bytes = nullptr) {
  constexpr index_t L = kLanes<T>;
  Given<T> g;
  g.lead = 2;
  g.row = g.lead + max_of(s.OW, ceil_div(s.W + s.pad_w, s.stride_w) + 1) + L;
  g.values = static_cast<T*>(memory);
  g.places = reinterpret_cast<Places<T>>(g.values + kWindowRows * g.row);
  g.lines[0] = reinterpret_cast<T*>(g.places + kWindowRows * g.row);
  g.lines[1] = g.lines[0] + s.W + 2 * L;
  if (bytes) {
    *bytes = static_cast<std::size_t>(2 * (kWindowRows * g.row + s.W + 2 * L)) * sizeof(T);
  }
  return g;
}

template <class T>
PYNET_INLINE std::size_t given_bytes(const PoolShape& s) {
  std::size_t bytes = 0;
  given_of<T>(s, nullptr, &bytes);
  return bytes;
}

template <class T>
PYNET_INLINE void prepare(const Given<T>& g) {
  for (index_t i = 0; i < kWindowRows * g.row; ++i) g.values[i] = 0;
  for (index_t i = 0; i < kWindowRows * g.row; ++i) g.places[i] = 0;
}

// One row of pixels, which lies in ROWS rows of windows: from[r] is where row r begins, and fy[r]
// which row of its windows this is. R is pad_w % S; value(i, k) is what pixel k of each of the
// windows from i on is given.
template <int ROWS, int S, int FW, int R, class T, class Value>
PYNET_INLINE void collect_row(T* to, index_t W, const index_t* from, const index_t* fy,
                              const Value& value) {
  constexpr index_t L = kLanes<T>;
  for (index_t x = 0; x < W; x += S * L) {
    vec<T> phases[S] = {};
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
      const index_t i = from[r] + x / S;
      ivec<T> k = place<T>(fy[r] * FW);
#pragma GCC unroll 4
      for (int fx = 0; fx < FW; ++fx, k += 1) {
        const int phase = (fx + S - R) % S;
        phases[phase] += value(i + (phase + R - fx) / S, k);
      }
    }
    if constexpr (S == 1) {
      store(to + x, phases[0]);
    } else {
      const PairOf<vec<T>> pair = join(spread(phases[0]), spread(phases[1]));
      store(to + x, pair.first), store(to + x + L, pair.second);
    }
  }
}

// One plane of dx: each pixel adds up its windows in the order of fy and fx. fill(oy, values,
// places) lays down what a row of windows gives.
template <int S, int FW, int R, class T, class Fill, class Value>
PYNET_INLINE void collect(const PoolShape& s, const Given<T>& g, T* dx, Write how, const Fill& fill,
                          const Value& value) {
  constexpr index_t L = kLanes<T>;
  const index_t lead = g.lead + s.pad_w / S;
  index_t top = s.pad_h / s.stride_h, first = s.pad_h % s.stride_h;  // the last row, and its fy
  index_t filled = 0;
  const bool direct = how == Write::Store && s.W % (S * L) == 0;
  for (index_t y = 0; y < s.H; ++y, dx += s.W) {
    for (; filled <= top + 1 && filled < s.OH; ++filled) {
      const index_t to = filled % kWindowRows * g.row + g.lead;
      fill(filled, g.values + to, g.places + to);
    }
    index_t rows = 0, from[3], fys[3];
    for (index_t oy = top, fy = first; oy >= 0 && fy < s.FH; --oy, fy += s.stride_h) {
      if (oy < s.OH) from[rows] = oy % kWindowRows * g.row + lead, fys[rows++] = fy;
    }
    T* to = direct ? dx : g.lines[y % 2];
    switch (rows) {
      case 0:
        collect_row<0, S, FW, R>(to, s.W, from, fys, value);
        break;
      case 1:
        collect_row<1, S, FW, R>(to, s.W, from, fys, value);
        break;
      case 2:
        collect_row<2, S, FW, R>(to, s.W, from, fys, value);
        break;
      default:
        collect_row<3, S, FW, R>(to, s.W, from, fys, value);
    }
    if (!direct && y > 0) write_row(dx - s.W, g.lines[(y + 1) % 2], s.W, how);
    if (++first == s.stride_h) first = 0, ++top;
  }
  if (!direct) write_row(dx - s.W, g.lines[(s.H + 1) % 2], s.W, how);
}

template <int FW, class T, class Fill, class Value>
PYNET_INLINE void collect_wide(const PoolShape& s, const Given<T>& g, T* dx, Write how,
                               const Fill& fill, const Value& value) {
  if (s.stride_w == 1) {
    collect<1, FW, 0>(s, g, dx, how, fill, value);
  } else if (s.pad_w % 2 == 0) {
    collect<2, FW, 0>(s, g, dx, how, fill, value);
  } else {
    collect<2, FW, 1>(s, g, dx, how, fill, value);
  }
}

template <class T, class Fill, class Value>
PYNET_INLINE void collect_plane(const PoolShape& s, const Given<T>& g, T* dx, Write how,
                                const Fill& fill, const Value& value) {
  if (s.FW == 2) {
    collect_wide<2>(s, g, dx, how, fill, value);
  } else {
    collect_wide<3>(s, g, dx, how, fill, value);
  }
}

// places[i] = arg[i], as wide as T.
template <class T>
PYNET_INLINE void copy_places(Places<T> places, const std::int32_t* arg, index_t n) {
  constexpr index_t L = kLanes<T>;
  index_t i = 0;
  for (; i + L <= n; i += L) {
    const ivec<T> where = load_places(arg + i, T{});
    __builtin_memcpy(places + i, &where, sizeof(where));
  }
  if (i < n) {
    const ivec<T> where = load_places_n(arg + i, n - i, T{});
    __builtin_memcpy(places + i, &where, sizeof(where));
  }
}

template <class T>
PYNET_INLINE void max_collect(const PoolShape& s, const Given<T>& g, T* dx, const T* dout,
                              const std::int32_t* arg, const T* y, Write how) {
  const auto fill = [&](index_t oy, T* values, Places<T> places) {
    const index_t from = oy * s.OW;
    for_vectors<T>(0, s.OW, [&](index_t ox, auto lanes) {  // zeros where the row ends
      const vec<T> d = lanes.load(dout + from + ox);
      store(values + ox, y ? through_relu<T>(d, lanes.load(y + from + ox)) : d);
    });
    copy_places<T>(places, arg + from, s.OW);
  };
  const auto value = [values = g.values, places = g.places](index_t i, ivec<T> k) {
    ivec<T> place;
    __builtin_memcpy(&place, places + i, sizeof(place));
    return (vec<T>)((place == k) & (ivec<T>)load(values + i));
  };
  collect_plane(s, g, dx, how, fill, value);
}

// sizes (OW, and ones to whole vectors): pixels in each column of windows, heights(oy) those in a
// row of them.
template <class T, class Heights>
PYNET_INLINE void avg_collect(const PoolShape& s, const Given<T>& g, T* dx, const T* dout,
                              const T* sizes, const Heights& heights, Write how) {
  const auto fill = [&](index_t oy, T* values, Places<T>) {
    const T* row = dout + oy * s.OW;
    const vec<T> height = splat(heights(oy));
    for_vectors<T>(0, s.OW, [&](index_t ox, auto lanes) {
      store(values + ox, lanes.load(row + ox) / (load(sizes + ox) * height));
    });
  };
  const auto value = [values = g.values](index_t i, ivec<T>) { return load(values + i); };
  collect_plane(s, g, dx, how, fill, value);
}

}  // namespace
}  // namespace pynet::PYNET_ISA
