// A tile of a direct convolution: its pixels and filters are copied to shared memory once, and each
// thread sums up 2 x 4 pixels of several maps in registers. Down a filter and along its row, a
// pixel that was read serves all taps over it, and a tap's filters serve all pixels: some six
// multiplications for each number that comes from shared memory.
#pragma once

#include "cuda/copy_async.h"
#include "cuda/direct_shape.h"
#include "cuda/lane.h"

namespace pynet::cuda {

template <class T>
struct DirectMemory {
  alignas(16) T at[kDirectBytes / sizeof(T)];
};

// The pixels of a tile on their way to shared memory, as many channels as it takes at a time.
template <class T>
struct DirectPixels {
  const T* x;
  ConvShape s;
  DirectTile tile;
  PixelLayout at;
  Divider by_rows, by_channels;

  DirectPixels(const T* x_of, const ConvShape& shape, const DirectTile& t, int down)
      : x(x_of),
        s(shape),
        tile(t),
        at(shape, t, down, 16 / sizeof(T)),
        by_rows(at.y.pixels),
        by_channels(t.channels) {}

  // From channel `first` of image n0 on, row `top` and column `left`. Zeros stand where there is
  // padding, and where an image, its channels or the batch end.
  PYNET_INLINE void copy(index_t n0, int first, index_t top, index_t left, AsyncCopies& copies,
                         T* to) const {
    const int lines = tile.images * tile.channels * at.y.pixels;
    for (int i = static_cast<int>(threadIdx.x / 32); i < lines;
         i += static_cast<int>(blockDim.x / 32)) {
      const Split of(i, by_rows, by_channels);  // image, channel, row
      const index_t h = top + of.column, n = n0 + of.plane, c = first + of.row;
      const bool there = n < s.N && c < s.C && 0 <= h && h < s.H;
      const T* line = x + (there ? ((n * s.C + c) * s.H + h) * s.W : 0);
      T* row = to + of.plane * at.image + of.row * at.plane + at.row(of.column);
      for (int j = static_cast<int>(threadIdx.x % 32); j < at.x.pixels; j += 32) {
        const index_t w = left + j;
        const bool inside = there && 0 <= w && w < s.W;
        copies.copy<1>(row + at.column(j), inside ? line + w : x, inside ? 1 : 0);
      }
    }
  }
};

// What a direct convolution reads, and how it is divided up.
template <class T>
struct DirectJob {
  static constexpr int kMaps = 32 / sizeof(T);  // of a thread
  static constexpr int kPack = 16 / sizeof(T);

  const T* W;
  ConvShape s;
  DirectTile tile;
  DirectPixels<T> pixels;
  FilterLayout filters;
  DirectGrid grid;
  Divider by_columns, by_rows;  // of the threads of a tile
  Divider by_map_blocks, by_across, by_down;

  DirectJob(const T* x, const T* W_of, const ConvShape& shape, const DirectTile& t,
            index_t outputs_down, index_t outputs_across)
      : W(W_of),
        s(shape),
        tile(t),
        pixels(x, shape, t, kDirectDown),
        filters(shape, t, kMaps, kPack),
        grid(shape, t, outputs_down, outputs_across, kMaps),
        by_columns(t.columns),
        by_rows(t.rows),
        by_map_blocks(grid.map_blocks),
        by_across(grid.tiles_across),
        by_down(grid.tiles_down) {}

  index_t elements() const { return pixels.at.pixels + filters.filters; }
};

// The first image, thread row, thread column and map of a block.
struct DirectPlace {
  index_t image;
  int row, column, map;
  template <class T>
  __host__ __device__ DirectPlace(const DirectJob<T>& job, unsigned block) {
    const std::uint32_t tile = job.by_map_blocks.quotient(block);
    const Split of(tile, job.by_across, job.by_down);
    image = static_cast<index_t>(of.plane) * job.tile.images;
    row = of.row * job.tile.rows;
    column = of.column * job.tile.columns;
    map = static_cast<int>(block - tile * job.by_map_blocks.d) * job.tile.groups *
          DirectJob<T>::kMaps;
  }
};

// The taps of so many channels from `first` on, in the filters from map `map` on.
template <class T>
PYNET_INLINE void copy_filters(const DirectJob<T>& job, int map, int first, AsyncCopies& copies,
                               T* to) {
  const int of_channel = static_cast<int>(job.s.FH * job.s.FW);
  const int all = static_cast<int>(job.s.C) * of_channel, from = first * of_channel;
  const int taps = job.tile.channels * of_channel;
  for (int f = static_cast<int>(threadIdx.x / 32); f < job.tile.groups * DirectJob<T>::kMaps;
       f += static_cast<int>(blockDim.x / 32)) {
    const bool there = map + f < job.s.FN;
    const T* filter = job.W + (there ? index_t{map + f} * all + from : 0);
    for (int k = static_cast<int>(threadIdx.x % 32); k < taps; k += 32) {
      const bool inside = there && from + k < all;
      copies.copy<1>(to + k * job.filters.pitch + f, filter + (inside ? k : 0), inside ? 1 : 0);
    }
  }
}

template <class T>
using DirectSums = T[DirectJob<T>::kMaps][kDirectDown][kDirectAcross];

// Adds TAPS taps of a row of the filters, a stride apart, over the two rows of pixels a and b. The
// pixels under them lie in four phases, `phase` elements apart.
template <int TAPS, class T>
PYNET_INLINE void add_taps(const T* a, const T* b, int phase, const T* filters, int tap,
                           DirectSums<T>& sum) {
  constexpr int kMaps = DirectJob<T>::kMaps, kPack = DirectJob<T>::kPack;
  T under[kDirectDown][TAPS + 3];
  PYNET_UNROLL
  for (int i = 0; i < TAPS + 3; ++i) {
    under[0][i] = a[i % 4 * phase + i / 4];
    under[1][i] = b[i % 4 * phase + i / 4];
  }
  PYNET_UNROLL
  for (int k = 0; k < TAPS; ++k) {
    Pack<T, kPack> of[kMaps / kPack];
    PYNET_UNROLL
    for (int i = 0; i < kMaps / kPack; ++i) of[i] = load_pack<kPack>(filters + k * tap + i * kPack);
    PYNET_UNROLL
    for (int m = 0; m < kMaps; ++m) {
      PYNET_UNROLL
      for (int y = 0; y < kDirectDown; ++y) {
        PYNET_UNROLL
        for (int x = 0; x < kDirectAcross; ++x) {
          sum[m][y][x] = fma(of[m / kPack].lane[m % kPack], under[y][k + x], sum[m][y][x]);
        }
      }
    }
  }
}

// The same for any number of taps: four of them lead to the next pixel of a phase.
template <class T>
PYNET_INLINE void add_taps(int taps, const T* a, const T* b, int phase, const T* filters, int tap,
                           DirectSums<T>& sum) {
  while (taps > 5) {
    add_taps<4>(a, b, phase, filters, tap, sum);
    ++a, ++b, taps -= 4, filters += 4 * tap;
  }
  switch (taps) {
    case 5:
      return add_taps<5>(a, b, phase, filters, tap, sum);
    case 4:
      return add_taps<4>(a, b, phase, filters, tap, sum);
    case 3:
      return add_taps<3>(a, b, phase, filters, tap, sum);
    case 2:
      return add_taps<2>(a, b, phase, filters, tap, sum);
    default:
      return add_taps<1>(a, b, phase, filters, tap, sum);
  }
}

// All taps of so many channels, in an order that is the same for every pixel and tile. `pixels`:
// under the thread's first output; `filters`: of its first map.
template <class T>
PYNET_INLINE void add_windows(const DirectJob<T>& job, int channels, const T* pixels,
                              const T* filters, DirectSums<T>& sum) {
  const PixelLayout& at = job.pixels.at;
  const int FH = static_cast<int>(job.s.FH);
  const int FW = static_cast<int>(job.s.FW), tap = job.filters.pitch;
  const int down = static_cast<int>(job.s.stride_h), across = static_cast<int>(job.s.stride_w);
  const int most = (FW + across - 1) / across, sets = FW < across ? FW : across;
  for (int c = 0; c < channels; ++c) {
    for (int fy = 0; fy < FH; ++fy) {
      const T* a = pixels + at.row(fy);
      const T* b = pixels + at.row(fy + down);
      for (int fx = 0; fx < sets; ++fx) {
        const int taps = fx + (most - 1) * across < FW ? most : most - 1;
        add_taps(taps, a + fx * at.x.length, b + fx * at.x.length, across * at.x.length,
                 filters + fx * tap, across * tap, sum);
      }
      filters += FW * tap;
    }
    pixels += at.plane;
  }
}

// Calls finish(sum, image, row, column, map) in each thread that has outputs, with the first of
// those.
template <class T, class Finish>
__global__ void __launch_bounds__(kDirectThreads, sizeof(T) == 4 ? 2 : 1)
    direct_kernel(DirectJob<T> job, Finish finish) {
  PYNET_LARGE_SHARED(DirectMemory<T>, shared);
  const PixelLayout& at = job.pixels.at;
  T *pixels = shared.at, *filters = pixels + at.pixels;
  const DirectPlace place(job, blockIdx.x);
  const int t = static_cast<int>(threadIdx.x), group = t / job.grid.lanes;
  const int position = t - group * job.grid.lanes;
  const Split own(position, job.by_columns, job.by_rows);
  const T* under = pixels + own.plane * at.image + own.row * at.pitch + own.column;

  DirectSums<T> sum = {};
  const int C = static_cast<int>(job.s.C);
  for (int first = 0; first < C; first += job.tile.channels) {
    AsyncCopies copies;
    job.pixels.copy(
        place.image, first, index_t{kDirectDown} * place.row * job.s.stride_h - job.s.pad_h,
        index_t{kDirectAcross} * place.column * job.s.stride_w - job.s.pad_w, copies, pixels);
    copy_filters(job, place.map, first, copies, filters);
    copies.commit();
    copies.wait<0>();
    __syncthreads();
    if (position < job.grid.positions) {
      const int left = C - first < job.tile.channels ? C - first : job.tile.channels;
      add_windows(job, left, under, filters + group * DirectJob<T>::kMaps, sum);
    }
    __syncthreads();  // what was there is read
  }
  const index_t image = place.image + own.plane;
  if (position >= job.grid.positions || image >= job.s.N) return;
  finish(sum, image, (place.row + own.row) * kDirectDown,
         (place.column + own.column) * kDirectAcross, place.map + group * DirectJob<T>::kMaps);
}

}  // namespace pynet::cuda
