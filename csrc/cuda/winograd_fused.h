// Winograd's convolution for tiles of 2 x 2 outputs in one kernel: V and the products never reach
// memory, which is what the way of winograd_tile.h spends most of its time on where there are few
// channels (Yan, Wang and Chu, Optimizing Batched Winograd Convolution on GPUs, 2020).
//
// A block computes 64 tiles of 32 maps. Four channels at a time, each thread brings in and
// transforms one channel of one tile, while the channels before it are multiplied: a warp has two
// of the 16 points, a thread 8 maps x 8 tiles of each. At the end the points meet in shared memory,
// eight maps at a time.
#pragma once

#include "cuda/winograd_tile.h"

namespace pynet::cuda {
namespace {

// The sizes of a block, and who has what of it.
struct FusedTile {
  static constexpr int kTiles = 64, kMaps = 32, kChannels = 4, kPoints = 16, kThreads = 256;
  static constexpr int kRounds = 4, kMapsAtOnce = kMaps / kRounds;
  // Map and tile i, j < 8 of a lane: fours that lie side by side.
  static __host__ __device__ constexpr int map(int lane, int i) {
    return i / 4 * 16 + lane / 8 * 4 + i % 4;
  }
  static __host__ __device__ constexpr int tile(int lane, int j) {
    return j / 4 * 32 + lane % 8 * 4 + j % 4;
  }
  // The last transform takes maps i = 2 round and 2 round + 1 of every lane: their place in it.
  static __host__ __device__ constexpr int slot(int lane, int i) { return lane / 8 * 2 + i % 2; }
  static __host__ __device__ constexpr int map_of_slot(int slot, int round) {
    return map(slot / 2 * 8, 2 * round + slot % 2);
  }
};

union FusedMemory {
  struct {
    alignas(16) float V[FusedTile::kPoints][FusedTile::kChannels][FusedTile::kTiles];
    alignas(16) float U[FusedTile::kPoints][FusedTile::kChannels][FusedTile::kMaps];
  } half[2];
  float Y[FusedTile::kPoints][FusedTile::kMapsAtOnce][FusedTile::kTiles];
};

// A thread's share of what comes in: one channel of a tile, and 8 numbers of U.
struct FusedFeed {
  const float *pixels, *U;
  index_t rows, C, M, plane, filters;
  int t, row_step, step, channel;
  std::uint32_t inside;  // a bit for each pixel of the tile
  bool map_there;
  float d[16], u[8];

  PYNET_INLINE FusedFeed(const TileGrid& g, const float* images, const float* U_of, index_t maps,
                         index_t tile, index_t tiles, index_t m0, int thread)
      : U(U_of),
        C(g.channels),
        M(maps),
        plane(g.y.inputs * g.x.inputs),
        filters(maps * C),
        t(thread) {
    channel = t / FusedTile::kTiles;
    const TilePlace at(g, tile < tiles ? tile : 0);
    const index_t y = at.y - g.y.before, x = at.x - g.x.before;
    step = static_cast<int>(g.x.dilation);
    row_step = static_cast<int>(g.y.dilation * g.x.inputs);
    pixels = images + (at.image * C + channel) * plane + y * g.x.inputs + x;
    inside = 0;
    PYNET_UNROLL
    for (int i = 0; i < 16; ++i) {
      const index_t h = y + i / 4 * g.y.dilation, w = x + i % 4 * g.x.dilation;
      const bool there = tile < tiles && 0 <= h && h < g.y.inputs && 0 <= w && w < g.x.inputs;
      inside |= static_cast<std::uint32_t>(there) << i;
    }
    const index_t m = m0 + t % FusedTile::kMaps;
    map_there = m < M;
    U += t / 128 * filters + t / FusedTile::kMaps % FusedTile::kChannels * M + m;
  }

  PYNET_INLINE void fetch(index_t c0) {
    const bool there = c0 + channel < C;
    PYNET_UNROLL
    for (int i = 0; i < 16; ++i) {
      const index_t at = c0 * plane + i / 4 * row_step + i % 4 * step;
      d[i] = there && (inside >> i & 1) ? pixels[at] : 0.0f;
    }
    const int of_u = t / FusedTile::kMaps % FusedTile::kChannels;
    PYNET_UNROLL
    for (int e = 0; e < 8; ++e) {
      u[e] = map_there && c0 + of_u < C ? U[2 * e * filters + c0 * M] : 0.0f;
    }
  }

  template <class Half>
  PYNET_INLINE void store(Half& half) const {
    const int tile = t % FusedTile::kTiles;
    transform_tile<Winograd<float, 2>::Image>(
        [&](int i, int j) { return d[4 * i + j]; },
        [&](int i, int j, float value) { half.V[4 * i + j][channel][tile] = value; });
    PYNET_UNROLL
    for (int e = 0; e < 8; ++e) {
      half.U[2 * e + t / 128][t / FusedTile::kMaps % FusedTile::kChannels][t % FusedTile::kMaps] =
          u[e];
    }
  }
};

// One tile of a map, transformed to its pixels.
PYNET_INLINE void put_tile(const float (&out)[2][2], const TileGrid& g, const TilePlace& at,
                           index_t m, bool pairs, const OutputEnd& end) {
  const float bias = end.bias ? end.bias[m] : 0.0f;
  float* map = end.y + (at.image * g.channels + m) * g.y.outputs * g.x.outputs;
  PYNET_UNROLL
  for (int i = 0; i < 2; ++i) {
    const index_t h = at.y + i * g.y.dilation;
    if (h >= g.y.outputs) continue;
    Pack<float, 2> pack;
    PYNET_UNROLL
    for (int j = 0; j < 2; ++j) pack.lane[j] = end.finished(out[i][j], bias);
    float* place = map + h * g.x.outputs + at.x;
    if (pairs) {
      if (at.x < g.x.outputs) end.put(place, pack);
      continue;
    }
    PYNET_UNROLL
    for (int j = 0; j < 2; ++j) {
      if (at.x + j * g.x.dilation >= g.x.outputs) continue;
      end.put(place + j * g.x.dilation, Pack<float, 1>{pack.lane[j]});
    }
  }
}

__global__ void __launch_bounds__(FusedTile::kThreads, 1)
    winograd_fused_kernel(TileGrid in, TileGrid out, index_t tiles, const float* images,
                          const float* U, bool pairs, OutputEnd end) {
  PYNET_SHARED(FusedMemory, shared);
  const index_t map_blocks = ceil_div(out.channels, FusedTile::kMaps);
  const index_t block = blockIdx.x / map_blocks;  // neighbours share the images
  const index_t m0 = (blockIdx.x - block * map_blocks) * FusedTile::kMaps;
  const index_t t0 = block * FusedTile::kTiles;
  const int t = static_cast<int>(threadIdx.x), warp = t / 32, lane = t % 32;

  FusedFeed feed(in, images, U, out.channels, t0 + t % FusedTile::kTiles, tiles, m0, t);
  float sum[2][8][8] = {};
  int half = 0;
  feed.fetch(0);
  feed.store(shared.half[half]);
  __syncthreads();
  for (index_t c0 = 0; c0 < in.channels; c0 += FusedTile::kChannels) {
    const bool more = c0 + FusedTile::kChannels < in.channels;
    if (more) feed.fetch(c0 + FusedTile::kChannels);
    const auto& from = shared.half[half];
    PYNET_UNROLL
    for (int c = 0; c < FusedTile::kChannels; ++c) {
      PYNET_UNROLL
      for (int p = 0; p < 2; ++p) {
        const float *u = from.U[2 * warp + p][c], *v = from.V[2 * warp + p][c];
        Pack<float, 4> maps[2], columns[2];
        PYNET_UNROLL
        for (int k = 0; k < 2; ++k) {
          maps[k] = load_pack<4>(u + FusedTile::map(lane, 4 * k));
          columns[k] = load_pack<4>(v + FusedTile::tile(lane, 4 * k));
        }
        PYNET_UNROLL
        for (int i = 0; i < 8; ++i) {
          PYNET_UNROLL
          for (int j = 0; j < 8; ++j) {
            sum[p][i][j] = fma(maps[i / 4].lane[i % 4], columns[j / 4].lane[j % 4], sum[p][i][j]);
          }
        }
      }
    }
    half ^= 1;
    if (more) feed.store(shared.half[half]);  // read last before the barrier that was passed since
    __syncthreads();
  }

  PYNET_UNROLL
  for (int round = 0; round < FusedTile::kRounds; ++round) {
    PYNET_UNROLL
    for (int p = 0; p < 2; ++p) {
      PYNET_UNROLL
      for (int i = 2 * round; i < 2 * round + 2; ++i) {
        PYNET_UNROLL
        for (int j = 0; j < 8; ++j) {
          shared.Y[2 * warp + p][FusedTile::slot(lane, i)][FusedTile::tile(lane, j)] = sum[p][i][j];
        }
      }
    }
    __syncthreads();
    const int tile = t % FusedTile::kTiles;
    PYNET_UNROLL
    for (int k = 0; k < 2; ++k) {
      const int slot = t / FusedTile::kTiles + 4 * k;
      const index_t m = m0 + FusedTile::map_of_slot(slot, round);
      if (m >= out.channels || t0 + tile >= tiles) continue;
      float pixels[2][2];
      transform_tile<Winograd<float, 2>::Output>(
          [&](int i, int j) { return shared.Y[4 * i + j][slot][tile]; },
          [&](int i, int j, float value) { pixels[i][j] = value; });
      put_tile(pixels, out, TilePlace(out, t0 + tile), m, pairs, end);
    }
    __syncthreads();
  }
}

// Maps of images as winograd_maps, with scratch memory for the filters alone.
inline void winograd_fused(const char* op, const WinogradShape& s, const float* images,
                           const float* W, bool turned, const OutputEnd& end, void* scratch) {
  float* U = static_cast<float*>(scratch);
  transform_filters<2>(op, W, s.M, s.C, turned, U);
  const index_t blocks = fused_blocks(s);
  const bool pairs =
      s.x.dilation == 1 && s.x.outputs % 2 == 0 && is_aligned(end.y, 2) && is_aligned(end.mask, 2);
  launch(op, winograd_fused_kernel, dim3(static_cast<unsigned>(blocks)), FusedTile::kThreads,
         TileGrid(s.C, s.y, s.x), TileGrid(s.M, s.y, s.x), s.tiles(), images,
         static_cast<const float*>(U), pairs, end);
}

}  // namespace
}  // namespace pynet::cuda
