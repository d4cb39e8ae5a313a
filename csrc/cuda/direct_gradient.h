// The filters' gradient of a direct convolution. A block takes tiles of pixels, one after the
// other: x and dout come to shared memory, and each thread adds up, over its share of the pixels,
// what some taps of several filters get of them: 64 to 80 sums in registers. At the end the sums of
// all threads go to scratch memory, and a second kernel adds them up, in an order that the shape
// says.
#pragma once

#include "cuda/direct_gradient_shape.h"
#include "cuda/direct_tile.h"
#include "cuda/reduce.h"

namespace pynet::cuda {

template <class T>
struct GradientJob {
  static constexpr int kMaps = DirectJob<T>::kMaps, kPack = DirectJob<T>::kPack;

  const T* dout;
  ConvShape s;
  GradientTile at;
  GradientUnits units;
  DirectPixels<T> pixels;
  MapLayout maps;
  bool packs;  // whether dout may be copied in 16 bytes
  Divider by_columns, by_across, by_down, by_types, by_group_blocks;

  GradientJob(const T* x, const T* dout_of, const ConvShape& shape, const GradientTile& t)
      : dout(dout_of),
        s(shape),
        at(t),
        units(shape, sizeof(T) == 4),
        pixels(x, shape, t.tile, 1),
        maps(t.tile),
        packs(shape.OW % kPack == 0 && is_aligned(dout_of, kPack)),
        by_columns(t.tile.columns),
        by_across(t.tiles_across),
        by_down(t.tiles_down),
        by_types(t.unit_blocks * t.group_blocks),
        by_group_blocks(t.group_blocks) {}

  index_t elements() const { return pixels.at.pixels + at.tile.groups * kMaps * maps.map; }
  index_t blocks() const { return at.parts * at.unit_blocks * at.group_blocks; }
  int threads() const {
    return (at.tile.groups * at.units * at.slices * kGradientLanes + 31) / 32 * 32;
  }
  __host__ __device__ index_t partials() const { return at.parts * at.slices; }  // of each sum
};

// What a thread has to do.
struct GradientPlace {
  index_t part;
  int first_unit, first_map;     // of the block
  int lane, group, unit, slice;  // of the thread; the unit is one of the block's
  template <class T>
  __host__ __device__ GradientPlace(const GradientJob<T>& job, unsigned block, unsigned thread) {
    const std::uint32_t of = job.by_types.quotient(block), type = block - of * job.by_types.d;
    const std::uint32_t units = job.by_group_blocks.quotient(type);
    part = of;
    first_unit = static_cast<int>(units) * job.at.units;
    first_map = static_cast<int>(type - units * job.by_group_blocks.d) * job.at.tile.groups *
                GradientJob<T>::kMaps;
    const int t = static_cast<int>(thread), task = t / kGradientLanes;
    lane = t % kGradientLanes;
    const int rest = task / job.at.tile.groups;
    group = task - rest * job.at.tile.groups;
    slice = rest / job.at.units;
    unit = rest - slice * job.at.units;
  }
};

// Rows `top` and on, columns `left` and on of the block's maps of an image; zeros behind the last
// map.
template <int W, class T>
PYNET_INLINE void copy_maps(const GradientJob<T>& job, index_t image, int first, int top, int left,
                            AsyncCopies& copies, T* to) {
  const ConvShape& s = job.s;
  const int rows = job.at.tile.rows;
  const int lines = job.at.tile.groups * GradientJob<T>::kMaps * rows;
  for (int i = static_cast<int>(threadIdx.x / 32); i < lines;
       i += static_cast<int>(blockDim.x / 32)) {
    const int f = i / rows, row = i - f * rows;
    if (top + row >= s.OH) continue;
    const bool there = first + f < s.FN;
    const T* line =
        job.dout + (there ? ((image * s.FN + first + f) * s.OH + top + row) * s.OW + left : 0);
    T* at = to + f * job.maps.map + row * job.maps.line;
    for (int j = W * static_cast<int>(threadIdx.x % 32); j < job.maps.line; j += 32 * W) {
      if (left + j < s.OW) copies.copy<W>(at + j, there ? line + j : job.dout, there ? W : 0);
    }
  }
}

// The sums of a unit; what is left of them after a reduction, of eight lanes, is a share each.
template <class T, int TAPS, int RUNS>
struct GradientSums {
  static constexpr int kMaps = GradientJob<T>::kMaps;
  static constexpr int kAll = (RUNS * TAPS * kMaps + 7) / 8 * 8, kShare = kAll / kGradientLanes;
  T at[kAll] = {};

  PYNET_INLINE T& of(int run, int tap, int map) { return at[(run * TAPS + tap) * kMaps + map]; }

  // Four pixels of each map; `pixels` under the first of them, for the runs `down` apart.
  PYNET_INLINE void add_quad(const T* const (&rows)[RUNS], int phase, const T* maps, int map) {
    constexpr int kPack = GradientJob<T>::kPack;
    T under[RUNS][TAPS + 3];
    PYNET_UNROLL
    for (int r = 0; r < RUNS; ++r) {
      PYNET_UNROLL
      for (int i = 0; i < TAPS + 3; ++i) under[r][i] = rows[r][i % 4 * phase + i / 4];
    }
    PYNET_UNROLL
    for (int m = 0; m < kMaps; ++m) {
      Pack<T, kPack> d[4 / kPack];
      PYNET_UNROLL
      for (int i = 0; i < 4 / kPack; ++i) d[i] = load_pack<kPack>(maps + m * map + i * kPack);
      PYNET_UNROLL
      for (int p = 0; p < 4; ++p) {
        PYNET_UNROLL
        for (int r = 0; r < RUNS; ++r) {
          PYNET_UNROLL
          for (int k = 0; k < TAPS; ++k) {
            of(r, k, m) = fma(d[p / kPack].lane[p % kPack], under[r][p + k], of(r, k, m));
          }
        }
      }
    }
  }
  // Pixel p of a quad that the image cuts off: what is beyond must not be multiplied, not by 0.
  PYNET_INLINE void add_pixel(const T* const (&rows)[RUNS], int p, int phase, const T* maps,
                              int map) {
    T under[RUNS][TAPS];
    PYNET_UNROLL
    for (int k = 0; k < TAPS; ++k) {
      const int i = p + k;
      PYNET_UNROLL
      for (int r = 0; r < RUNS; ++r) under[r][k] = rows[r][i % 4 * phase + i / 4];
    }
    PYNET_UNROLL
    for (int m = 0; m < kMaps; ++m) {
      const T d = maps[m * map + p];
      PYNET_UNROLL
      for (int r = 0; r < RUNS; ++r) {
        PYNET_UNROLL
        for (int k = 0; k < TAPS; ++k) of(r, k, m) = fma(d, under[r][k], of(r, k, m));
      }
    }
  }

  // Adds up the sums of eight lanes: each ends with those from first_of(lane) on, at[0] and so on.
  static __host__ __device__ constexpr int first_of(int lane) {
    return (lane & 4 ? kAll / 2 : 0) + (lane & 2 ? kAll / 4 : 0) + (lane & 1 ? kAll / 8 : 0);
  }
  PYNET_INLINE void join(int lane) {
    give<kAll / 2>(lane & 4, 4);
    give<kAll / 4>(lane & 2, 2);
    give<kAll / 8>(lane & 1, 1);
  }

 private:
  template <int N>
  PYNET_INLINE void give(bool upper, int partner) {
    PYNET_UNROLL
    for (int i = 0; i < N; ++i) {
      const T kept = upper ? at[i + N] : at[i], given = upper ? at[i] : at[i + N];
      at[i] = kept + __shfl_xor_sync(kAllLanes, given, partner);
    }
  }
};

// partial: (FN, taps, partials)
template <class T, int TAPS, int RUNS>
__global__ void __launch_bounds__(kDirectThreads, sizeof(T) == 4 ? 2 : 1)
    direct_gradient_kernel(GradientJob<T> job, T* partial) {
  PYNET_LARGE_SHARED(DirectMemory<T>, shared);
  using Sums = GradientSums<T, TAPS, RUNS>;
  const ConvShape& s = job.s;
  const DirectTile& tile = job.at.tile;
  const PixelLayout& at = job.pixels.at;
  T *pixels = shared.at, *maps = pixels + at.pixels;

  const GradientPlace place(job, blockIdx.x, threadIdx.x);
  const int first_channel = job.units.first(place.first_unit).c;
  const int all_units = static_cast<int>(s.C) * job.units.of_channel;
  const bool works = place.slice < job.at.slices && place.first_unit + place.unit < all_units;
  const GradientUnits::First tap = job.units.first(works ? place.first_unit + place.unit : 0);
  const int phase = job.units.across * at.x.length;
  const T* rows[RUNS];
  PYNET_UNROLL
  for (int r = 0; r < RUNS; ++r) {  // a row that there is, for those that are left out in the end
    const int fy = tap.fy + r < job.units.FH ? tap.fy + r : job.units.FH - 1;
    rows[r] = pixels + (works ? tap.c - first_channel : 0) * at.plane + at.row(fy) +
              at.column(tap.set + tap.chunk * TAPS * job.units.across);
  }
  const T* mine = maps + place.group * Sums::kMaps * job.maps.map;

  Sums sums;
  const index_t begin = place.part * job.at.length;
  const index_t end = begin + job.at.length < job.at.tiles ? begin + job.at.length : job.at.tiles;
  for (index_t i = begin; i < end; ++i) {
    const Split of(i, job.by_across, job.by_down);
    const int top = of.row * tile.rows, left = of.column * tile.columns * kDirectAcross;
    AsyncCopies copies;
    job.pixels.copy(of.plane, first_channel, top * s.stride_h - s.pad_h,
                    left * s.stride_w - s.pad_w, copies, pixels);
    if (job.packs) {
      copy_maps<GradientJob<T>::kPack>(job, of.plane, place.first_map, top, left, copies, maps);
    } else {
      copy_maps<1>(job, of.plane, place.first_map, top, left, copies, maps);
    }
    copies.commit();
    copies.wait<0>();
    __syncthreads();
    const int down = s.OH - top < tile.rows ? static_cast<int>(s.OH) - top : tile.rows;
    const int across = static_cast<int>(s.OW) - left;
    const int quads = works ? down * tile.columns : 0;
    for (int q = place.slice * kGradientLanes + place.lane; q < quads;
         q += job.at.slices * kGradientLanes) {
      const int row = static_cast<int>(job.by_columns.quotient(static_cast<std::uint32_t>(q)));
      const int column = q - row * tile.columns;
      const int there = across - kDirectAcross * column;  // pixels of the quad
      const T* under[RUNS];
      PYNET_UNROLL
      for (int r = 0; r < RUNS; ++r) under[r] = rows[r] + row * at.pitch + column;
      const T* of_maps = mine + row * job.maps.line + kDirectAcross * column;
      if (there >= kDirectAcross) {
        sums.add_quad(under, phase, of_maps, job.maps.map);
      } else {
        for (int p = 0; p < there; ++p) sums.add_pixel(under, p, phase, of_maps, job.maps.map);
      }
    }
    __syncthreads();  // what was there is read
  }

  sums.join(place.lane);
  if (!works) return;
  const index_t taps = s.C * s.FH * s.FW, partials = job.partials();
  PYNET_UNROLL
  for (int i = 0; i < Sums::kShare; ++i) {
    const int n = Sums::first_of(place.lane) + i, line = n / Sums::kMaps;
    const int run = line / TAPS, k = job.units.tap(tap, run, line - run * TAPS);
    const index_t m = place.first_map + place.group * Sums::kMaps + n - line * Sums::kMaps;
    if (run >= RUNS || k < 0 || m >= s.FN) continue;
    partial[(m * taps + k) * partials + place.part * job.at.slices + place.slice] = sums.at[i];
  }
}

// A warp for each sum.
template <class T>
__global__ void join_gradients_kernel(index_t n, index_t partials, const T* partial, T* dW) {
  const index_t i =
      static_cast<index_t>(blockIdx.x) * (kReduceThreads / kWarpSize) + threadIdx.x / kWarpSize;
  if (i >= n) return;
  T sum = 0;
  for (index_t k = threadIdx.x % kWarpSize; k < partials; k += kWarpSize) {
    sum += partial[i * partials + k];
  }
  sum = warp_sum(sum);
  if (threadIdx.x % kWarpSize == 0) dW[i] = sum;
}

}  // namespace pynet::cuda
