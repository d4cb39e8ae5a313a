// The kernels of Winograd's convolution. At each point a product of matrices takes the place of the
// sums over channels:
//
//   U: filters, transformed   point, channel, map
//   V: images, transformed    point, channel, tile
//   Y: products               point, map, tile;  of tiles of 4 x 4 outputs: 36 instead of 144
//
// Neighbouring threads have neighbouring tiles, so that U, V and Y are read and written in one
// piece, and a transform stays in the registers of a thread.
#pragma once

#include "cuda/elements.h"
#include "cuda/product.h"
#include "cuda/winograd_shape.h"
#include "rules/winograd.h"

namespace pynet::cuda {
namespace {

// A one-dimensional transform applied to the columns, then to the rows: element (i, j) comes from
// load(i, j), and goes to store(i, j, value).
template <class Transform, class Load, class Store>
PYNET_INLINE void transform_tile(const Load& load, const Store& store) {
  constexpr int IN = Transform::kIn, OUT = Transform::kOut;
  float half[OUT][IN];
  PYNET_UNROLL
  for (int j = 0; j < IN; ++j) {
    float column[IN], t[OUT];
    PYNET_UNROLL
    for (int i = 0; i < IN; ++i) column[i] = load(i, j);
    Transform::apply(column, t);
    PYNET_UNROLL
    for (int i = 0; i < OUT; ++i) half[i][j] = t[i];
  }
  PYNET_UNROLL
  for (int i = 0; i < OUT; ++i) {
    float t[OUT];
    Transform::apply(half[i], t);
    PYNET_UNROLL
    for (int j = 0; j < OUT; ++j) store(i, j, t[j]);
  }
}

// --- the transforms ------------------------------------------------------------------------------

// All filters, (M, C), or, turned, (C, M) with the taps in reverse: to U, point, channel, map.
template <int OUT>
void transform_filters(const char* op, const float* W, index_t M, index_t C, bool turned,
                       float* U) {
  using Transform = typename Winograd<float, OUT>::Filter;
  const index_t filters = M * C;
  const Divider by_maps(M);
  for_indices(op, filters, [=] __device__(index_t k) {
    const index_t c = by_maps.quotient(static_cast<std::uint32_t>(k)), m = k - c * M;
    const float* taps = turned ? W + k * 9 + 8 : W + (m * C + c) * 9;
    const int step = turned ? -1 : 1;
    transform_tile<Transform>(
        [&](int i, int j) { return taps[(3 * i + j) * step]; },
        [&](int i, int j, float value) { U[(i * (OUT + 2) + j) * filters + k] = value; });
  });
}

// Tiles first .. first+count-1 of the images, to V with `line` tiles from a channel to the next.
template <class Transform>
void transform_images(const char* op, const float* images, const TileGrid& g, index_t first,
                      index_t count, float* V, index_t line) {
  const Divider by_count(count);
  for_indices(op, g.channels * count, [=] __device__(index_t n) {
    const index_t c = by_count.quotient(static_cast<std::uint32_t>(n)), tile = n - c * count;
    const TilePlace at(g, first + tile);
    const index_t row = at.y - g.y.before, column = at.x - g.x.before;
    const float* image = images + (at.image * g.channels + c) * g.y.inputs * g.x.inputs;
    float* to = V + c * line + tile;
    transform_tile<Transform>(
        [&](int i, int j) {
          const index_t h = row + i * g.y.dilation, w = column + j * g.x.dilation;
          const bool inside = 0 <= h && h < g.y.inputs && 0 <= w && w < g.x.inputs;
          return inside ? image[h * g.x.inputs + w] : 0.0f;
        },
        [&](int i, int j, float value) {
          to[(i * Transform::kOut + j) * g.channels * line] = value;
        });
  });
}

// What becomes of an output on its way to memory.
struct OutputEnd {
  float* y;
  const float* bias;  // or null
  bool relu, add;
  const float* mask;  // like y, or null: outputs count as 0 where it is <= 0

  PYNET_INLINE float finished(float value, float b) const {
    if (bias) value += b;
    return relu ? relu_of<float>(value) : value;
  }
  // W neighbours, finished, to `place`.
  template <int W>
  PYNET_INLINE void put(float* place, Pack<float, W> pack) const {
    if (mask) {
      const auto let_through = load_pack<W>(mask + (place - y));
      PYNET_UNROLL
      for (int k = 0; k < W; ++k) {
        pack.lane[k] = through_relu<float>(pack.lane[k], let_through.lane[k]);
      }
    }
    if (add) {
      const auto before = load_pack<W>(place);
      PYNET_UNROLL
      for (int k = 0; k < W; ++k) pack.lane[k] = before.lane[k] + pack.lane[k];
    }
    store_pack(place, pack);
  }
};

// Tiles of Y to the maps, in stores of W pixels.
template <int W>
void transform_outputs(const char* op, const float* Y, index_t line, const TileGrid& g,
                       index_t first, index_t count, const OutputEnd& end) {
  using Transform = Winograd<float, 4>::Output;
  const Divider by_count(count);
  for_indices(op, g.channels * count, [=] __device__(index_t n) {
    const index_t m = by_count.quotient(static_cast<std::uint32_t>(n)), tile = n - m * count;
    const TilePlace at(g, first + tile);
    const float* from = Y + m * line + tile;
    const float bias = end.bias ? end.bias[m] : 0.0f;
    float out[4][4];
    transform_tile<Transform>(
        [&](int i, int j) { return from[(i * 6 + j) * g.channels * line]; },
        [&](int i, int j, float value) { out[i][j] = end.finished(value, bias); });
    float* map = end.y + (at.image * g.channels + m) * g.y.outputs * g.x.outputs;
    PYNET_UNROLL
    for (int i = 0; i < 4; ++i) {
      const index_t h = at.y + i * g.y.dilation;
      PYNET_UNROLL
      for (int j = 0; j < 4; j += W) {
        const index_t w = at.x + j * g.x.dilation;
        if (h >= g.y.outputs || w >= g.x.outputs) continue;
        Pack<float, W> pack;
        PYNET_UNROLL
        for (int k = 0; k < W; ++k) pack.lane[k] = out[i][j + k];
        end.put(map + h * g.x.outputs + w, pack);
      }
    }
  });
}

// dW from the sums of all tiles.
inline void transform_filter_gradients(const char* op, const float* sums, index_t filters,
                                       float* dW) {
  using Transform = Winograd<float, 4>::FilterGradient;
  for_indices(op, filters, [=] __device__(index_t k) {
    transform_tile<Transform>([&](int i, int j) { return sums[(i * 6 + j) * filters + k]; },
                              [&](int i, int j, float value) { dW[k * 9 + 3 * i + j] = value; });
  });
}

// --- the products --------------------------------------------------------------------------------
// Never on tensor cores: the transforms would multiply what those round.

// Where the products of a point go.
struct PointStore {
  float* p;
  index_t line, point;
  bool add;
  __device__ PointStore part(index_t i) const { return {p + i * point, line, point, add}; }
  __device__ void put(index_t m, index_t n, float sum) const {
    float* place = p + m * line + n;
    *place = add ? *place + sum : sum;
  }
  __device__ bool packs() const {
    return line % 4 == 0 && reinterpret_cast<std::uintptr_t>(p) % 16 == 0;
  }
  template <int W>
  __device__ void put_pack(index_t m, index_t n, Pack<float, W> sum) const {
    float* place = p + m * line + n;
    PYNET_UNROLL
    for (int i = 0; i < W && add; ++i) sum.lane[i] += place[i];
    store_pack(place, sum);
  }
};

// --- the passes ----------------------------------------------------------------------------------

inline std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

// The products of a chunk of tiles, Y = U V, or of the filters' gradient, dU = D V^T.
inline ProductShape map_product(const WinogradShape& s, index_t tiles) {
  return {s.M, tiles, s.C, s.points()};
}
inline ProductShape gradient_product(const WinogradShape& s, index_t tiles) {
  return {s.M, s.C, tiles, s.points()};
}
template <class ShapeOf>
std::size_t scratch_of(const WinogradShape& s, const WinogradMemory& memory,
                       const ShapeOf& product) {
  const std::size_t whole = product_scratch<float>(product(s, memory.chunk));
  const std::size_t last = product_scratch<float>(product(s, memory.last));
  return aligned(static_cast<std::size_t>(memory.floats()) * sizeof(float)) +
         (whole > last ? whole : last);
}

// Scratch memory, divided up.
struct WinogradScratch {
  float *U, *V, *Y;
  void* product;
  WinogradScratch(const WinogradMemory& m, void* scratch)
      : U(static_cast<float*>(scratch)), V(U + m.filters), Y(V + m.in) {
    product =
        static_cast<char*>(scratch) + aligned(static_cast<std::size_t>(m.floats()) * sizeof(float));
  }
};

// Maps of images: filters (M, C), or, turned, (C, M).
inline void winograd_maps(const char* op, const WinogradShape& s, const WinogradMemory& memory,
                          const float* images, const float* W, bool turned, const OutputEnd& end,
                          void* scratch) {
  const WinogradScratch at(memory, scratch);
  const TileGrid in(s.C, s.y, s.x), out(s.M, s.y, s.x);
  const index_t line = memory.chunk;
  const MatrixLines<float> A{at.U, 1, s.M, s.M * s.C};
  const MatrixLines<float> B{at.V, 1, line, s.C * line};
  const PointStore C{at.Y, line, s.M * line, false};
  const auto pixels_at_once = [&](int pixels) {
    return s.x.dilation == 1 && s.x.outputs % pixels == 0 && is_aligned(end.y, pixels) &&
           is_aligned(end.mask, pixels);
  };
  transform_filters<4>(op, W, s.M, s.C, turned, at.U);
  for (index_t i = 0; i < memory.chunks; ++i) {
    const index_t first = i * line, count = memory.tiles_of(i);
    transform_images<Winograd<float, 4>::Image>(op, images, in, first, count, at.V, line);
    run_product<float, false>(op, map_product(s, count), A, B, C, at.product);
    if (pixels_at_once(4)) {
      transform_outputs<4>(op, at.Y, line, out, first, count, end);
    } else if (pixels_at_once(2)) {
      transform_outputs<2>(op, at.Y, line, out, first, count, end);
    } else {
      transform_outputs<1>(op, at.Y, line, out, first, count, end);
    }
  }
}

// The filters' gradient, F(3x3, 4x4): the transpose of the same in the filters. The chunks are
// added up in their order.
inline void winograd_filters(const char* op, const WinogradShape& s, const WinogradMemory& memory,
                             const float* images, const float* dout, float* dW, void* scratch) {
  const WinogradScratch at(memory, scratch);
  const TileAxis dy{s.y.outputs, s.y.outputs, 0, s.y.dilation, 4};
  const TileAxis dx{s.x.outputs, s.x.outputs, 0, s.x.dilation, 4};
  const TileGrid in(s.C, s.y, s.x), out(s.M, dy, dx);
  const index_t line = memory.chunk, filters = s.M * s.C;
  for (index_t i = 0; i < memory.chunks; ++i) {
    const index_t first = i * line, count = memory.tiles_of(i);
    transform_images<Winograd<float, 4>::Image>(op, images, in, first, count, at.V, line);
    transform_images<Winograd<float, 4>::OutputGradient>(op, dout, out, first, count, at.Y, line);
    run_product<float, false>(op, gradient_product(s, count),
                              MatrixLines<float>{at.Y, line, 1, s.M * line},
                              MatrixLines<float>{at.V, line, 1, s.C * line},
                              PointStore{at.U, s.C, filters, i > 0}, at.product);
  }
  transform_filter_gradients(op, at.U, filters, dW);
}

}  // namespace
}  // namespace pynet::cuda
