// Sums in double precision, whatever the data type, in an order that follows from the sizes alone.
#pragma once

#include "cpu/kernel.h"

namespace pynet::PYNET_ISA {
namespace {

constexpr index_t kWide = kLanes<double>;

typedef float vfloat_half __attribute__((vector_size(kVectorBytes / 2)));

// kWide elements as doubles; the first n of them, 0 <= n < kWide, and 0 in the other lanes.
PYNET_INLINE vdouble load_wide(const double* p) { return load(p); }
PYNET_INLINE vdouble load_wide(const float* p) {
  vfloat_half v;
  __builtin_memcpy(&v, p, sizeof(v));
  return __builtin_convertvector(v, vdouble);
}
PYNET_INLINE vdouble load_wide_n(const double* p, index_t n) { return load_n(p, n); }
PYNET_INLINE vdouble load_wide_n(const float* p, index_t n) {
#if defined(__AVX512F__)
  const vfloat_half v = (vfloat_half)_mm256_maskz_loadu_ps(static_cast<__mmask8>((1u << n) - 1), p);
#elif defined(__AVX2__)
  const __m128i first =
      _mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(n)), _mm_setr_epi32(0, 1, 2, 3));
  const vfloat_half v = (vfloat_half)_mm_maskload_ps(p, first);
#else
  vfloat_half v{};
  for (index_t i = 0; i < kWide; ++i) {
    if (i < n) v[i] = p[i];
  }
#endif
  return __builtin_convertvector(v, vdouble);
}
PYNET_INLINE void store_wide(double* p, vdouble v) { store(p, v); }
PYNET_INLINE void store_wide(float* p, vdouble v) {
  const vfloat_half narrow = __builtin_convertvector(v, vfloat_half);
  __builtin_memcpy(p, &narrow, sizeof(narrow));
}

// How a loop body reads and writes vectors of doubles: whole, or only the first n lanes at the end,
// with 0 in the others.
struct WideWhole {
  template <class T>
  PYNET_INLINE vdouble load(const T* p) const {
    return load_wide(p);
  }
  template <class T>
  PYNET_INLINE void store(T* p, vdouble v) const {
    store_wide(p, v);
  }
  PYNET_INLINE vdouble keep(vdouble v) const { return v; }
};
struct WidePart {
  index_t n;
  template <class T>
  PYNET_INLINE vdouble load(const T* p) const {
    return load_wide_n(p, n);
  }
  template <class T>
  PYNET_INLINE void store(T* p, vdouble v) const {
    double lane[kWide];
    store_wide(lane, v);
    for (index_t i = 0; i < n; ++i) p[i] = static_cast<T>(lane[i]);
  }
  PYNET_INLINE vdouble keep(vdouble v) const {
    vint64 lane;
    for (index_t i = 0; i < kWide; ++i) lane[i] = i;
    return (vdouble)((lane < n) & (vint64)v);
  }
};

// Calls body(i, sum, lanes) for the vectors of elements 0 .. n-1: sum is one of four accumulators,
// so that additions need not wait for each other.
template <class Sum, class Body>
PYNET_INLINE void for_wide(index_t n, Sum (&sums)[4], const Body& body) {
  index_t i = 0;
  for (; i + 4 * kWide <= n; i += 4 * kWide) {
    body(i, sums[0], WideWhole{});
    body(i + kWide, sums[1], WideWhole{});
    body(i + 2 * kWide, sums[2], WideWhole{});
    body(i + 3 * kWide, sums[3], WideWhole{});
  }
  for (; i + kWide <= n; i += kWide) body(i, sums[0], WideWhole{});
  if (i < n) body(i, sums[1], WidePart{n - i});
}

PYNET_INLINE double sum_of(const vdouble (&sums)[4]) {
  return sum_lanes<double>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

// The two halves of a vector of floats as doubles.
struct Halves {
  vdouble low, high;
};
PYNET_INLINE Halves widen(vfloat v) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(v)), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))};
#else
  vfloat_half half[2];
  __builtin_memcpy(half, &v, sizeof(v));
  return {__builtin_convertvector(half[0], vdouble), __builtin_convertvector(half[1], vdouble)};
#endif
}

// A sum of vectors of either type.
struct WideSum {
  vdouble low{}, high{};

  PYNET_INLINE void add(vfloat v) {
    const Halves wide = widen(v);
    low += wide.low;
    high += wide.high;
  }
  PYNET_INLINE void add(vdouble v) { low += v; }
  PYNET_INLINE void add_square(vfloat v) {
    const Halves wide = widen(v);
    low += wide.low * wide.low;
    high += wide.high * wide.high;
  }
  PYNET_INLINE void add_square(vdouble v) { low += v * v; }
  PYNET_INLINE double total() const { return sum_lanes<double>(low + high); }
};

template <int V>
struct Count {
  static constexpr int value = V;
};

// Calls body(c, Count<vectors>, lanes) for the columns begin .. end-1, V vectors at a time.
template <int V, class Body>
PYNET_INLINE void for_columns(index_t begin, index_t end, const Body& body) {
  index_t c = begin;
  for (; c + V * kWide <= end; c += V * kWide) body(c, Count<V>{}, WideWhole{});
  for (; c + kWide <= end; c += kWide) body(c, Count<1>{}, WideWhole{});
  if (c < end) body(c, Count<1>{}, WidePart{end - c});
}

// How an array (N, C, S) is cut for sums per channel: tiles of `rows` samples by `channels`
// channels, about kChunk elements, so that each tile's sums are few beside its elements: at least
// 64 to a sum where channels are summed side by side (S = 1), 1024 where they are summed in turn.
struct ChannelTiling {
  index_t channels, rows;
  index_t column_tiles, row_tiles;
};

PYNET_INLINE ChannelTiling tile_channels(index_t N, index_t C, index_t S) {
  ChannelTiling t;
  t.channels = min_of(C, max_of(kChunk / max_of(S, index_t{S == 1 ? 64 : 1024}), index_t{1}));
  t.rows = min_of(N, max_of(kChunk / (S * t.channels), index_t{1}));
  t.column_tiles = ceil_div(C, t.channels);
  t.row_tiles = ceil_div(N, t.rows);
  return t;
}

// The samples and channels of one tile.
struct ChannelTile {
  index_t row;  // number of the tile along the samples
  index_t n0, n1, c0, c1;
};

PYNET_INLINE ChannelTile channel_tile(const ChannelTiling& t, index_t N, index_t C, index_t index) {
  const index_t row = index / t.column_tiles, column = index % t.column_tiles;
  return {row, row * t.rows, min_of(N, (row + 1) * t.rows), column * t.channels,
          min_of(C, (column + 1) * t.channels)};
}

}  // namespace
}  // namespace pynet::PYNET_ISA
