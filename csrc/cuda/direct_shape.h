// Where the pixels of a direct convolution lie in shared memory, and which tile of the maps a block
// computes: for host and device, so that a test can go through every index of a small shape.
#pragma once

#include <algorithm>

#include "cuda/conv_shape.h"
#include "cuda/divider.h"

namespace pynet::cuda {

// Pixels of one axis under the outputs of neighbouring threads, each of which has `own` of them.
// What those threads read at the same time lies own * stride pixels apart: so many phases there
// are, and the pixels of a phase lie side by side.
struct PhaseAxis {
  int phases;
  int length;  // pixels of a phase
  int pixels;  // under all windows; fewer than phases * length
  Divider by_phases;

  PhaseAxis(int threads, int own, index_t stride, index_t taps)
      : phases(own * static_cast<int>(stride)),
        length(threads +
               ((own - 1) * static_cast<int>(stride) + static_cast<int>(taps) - 1) / phases),
        pixels((own * threads - 1) * static_cast<int>(stride) + static_cast<int>(taps)),
        by_phases(phases) {}

  // Phases lie `apart` elements apart, the pixels of a phase `step`.
  __host__ __device__ int place(int pixel, int apart, int step) const {
    const int n = static_cast<int>(by_phases.quotient(static_cast<std::uint32_t>(pixel)));
    return (pixel - n * phases) * apart + n * step;
  }
};

// The least size from n on after which 32 threads, `used` of them on each line, still meet each
// bank once.
template <class Int>
constexpr Int bank_pitch(Int n, int used) {
  return n + ((used - n) % 32 + 32) % 32;
}

// The outputs of a thread: so many pixels of several maps.
constexpr int kDirectDown = 2, kDirectAcross = 4;

// A tile: so many threads down and across of so many images, times `groups` groups of filters.
struct DirectTile {
  int images, rows, columns, groups;
  int channels;  // in shared memory at a time
};

// Where the pixels of a tile lie in shared memory, in elements.
struct PixelLayout {
  PhaseAxis y, x;
  int pitch, plane;       // from row to row of a phase, from channel to channel
  index_t image, pixels;  // from image to image; of all

  // `down`: rows of a thread; its columns are always four.
  PixelLayout(const ConvShape& s, const DirectTile& t, int down, int pack)
      : y(t.rows, down, s.stride_h, s.FH),
        x(t.columns, kDirectAcross, s.stride_w, s.FW),
        pitch(bank_pitch(x.phases * x.length, t.columns)),
        plane(y.phases * y.length * pitch),
        image(bank_pitch(index_t{t.channels} * plane, t.rows * t.columns)),
        pixels((image * t.images + pack - 1) / pack * pack) {}

  __host__ __device__ int row(int h) const { return y.place(h, y.length * pitch, pitch); }
  __host__ __device__ int column(int w) const { return x.place(w, x.length, 1); }
};

// The filters behind them, in groups of W, where 16 bytes are `pack` elements.
struct FilterLayout {
  int pitch, filters;  // from tap to tap; of all taps
  FilterLayout(const ConvShape& s, const DirectTile& t, int W, int pack)
      : pitch(t.groups * W + pack),  // a pack more, as taps are neighbours when they come
        filters(pitch * t.channels * static_cast<int>(s.FH * s.FW)) {}
};

// The threads that maps need, and what follows from a tile.
struct DirectGrid {
  int down, across;  // threads for a map
  int tiles_down, tiles_across;
  int map_blocks;
  index_t blocks;
  int positions, lanes;  // threads of a group of filters: with work, and all, whole warps

  DirectGrid(const ConvShape& s, const DirectTile& t, index_t outputs_down, index_t outputs_across,
             int W)
      : down(static_cast<int>(ceil_div(outputs_down, kDirectDown))),
        across(static_cast<int>(ceil_div(outputs_across, kDirectAcross))),
        tiles_down(static_cast<int>(ceil_div(down, t.rows))),
        tiles_across(static_cast<int>(ceil_div(across, t.columns))),
        map_blocks(static_cast<int>(ceil_div(s.FN, t.groups * W))),
        blocks(ceil_div(s.N, t.images) * tiles_down * tiles_across * map_blocks),
        positions(t.images * t.rows * t.columns),
        lanes((positions + 31) / 32 * 32) {}
};

// --- which tile ----------------------------------------------------------------------------------

constexpr int kDirectThreads = 256;         // of a block at most
constexpr int kDirectBytes = 48 << 10;      // of shared memory: what every GPU gives without a word
constexpr index_t kDirectProcessors = 132;  // whatever the GPU, as in product_choice.h

// Whether this way is for a convolution: where the matrix of windows is so narrow, or there are so
// few filters, that a product's tiles would be half empty, and its windows cost more to find than
// to multiply.
inline bool direct_applies(const ConvShape& s) {
  constexpr index_t kLongest = index_t{1} << 29;
  const index_t taps = s.C * s.FH * s.FW;
  return s.groups == 1 && s.dilation_h == 1 && s.dilation_w == 1 && s.FW > 1 && s.FN <= 128 &&
         (taps <= 150 || (s.C <= 4 && taps <= 400)) && s.stride_h <= 8 && s.stride_w <= 8 &&
         s.H + 2 * s.pad_h < kLongest && s.W + 2 * s.pad_w < kLongest && is_countable(s) &&
         s.N * s.OH * s.OW > 0;
}

// Cycles of a processor that has its share of the blocks.
inline index_t direct_cost(const ConvShape& s, const DirectTile& t, const DirectGrid& g, int W) {
  const index_t taps = s.C * s.FH * s.FW;
  const index_t rows = t.images * s.C * ((2 * t.rows - 1) * s.stride_h + s.FH);
  const index_t columns = (4 * t.columns - 1) * s.stride_w + s.FW;
  const index_t copies = rows * ceil_div(columns, 32) * 3 + t.groups * W * ceil_div(taps, 32) * 2;
  const index_t products = g.lanes / 32 * t.groups * taps * 2 * W;
  return ceil_div(g.blocks, kDirectProcessors) *
         (products + copies + 600 * ceil_div(s.C, t.channels));
}

// The tile that takes the least time; images is 0 where none fits into shared memory.
inline DirectTile direct_tile(const ConvShape& s, index_t outputs_down, index_t outputs_across,
                              int W, int pack, int capacity) {
  const int down = static_cast<int>(ceil_div(outputs_down, kDirectDown));
  const int across = static_cast<int>(ceil_div(outputs_across, kDirectAcross));
  const int groups = static_cast<int>(ceil_div(s.FN, W));
  DirectTile best{0, 0, 0, 0, 0};
  index_t least = 0;
  const auto fits = [&](const DirectTile& t) {
    const PixelLayout pixels(s, t, kDirectDown, pack);
    if (pixels.pixels + FilterLayout(s, t, W, pack).filters > capacity) return false;
    const DirectGrid grid(s, t, outputs_down, outputs_across, W);
    const index_t cost = direct_cost(s, t, grid, W);
    if (best.images == 0 || cost < least) best = t, least = cost;
    return true;
  };
  for (int of_groups = 1; of_groups <= 8 && of_groups < 2 * groups; of_groups *= 2) {
    const int g = std::min(of_groups, groups);
    for (int cut = 1; cut <= 16 && cut <= across; cut *= 2) {
      const int columns = (across + cut - 1) / cut;
      for (int threads = kDirectThreads; threads >= 64; threads /= 2) {
        const int room = threads / of_groups / columns;  // for rows
        const int images = static_cast<int>(std::min<index_t>(room / down, s.N));
        for (int channels = static_cast<int>(s.C);; channels = (channels + 1) / 2) {
          for (int rows = room; rows > 0; rows /= 2) {
            const int cuts = (down + rows - 1) / rows;
            if (fits({1, (down + cuts - 1) / cuts, columns, g, channels})) break;
          }
          if (cut == 1 && images > 1) fits({images, down, columns, g, channels});
          if (channels == 1) break;
        }
      }
    }
  }
  return best;
}

}  // namespace pynet::cuda
