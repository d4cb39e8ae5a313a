// Pooling over 2x2 windows with stride 2, the book's: whole vectors of windows.
#pragma once

#include "cpu/loop.h"
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

// A vector of windows, and how it is read from arrays of one element a window: from ox on, half of
// it at each of two places, or n from ox on.
template <class T>
struct WholeWindows {
  index_t ox;
  PYNET_INLINE vec<T> values(const T* p) const { return load(p + ox); }
  PYNET_INLINE ivec<T> places(const std::int32_t* p) const { return load_places(p + ox, T{}); }
};
template <class T>
struct HalvesOfWindows {
  index_t low, high;
  PYNET_INLINE vec<T> values(const T* p) const { return load_halves(p + low, p + high); }
  PYNET_INLINE ivec<T> places(const std::int32_t* p) const {
    return load_places(p + low, p + high, T{});
  }
};
template <class T>
struct SomeWindows {
  index_t ox, n;
  PYNET_INLINE vec<T> values(const T* p) const { return load_n(p + ox, n); }
  PYNET_INLINE ivec<T> places(const std::int32_t* p) const { return load_places_n(p + ox, n, T{}); }
};

// What a vector of windows gives to their four pixels, in the order of spread().
template <class T>
struct Corners {
  vec<T> pixel[4];
};

// One row of OW windows: give(windows) returns the corners of a vector of them.
template <class T, class Give>
PYNET_INLINE void backward_row_2x2(T* top, T* bottom, index_t OW, Write how, const Give& give) {
  constexpr index_t L = kLanes<T>;
  const auto write = [&](T* p, vec<T> v) {
    how == Write::Stream ? stream(p, v) : store(p, how == Write::Add ? load(p) + v : v);
  };
  const auto write_n = [&](T* p, vec<T> v, index_t n) {
    store_n(p, how == Write::Add ? load_n(p, n) + v : v, n);
  };
  // Half a vector of windows at `low`, the other half at `high`.
  const auto at = [&](index_t low, index_t high, const auto& windows) {
    const Corners<T> c = give(windows);
    const PairOf<vec<T>> upper = join(c.pixel[0], c.pixel[1]);
    const PairOf<vec<T>> lower = join(c.pixel[2], c.pixel[3]);
    write(top + 2 * low, upper.first), write(top + 2 * high, upper.second);
    write(bottom + 2 * low, lower.first), write(bottom + 2 * high, lower.second);
  };
  const auto whole = [&](index_t ox) { at(ox, ox + L / 2, WholeWindows<T>{ox}); };
  index_t ox = 0;
  for (; ox + L <= OW; ox += L) whole(ox);
  if (ox == OW) return;
  if (ox > 0 && how != Write::Add) {
    whole(OW - L);  // some windows a second time, with the same result
    return;
  }
  if (OW >= L / 2 && how != Write::Add) {
    const index_t high = OW - L / 2;
    at(0, high, HalvesOfWindows<T>{0, high});
    return;
  }
  const index_t n = OW - ox, n0 = min_of(2 * n, L), n1 = 2 * n - n0;
  const Corners<T> c = give(SomeWindows<T>{ox, n});
  const PairOf<vec<T>> upper = join(c.pixel[0], c.pixel[1]);
  const PairOf<vec<T>> lower = join(c.pixel[2], c.pixel[3]);
  write_n(top + 2 * ox, upper.first, n0), write_n(top + 2 * ox + L, upper.second, n1);
  write_n(bottom + 2 * ox, lower.first, n0), write_n(bottom + 2 * ox + L, lower.second, n1);
}

// One plane, row by row of windows. The last row or column of an odd size is in no window.
template <class T, class Give>
PYNET_INLINE void backward_plane_2x2(const PoolShape& s, T* dx, Write how, const Give& give) {
  for (index_t oy = 0; oy < s.OH; ++oy) {
    T* top = dx + 2 * oy * s.W;
    T* bottom = top + s.W;
    backward_row_2x2(top, bottom, s.OW, how,
                     [&](const auto& windows) { return give(oy * s.OW, windows); });
    if (how != Write::Add && s.W % 2) top[s.W - 1] = bottom[s.W - 1] = 0;
  }
  if (how != Write::Add && s.H % 2) {
    T* last = dx + (s.H - 1) * s.W;
    for (index_t x = 0; x < s.W; ++x) last[x] = 0;
  }
}

// dout at the pixel that arg names, 0 at the others. Given y, the maxima of what relu returned, its
// gradient as well.
template <class T>
PYNET_INLINE void max_backward_2x2(const PoolShape& s, T* dx, const T* dout,
                                   const std::int32_t* arg, const T* y, Write how) {
  backward_plane_2x2(s, dx, how, [&](index_t row, const auto& windows) {
    vec<T> d = windows.values(dout + row);
    if (y) d = through_relu<T>(d, windows.values(y + row));
    const ivec<T> bits = (ivec<T>)spread(d), where = spread(windows.places(arg + row));
    const auto one = [&](index_t k) { return (vec<T>)((where == place<T>(k)) & bits); };
    return Corners<T>{{one(0), one(1), one(2), one(3)}};
  });
}

// A quarter of dout at each pixel.
template <class T>
PYNET_INLINE void avg_backward_2x2(const PoolShape& s, T* dx, const T* dout, Write how) {
  backward_plane_2x2(s, dx, how, [&](index_t row, const auto& windows) {
    const vec<T> share = spread(windows.values(dout + row) * static_cast<T>(0.25));
    return Corners<T>{{share, share, share, share}};
  });
}

}  // namespace
}  // namespace pynet::PYNET_ISA
