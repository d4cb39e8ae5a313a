// Pooling over 3x3 windows with stride 2, AlexNet's: neighbours share a row and a column.
//
// Rows of windows from top to bottom, in each vectors of windows, whose three columns are sorted
// out in registers. Max pooling finds the best of a row of pixels once: that of a window's last row
// waits for the window below, whose first row it is. Averages add the pixels one by one, in their
// order; three rows of them are in the cache, and memory decides.
#pragma once

#include "cpu/pool_2x2.h"
#include "cpu/pool_planes.h"

namespace pynet::PYNET_ISA {
namespace {

// Less padding than a window is large, so that each window has pixels and only the first ones lie
// above the image; and a whole vector of windows in a row.
template <class T>
PYNET_INLINE bool is_3x3(const PoolShape& s) {
  return s.FH == 3 && s.FW == 3 && s.stride_h == 2 && s.stride_w == 2 && s.pad_h < 3 &&
         s.pad_w < 3 && s.OW >= kLanes<T>;
}

// Where the rows of pixels lie, and what waits for the windows below: a vector of values and one of
// columns for each vector of windows.
template <class T>
struct Rows3x3 {
  const T* pixels;
  index_t step;     // from row to row
  const T* window;  // of a padded image: each window's first column inside of it
  T* values;
  typename VecOf<T>::iscalar* columns;
};

template <class T>
PYNET_INLINE std::size_t waiting_bytes(const PoolShape& s) {
  return static_cast<std::size_t>(2 * round_up(s.OW, kLanes<T>)) * sizeof(T);
}
template <class T>
PYNET_INLINE Rows3x3<T> rows_3x3(const PoolShape& s, const T* pixels, index_t step, const T* window,
                                 void* waiting) {
  T* values = static_cast<T*>(waiting);
  return {pixels, step, window, values,
          reinterpret_cast<typename VecOf<T>::iscalar*>(values + round_up(s.OW, kLanes<T>))};
}

// So many pixels ahead images are fetched: the processor itself does it to the end of a page only.
template <class T>
constexpr index_t kFetchAhead = 6144 / static_cast<index_t>(sizeof(T));

// One row of pixels of a vector of windows, the first of which begins at p, by their columns and in
// the order of split().
template <class T>
struct Columns3 {
  vec<T> first, second, third;
};
template <class T>
PYNET_INLINE Columns3<T> columns_3(const T* p) {
  constexpr index_t L = kLanes<T>;
  const PairOf<vec<T>> pair = split(load(p), load(p + L));
  return {pair.first, pair.second, split(load(p + 1), load(p + 1 + L)).second};
}

// The windows ox, ox + 1 ...: of one row of pixels the best ones and their columns. Where all
// pixels are -inf the first column inside the image wins.
template <bool PADDED, class T>
PYNET_INLINE Best<T> best_of_row(const Rows3x3<T>& r, index_t row, index_t ox) {
  const T* p = r.pixels + row * r.step + 2 * ox;
  if (!PADDED) __builtin_prefetch(p + kFetchAhead<T>);
  const Columns3<T> c = columns_3(p);
  Best<T> best{c.first, place<T>(0)};
  if (PADDED) {
    const ivec<T> first = __builtin_convertvector(load(r.window + ox), ivec<T>);
    best = better<T>({splat(static_cast<T>(-__builtin_inf())), spread(first)}, best);
  }
  best = better<T>(best, {c.second, place<T>(1)});
  return better<T>(best, {c.third, place<T>(2)});
}

// The vector number v of a row of windows, whose rows of pixels first .. end-1 are in the image.
template <bool PADDED, class T>
PYNET_INLINE void max_3x3(const PoolShape& s, const Rows3x3<T>& r, index_t oy, index_t v,
                          index_t first, index_t end, T* y, std::int32_t* arg) {
  constexpr index_t L = kLanes<T>;
  const index_t ox = min_of(v * L, s.OW - L);  // at the end some windows a second time
  const index_t top = 2 * oy - s.pad_h;
  T* values = r.values + v * L;
  auto* columns = r.columns + v * L;
  Best<T> best, last;
  if (oy > 0) {
    __builtin_memcpy(&last.value, values, sizeof(last.value));
    __builtin_memcpy(&last.where, columns, sizeof(last.where));
  } else {
    last = best_of_row<PADDED>(r, top + first, ox);
  }
  best = {last.value, last.where + place<T>(3 * first)};
#pragma GCC unroll 2
  for (index_t fy = first + 1; fy < end; ++fy) {
    last = best_of_row<PADDED>(r, top + fy, ox);
    best = better<T>(best, {last.value, last.where + place<T>(3 * fy)});
  }
  __builtin_memcpy(values, &last.value, sizeof(last.value));
  __builtin_memcpy(columns, &last.where, sizeof(last.where));
  store(y + oy * s.OW + ox, in_order(best.value));
  store_places(arg + oy * s.OW + ox, in_order(best.where));
}

template <bool PADDED, class T>
PYNET_INLINE void max_plane_3x3(const PoolShape& s, const Rows3x3<T>& r, T* y, std::int32_t* arg) {
  const index_t vectors = ceil_div(s.OW, kLanes<T>);
  for (index_t oy = 0; oy < s.OH; ++oy) {
    const Overlap rows = inside(2 * oy - s.pad_h, 3, s.H);
    if (oy > 0 && rows.end == 3) {
      for (index_t v = 0; v < vectors; ++v) max_3x3<PADDED>(s, r, oy, v, 0, 3, y, arg);
    } else {
      for (index_t v = 0; v < vectors; ++v) {
        max_3x3<PADDED>(s, r, oy, v, rows.begin, rows.end, y, arg);
      }
    }
  }
}

// One row of windows, whose rows of pixels first .. end-1 are in the image and lie from `pixels`
// on: their means. sizes (OW): pixels in each column of windows.
template <class T>
PYNET_INLINE void avg_row_3x3(const T* pixels, index_t step, index_t first, index_t end, index_t OW,
                              const T* sizes, T height, T* y) {
  constexpr index_t L = kLanes<T>;
  for (index_t v = 0; v < OW; v += L) {
    const index_t ox = min_of(v, OW - L);  // at the end some windows a second time
    vec<T> sum{};
#pragma GCC unroll 3
    for (index_t fy = first; fy < end; ++fy) {
      const T* p = pixels + fy * step + 2 * ox;
      if (fy > 0) __builtin_prefetch(p + kFetchAhead<T>);
      const Columns3<T> c = columns_3(p);
      sum = ((sum + c.first) + c.second) + c.third;
    }
    store(y + ox, in_order(sum) / (load(sizes + ox) * splat(height)));
  }
}

template <class T>
PYNET_INLINE void avg_plane_3x3(const PoolShape& s, const T* pixels, index_t step, const T* sizes,
                                bool count_pad, T* y) {
  for (index_t oy = 0; oy < s.OH; ++oy, y += s.OW) {
    const index_t top = 2 * oy - s.pad_h;
    const Overlap rows = inside(top, 3, s.H);
    const T* at = pixels + top * step;
    if (rows.begin == 0 && rows.end == 3) {
      avg_row_3x3(at, step, 0, 3, s.OW, sizes, T{3}, y);
    } else {
      const T height = static_cast<T>(count_pad ? 3 : rows.end - rows.begin);
      avg_row_3x3(at, step, rows.begin, rows.end, s.OW, sizes, height, y);
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
