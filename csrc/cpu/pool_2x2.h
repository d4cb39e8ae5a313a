// Max pooling over 2x2 windows with stride 2, the book's: whole vectors of windows.
#pragma once

#include "cpu/pairs.h"
#include "pynet/pool.h"

namespace pynet::PYNET_ISA {
namespace {

// Places in a window: 32 bits in memory, as wide as T in a vector.
typedef std::int32_t vint32_half __attribute__((vector_size(kVectorBytes / 2)));
PYNET_INLINE vint32 load_places(const std::int32_t* p, float) {
  vint32 v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
PYNET_INLINE vint64 load_places(const std::int32_t* p, double) {
  vint32_half v;
  __builtin_memcpy(&v, p, sizeof(v));
  return __builtin_convertvector(v, vint64);
}
// The first n of them, 0 in the other lanes.
PYNET_INLINE vint32 load_places_n(const std::int32_t* p, index_t n, float) {
#if defined(__AVX2__) || defined(__AVX512F__)
  return (vint32)load_n(reinterpret_cast<const float*>(p), n);  // masked loads may take any type
#else
  vint32 v{};
  for (index_t i = 0; i < kLanes<float>; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
#endif
}
PYNET_INLINE vint64 load_places_n(const std::int32_t* p, index_t n, double) {
  vint64 v{};
  for (index_t i = 0; i < kLanes<double>; ++i) {
    if (i < n) v[i] = p[i];
  }
  return v;
}
PYNET_INLINE void store_places(std::int32_t* p, vint32 v) { __builtin_memcpy(p, &v, sizeof(v)); }
PYNET_INLINE void store_places(std::int32_t* p, vint64 v) {
  const vint32_half narrow = __builtin_convertvector(v, vint32_half);
  __builtin_memcpy(p, &narrow, sizeof(narrow));
}

// The same, half a vector from or to each of two places in memory.
PYNET_INLINE vint32 load_places(const std::int32_t* low, const std::int32_t* high, float) {
  return (vint32)load_halves(reinterpret_cast<const float*>(low),
                             reinterpret_cast<const float*>(high));
}
PYNET_INLINE vint64 load_places(const std::int32_t* low, const std::int32_t* high, double) {
  std::int32_t places[kLanes<double>];
  __builtin_memcpy(places, low, sizeof(places) / 2);
  __builtin_memcpy(places + kLanes<double> / 2, high, sizeof(places) / 2);
  return load_places(places, double{});
}
template <class V>
PYNET_INLINE void store_places(std::int32_t* low, std::int32_t* high, V v) {
  constexpr index_t L = sizeof(V) / sizeof(v[0]);
  std::int32_t places[L];
  store_places(places, v);
  __builtin_memcpy(low, places, sizeof(places) / 2);
  __builtin_memcpy(high, places + L / 2, sizeof(places) / 2);
}

template <class T>
PYNET_INLINE ivec<T> place(index_t k) {
  return ivec<T>{} + static_cast<typename VecOf<T>::iscalar>(k);
}

// The better of two candidates: the larger one, or the first NaN; of equals the first.
template <class T>
struct Best {
  vec<T> value;
  ivec<T> where;
};
template <class T>
PYNET_INLINE Best<T> better(Best<T> a, Best<T> b) {
  const ivec<T> take = ~(b.value <= a.value) & (a.value == a.value);
  return {take ? b.value : a.value, take ? b.where : a.where};
}

// kLanes<T> windows, by their four pixels.
template <class T>
PYNET_INLINE Best<T> best_of_2x2(vec<T> a, vec<T> b, vec<T> c, vec<T> d) {
  return better<T>(better<T>({a, place<T>(0)}, {b, place<T>(1)}),
                   better<T>({c, place<T>(2)}, {d, place<T>(3)}));
}

// The same where the rows' pixels are in two vectors each.
template <class T>
PYNET_INLINE Best<T> max_2x2(vec<T> top0, vec<T> top1, vec<T> bottom0, vec<T> bottom1) {
  const PairOf<vec<T>> top = split(top0, top1), bottom = split(bottom0, bottom1);
  const Best<T> best = best_of_2x2<T>(top.first, top.second, bottom.first, bottom.second);
  return {in_order(best.value), in_order(best.where)};
}

// One row of OW windows.
template <class T>
PYNET_INLINE void max_row_2x2(const T* top, const T* bottom, index_t OW, T* y, std::int32_t* arg) {
  constexpr index_t L = kLanes<T>;
  const auto whole = [&](index_t ox) {
    const index_t ix = 2 * ox;
    const Best<T> best =
        max_2x2<T>(load(top + ix), load(top + ix + L), load(bottom + ix), load(bottom + ix + L));
    store(y + ox, best.value);
    store_places(arg + ox, best.where);
  };
  if (OW >= L) {
    for (index_t ox = 0; ox + L <= OW; ox += L) whole(ox);
    if (OW % L) whole(OW - L);  // some windows a second time, with the same result
    return;
  }
  if (OW >= L / 2) {
    const index_t ox = OW - L / 2;
    const Best<T> best =
        max_2x2<T>(load(top), load(top + 2 * ox), load(bottom), load(bottom + 2 * ox));
    store_halves(y, y + ox, best.value);
    store_places(arg, arg + ox, best.where);
    return;
  }
  const index_t n0 = min_of(2 * OW, L), n1 = 2 * OW - n0;
  const Best<T> best =
      max_2x2<T>(load_n(top, n0), load_n(top + L, n1), load_n(bottom, n0), load_n(bottom + L, n1));
  std::int32_t places[L];
  store_n(y, best.value, OW);
  store_places(places, best.where);
  for (index_t ox = 0; ox < OW; ++ox) arg[ox] = places[ox];
}

// One row of OW windows: their means, the pixels added in their order.
template <class T>
PYNET_INLINE void avg_row_2x2(const T* top, const T* bottom, index_t OW, T* y) {
  constexpr index_t L = kLanes<T>;
  const auto mean = [](vec<T> top0, vec<T> top1, vec<T> bottom0, vec<T> bottom1) {
    const PairOf<vec<T>> upper = split(top0, top1), lower = split(bottom0, bottom1);
    const vec<T> sum = ((upper.first + upper.second) + lower.first) + lower.second;
    return in_order(sum * static_cast<T>(0.25));
  };
  const auto whole = [&](index_t ox) {
    const T *a = top + 2 * ox, *b = bottom + 2 * ox;
    store(y + ox, mean(load(a), load(a + L), load(b), load(b + L)));
  };
  if (OW >= L) {
    for (index_t ox = 0; ox + L <= OW; ox += L) whole(ox);
    if (OW % L) whole(OW - L);  // some windows a second time, with the same result
    return;
  }
  const index_t n0 = min_of(2 * OW, L), n1 = 2 * OW - n0;
  store_n(y,
          mean(load_n(top, n0), load_n(top + n0, n1), load_n(bottom, n0), load_n(bottom + n0, n1)),
          OW);
}

// One row of OW windows: dout at the pixel that arg names, 0 at the others. Given y, the maxima of
// what relu returned, its gradient as well.
template <class T>
PYNET_INLINE void max_backward_row_2x2(T* top, T* bottom, index_t OW, const T* dout,
                                       const std::int32_t* arg, const T* y, bool add) {
  constexpr index_t L = kLanes<T>;
  const auto write = [&](T* p, vec<T> v) { store(p, add ? load(p) + v : v); };
  const auto write_n = [&](T* p, vec<T> v, index_t n) {
    store_n(p, add ? load_n(p, n) + v : v, n);
  };
  const auto one = [](ivec<T> where, vec<T> d, index_t k) {
    return (vec<T>)((where == place<T>(k)) & (ivec<T>)d);
  };
  const auto given = [&](const auto& read) {
    return y ? through_relu<T>(read(dout), read(y)) : read(dout);
  };
  // Half a vector of windows at `low`, the other half at `high`.
  const auto at = [&](index_t low, index_t high, vec<T> d, ivec<T> where) {
    d = spread(d), where = spread(where);
    const PairOf<vec<T>> upper = join(one(where, d, 0), one(where, d, 1));
    const PairOf<vec<T>> lower = join(one(where, d, 2), one(where, d, 3));
    write(top + 2 * low, upper.first), write(top + 2 * high, upper.second);
    write(bottom + 2 * low, lower.first), write(bottom + 2 * high, lower.second);
  };
  const auto whole = [&](index_t ox) {
    const vec<T> d = given([&](const T* p) { return load(p + ox); });
    at(ox, ox + L / 2, d, load_places(arg + ox, T{}));
  };
  index_t ox = 0;
  for (; ox + L <= OW; ox += L) whole(ox);
  if (ox == OW) return;
  if (ox > 0 && !add) {
    whole(OW - L);  // some windows a second time, with the same result
    return;
  }
  if (OW >= L / 2 && !add) {
    const index_t high = OW - L / 2;
    const vec<T> d = given([&](const T* p) { return load_halves(p, p + high); });
    at(0, high, d, load_places(arg, arg + high, T{}));
    return;
  }
  const index_t n = OW - ox, n0 = min_of(2 * n, L), n1 = 2 * n - n0;
  std::int32_t places[L] = {};
  for (index_t i = 0; i < n; ++i) places[i] = arg[ox + i];
  const vec<T> d = spread(given([&](const T* p) { return load_n(p + ox, n); }));
  const ivec<T> where = spread(load_places(places, T{}));
  const PairOf<vec<T>> upper = join(one(where, d, 0), one(where, d, 1));
  const PairOf<vec<T>> lower = join(one(where, d, 2), one(where, d, 3));
  write_n(top + 2 * ox, upper.first, n0), write_n(top + 2 * ox + L, upper.second, n1);
  write_n(bottom + 2 * ox, lower.first, n0), write_n(bottom + 2 * ox + L, lower.second, n1);
}

// One plane. The last row or column of an odd size is in no window.
template <class T>
PYNET_INLINE void max_backward_2x2(const PoolShape& s, T* dx, const T* dout,
                                   const std::int32_t* arg, const T* y, bool add) {
  for (index_t oy = 0; oy < s.OH; ++oy) {
    const index_t first = oy * s.OW;
    T* top = dx + 2 * oy * s.W;
    T* bottom = top + s.W;
    max_backward_row_2x2(top, bottom, s.OW, dout + first, arg + first, y ? y + first : nullptr,
                         add);
    if (!add && s.W % 2) top[s.W - 1] = bottom[s.W - 1] = 0;
  }
  if (!add && s.H % 2) {
    T* last = dx + (s.H - 1) * s.W;
    for (index_t x = 0; x < s.W; ++x) last[x] = 0;
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
