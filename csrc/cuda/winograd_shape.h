// How Winograd's convolution cuts images into tiles, and whether it pays: for host and device, so
// that a test can go through every index of a small shape.
#pragma once

#include "cuda/divider.h"

namespace pynet::cuda {

// Tiles of `out` outputs along one axis. With dilation d the outputs of a tile lie d apart, as the
// pixels under them do, and d tiles are interleaved.
struct TileAxis {
  index_t inputs, outputs;
  index_t before;  // output 0 meets the pixels from -before on
  index_t dilation, out;

  __host__ __device__ index_t tiles() const { return ceil_div(outputs, out * dilation) * dilation; }
  // The first output of a tile. In the last tiles there may be fewer than `out`, or none.
  __host__ __device__ int first(int tile) const {
    const int d = static_cast<int>(dilation), set = tile / d;
    return set * d * static_cast<int>(out) + (tile - set * d);
  }
};

// A convolution with 3 x 3 filters and stride 1: of images with C channels to maps with M.
struct WinogradShape {
  index_t images, C, M;
  TileAxis y, x;

  index_t tiles() const { return images * y.tiles() * x.tiles(); }
  index_t points() const { return (y.out + 2) * (y.out + 2); }
};

inline WinogradShape forward_tiles(const ConvShape& s, index_t out) {
  return {s.N,
          s.C,
          s.FN,
          {s.H, s.OH, s.pad_h, s.dilation_h, out},
          {s.W, s.OW, s.pad_w, s.dilation_w, out}};
}
// The input gradient: dout meets the filters turned round.
inline WinogradShape backward_tiles(const ConvShape& s, index_t out) {
  return {s.N,
          s.FN,
          s.C,
          {s.OH, s.H, 2 * s.dilation_h - s.pad_h, s.dilation_h, out},
          {s.OW, s.W, 2 * s.dilation_w - s.pad_w, s.dilation_w, out}};
}

// Where the tiles of images with `channels` channels lie.
struct TileGrid {
  index_t channels;
  TileAxis y, x;
  Divider by_down, by_across;

  TileGrid(index_t planes, const TileAxis& down, const TileAxis& across)
      : channels(planes), y(down), x(across), by_down(down.tiles()), by_across(across.tiles()) {}
};
// A tile's image and its first output.
struct TilePlace {
  index_t image;
  int y, x;
  __host__ __device__ TilePlace(const TileGrid& g, index_t tile) {
    const Split at(tile, g.by_across, g.by_down);
    image = at.plane, y = g.y.first(at.row), x = g.x.first(at.column);
  }
};

// --- memory --------------------------------------------------------------------------------------

// All tiles at once would take several times the memory of the images. So they are taken in chunks
// that stay in the L2 cache of a large GPU from one launch to the next.
inline index_t tiles_at_once(const WinogradShape& s) {
  const index_t fit = (index_t{8} << 20) / (s.points() * (s.C + s.M));  // in 32 MiB
  return fit < 256 ? 256 : fit;
}

// Scratch memory in floats: what was transformed of the filters, and of images and maps in the
// tiles of a chunk.
struct WinogradMemory {
  index_t chunk, chunks, last;  // tiles of a chunk, chunks, tiles of the last chunk
  index_t filters, in, out;

  WinogradMemory(const WinogradShape& s, index_t most) {
    const index_t points = s.points(), tiles = s.tiles();
    chunk = ceil_div(ceil_div(tiles, ceil_div(tiles, most)), 32) * 32;
    chunks = ceil_div(tiles, chunk);
    last = tiles - (chunks - 1) * chunk;
    filters = ceil_div(points * s.C * s.M, 64) * 64;
    in = points * s.C * chunk, out = points * s.M * chunk;
  }
  explicit WinogradMemory(const WinogradShape& s) : WinogradMemory(s, tiles_at_once(s)) {}

  index_t tiles_of(index_t i) const { return i + 1 < chunks ? chunk : last; }
  index_t floats() const { return filters + in + out; }
};

// --- whether and how -----------------------------------------------------------------------------

// Microseconds on a large GPU, reckoned from its arithmetic and memory rates; only their
// proportions matter. They must not be those of the GPU at hand: the bits of a result follow from
// the shape.
constexpr double kProducts = 20e6, kBytes = 2.5e6, kCachedBytes = 4e6;  // in a microsecond
constexpr double kLaunch = 1.5;
constexpr index_t kProcessors = 132;

// The blocks of winograd_fused.h, 64 tiles of 32 maps each.
inline index_t fused_blocks(const WinogradShape& s) {
  return ceil_div(s.tiles(), 64) * ceil_div(s.M, 32);
}

inline double direct_cost(const WinogradShape& s) {
  const double pixels = static_cast<double>(s.images * s.y.outputs) * s.x.outputs;
  return kLaunch + pixels * s.C * s.M * 9 / kProducts;
}
inline double chunks_cost(const WinogradShape& s) {
  const double points = static_cast<double>(s.points()), tiles = static_cast<double>(s.tiles());
  const double filters = points * s.C * s.M, chunks = static_cast<double>(WinogradMemory(s).chunks);
  return kLaunch * (1 + 3 * chunks) + tiles * filters / kProducts +
         tiles * points * (s.C + s.M) * 8 / kCachedBytes + filters * 8 / kBytes;
}
// A block takes its time, however few there are; its first and last transforms that of 16 channels.
inline double fused_cost(const WinogradShape& s) {
  const double waves = static_cast<double>(ceil_div(fused_blocks(s), kProcessors));
  const double products = static_cast<double>(s.points() * 64 * 32 * (s.C + 16));
  return 2 * kLaunch + waves * products * static_cast<double>(kProcessors) / kProducts +
         static_cast<double>(s.points() * s.C * s.M) * 8 / kBytes;
}

// Whether the algorithm is for this convolution, and its tiles can be counted with a Divider.
inline bool winograd_applies(const ConvShape& s) {
  constexpr index_t kMost = (index_t{1} << 31) - 1, kMostFilters = index_t{1} << 20;
  return s.groups == 1 && s.FH == 3 && s.FW == 3 && s.stride_h == 1 && s.stride_w == 1 &&
         s.dilation_h <= 16 && s.dilation_w <= 16 && s.C * s.FN <= kMostFilters &&
         s.N * (s.H + 80) * (s.W + 80) <= kMost && s.N * (s.OH + 80) * (s.OW + 80) <= kMost &&
         s.N * s.OH * s.OW > 0;
}

enum class WinogradWay { Direct, Fused, Chunks };  // Fused: tiles of 2 x 2 outputs; Chunks: 4 x 4

// The way of a pass whose tiles are tiles_of(s, outputs); only maps can be fused.
template <class TilesOf>
WinogradWay winograd_way(const ConvShape& s, const TilesOf& tiles_of, bool maps) {
  if (!winograd_applies(s)) return WinogradWay::Direct;
  const WinogradShape two = tiles_of(s, 2);
  const double chunks = chunks_cost(tiles_of(s, 4)), fused = maps ? fused_cost(two) : 2 * chunks;
  if (1.1 * (fused < chunks ? fused : chunks) > direct_cost(two)) return WinogradWay::Direct;
  return fused < chunks ? WinogradWay::Fused : WinogradWay::Chunks;
}

}  // namespace pynet::cuda
