// Winograd's convolution on the executor: its tiles, one by one, and its kernels with every tile
// size, padding, dilation and chunk, against plain loops in float64. What decides whether a shape
// takes this way is not asked here.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "convolution.h"
#include "cuda/winograd.cu"
#include "expect.h"

namespace pynet::cuda {

Precision g_precision = Precision::Float32;
Precision precision() { return g_precision; }

int processors() { return 2; }

namespace {

// --- tiles ---------------------------------------------------------------------------------------

// Every output is one tile's, `dilation` away from its neighbours there.
void tiles_of_an_axis() {
  for (index_t outputs = 1; outputs < 30; ++outputs)
    for (index_t dilation = 1; dilation < 7; ++dilation)
      for (const index_t out : {2, 4}) {
        const TileAxis axis{outputs + 2 * dilation, outputs, 0, dilation, out};
        std::vector<int> times(static_cast<std::size_t>(outputs));
        for (int tile = 0; tile < axis.tiles(); ++tile) {
          EXPECT(axis.first(tile) >= 0);
          for (index_t i = 0; i < out; ++i) {
            const index_t o = axis.first(tile) + i * dilation;
            if (o < outputs) ++times.at(static_cast<std::size_t>(o));
          }
        }
        EXPECT(std::count(times.begin(), times.end(), 1) == outputs);
      }
}

void tiles_of_images() {
  for (index_t H = 1; H < 14; ++H)
    for (index_t W = 1; W < 14; ++W)
      for (index_t dilation = 1; dilation < 3; ++dilation) {
        const TileAxis y{H, H, 1, 1, 4}, x{W, W, 1, dilation, 2};
        const TileGrid grid(5, y, x);
        index_t tile = 0;
        for (index_t image = 0; image < 3; ++image)
          for (int row = 0; row < y.tiles(); ++row)
            for (int column = 0; column < x.tiles(); ++column, ++tile) {
              const TilePlace at(grid, tile);
              EXPECT(at.image == image && at.y == y.first(row) && at.x == x.first(column));
            }
        const WinogradShape s{3, 5, 7, y, x};
        EXPECT(s.tiles() == tile);
        for (const index_t most : {1, 32, 33, 100, 100000}) {
          const WinogradMemory memory(s, most);
          index_t all = 0;
          for (index_t i = 0; i < memory.chunks; ++i) {
            EXPECT(memory.tiles_of(i) >= 1 && memory.tiles_of(i) <= memory.chunk);
            all += memory.tiles_of(i);
          }
          EXPECT(all == tile);
        }
      }
}

// Who computes what in a block of the fused kernel.
void places_of_the_fused_kernel() {
  using Tile = FusedTile;
  std::vector<int> times(static_cast<std::size_t>(Tile::kMaps * Tile::kTiles));
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 8; ++i) {
      EXPECT(Tile::map_of_slot(Tile::slot(lane, i), i / 2) == Tile::map(lane, i));
      for (int j = 0; j < 8; ++j) {
        EXPECT(Tile::map(lane, i) == Tile::map(lane, i / 4 * 4) + i % 4);  // fours, side by side
        EXPECT(Tile::tile(lane, j) == Tile::tile(lane, j / 4 * 4) + j % 4);
        ++times.at(
            static_cast<std::size_t>(Tile::map(lane, i) * Tile::kTiles + Tile::tile(lane, j)));
      }
    }
  EXPECT(std::count(times.begin(), times.end(), 1) == Tile::kMaps * Tile::kTiles);
}

// Which shapes take this way; and that the switch and tensor cores turn it off.
void who_is_taken() {
  const ConvShape one{100, 64, 56, 56, 64, 3, 3, 56, 56, 1, 1, 1, 1, 1, 1, 1};
  const auto takes = [](const ConvShape& s, bool wanted = true) {
    const Conv2dArgs<float> forward{nullptr, nullptr, nullptr, nullptr, s, false, wanted};
    const Conv2dDxArgs<float> dx{nullptr, nullptr, nullptr, s, Grad::Write, wanted, nullptr};
    const Conv2dDwArgs<float> dW{nullptr, nullptr, nullptr, s, wanted};
    const bool taken = winograd_scratch(forward) > 0;
    EXPECT(taken == (winograd_scratch(dx) > 0) && taken == (winograd_scratch(dW) > 0));
    return taken;
  };
  EXPECT(takes(one) && !takes(one, false));
  EXPECT(winograd_way(one, forward_tiles, true) == WinogradWay::Fused);
  EXPECT(winograd_way(one, backward_tiles, true) == WinogradWay::Fused);
  EXPECT(winograd_way(one, forward_tiles, false) == WinogradWay::Chunks);
  const ConvShape wide{32, 512, 7, 7, 512, 3, 3, 7, 7, 1, 1, 1, 1, 1, 1, 1};
  EXPECT(winograd_way(wide, forward_tiles, true) == WinogradWay::Chunks);
  ConvShape s = one;
  s.groups = 2;
  EXPECT(!takes(s));
  s = one, s.FW = 2, s.OW = 57;
  EXPECT(!takes(s));
  s = one, s.stride_h = 2, s.OH = 28;
  EXPECT(!takes(s));
  s = one, s.dilation_w = s.pad_w = 17;
  EXPECT(!takes(s));
  s = one, s.C = 3;
  EXPECT(!takes(s));
  s = one, s.N = index_t{1} << 20;  // more pixels than 31 bits can count
  EXPECT(!takes(s));
  s = one, s.C = s.FN = 2048;  // the filters alone would take 600 MB
  EXPECT(!takes(s));
  s = one, s.N = 0;
  EXPECT(!takes(s));
  s = one, s.N = 1, s.H = s.W = s.OH = s.OW = 4;
  EXPECT(!takes(s));

  const Conv2dArgs<float> args{nullptr, nullptr, nullptr, nullptr, one, false, true};
  const Conv2dDwArgs<float> dW{nullptr, nullptr, nullptr, one, true};
  g_precision = Precision::Tf32;
  EXPECT(!run_winograd("conv2d", args, nullptr) && !run_winograd("conv2d_dW", dW, nullptr));
  EXPECT(takes(one));  // the memory is there for the next call
  g_precision = Precision::Float32;
}

// --- kernels -------------------------------------------------------------------------------------

std::vector<float> numbers(index_t n, std::uint32_t seed) {
  std::vector<float> made(static_cast<std::size_t>(n));
  for (float& x : made) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<float>(seed >> 8) / (1 << 23) - 1;
  }
  return made;
}

void near(const std::vector<float>& found, const std::vector<double>& exact) {
  double largest = 0, error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    error = std::max(error, std::abs(found[i] - exact[i]));
    if (!std::isfinite(found[i])) error = largest + 1;
  }
  EXPECT(error <= 5e-6 * largest);
}

// Memory full of NaN, of its own size.
struct Scratch {
  std::unique_ptr<char[]> memory;
  template <class ShapeOf>
  Scratch(const WinogradShape& s, const WinogradMemory& m, const ShapeOf& product)
      : memory(new char[scratch_of(s, m, product)]) {
    std::memset(memory.get(), 0xFF, scratch_of(s, m, product));
  }
};

// FUSED: in one kernel, with tiles of 2 x 2 outputs.
template <bool FUSED>
void maps(const ConvShape& s, index_t most) {
  const std::vector<float> x = numbers(s.N * s.C * s.H * s.W, 1), W = numbers(s.FN * s.C * 9, 2);
  const std::vector<float> dout = numbers(s.N * s.FN * s.OH * s.OW, 3), b = numbers(s.FN, 4);
  const std::vector<float> mask = numbers(s.N * s.C * s.H * s.W, 5);
  std::vector<float> y(dout.size(), NAN), dx(x);
  std::vector<double> exact_y(y.size()), exact_dx(x.begin(), x.end());
  const std::size_t map = static_cast<std::size_t>(s.OH * s.OW);
  for_products(s, [&](std::size_t i, std::size_t k, std::size_t f) {
    exact_y[i] += static_cast<double>(x[k]) * W[f];
    if (mask[k] > 0) exact_dx[k] += static_cast<double>(dout[i]) * W[f];
  });
  for (std::size_t i = 0; i < y.size(); ++i)
    exact_y[i] = std::max(0.0, exact_y[i] + b[i / map % static_cast<std::size_t>(s.FN)]);

  const WinogradShape forward = forward_tiles(s, FUSED ? 2 : 4);
  const WinogradShape backward = backward_tiles(s, FUSED ? 2 : 4);
  const WinogradMemory there(forward, most), back(backward, most);
  const OutputEnd to_y{y.data(), b.data(), true, false, nullptr};
  const OutputEnd to_dx{dx.data(), nullptr, false, true, mask.data()};
  if (FUSED) {
    const std::unique_ptr<float[]> U(new float[static_cast<std::size_t>(16 * s.C * s.FN)]);
    winograd_fused("forward", forward, x.data(), W.data(), false, to_y, U.get());
    winograd_fused("backward", backward, dout.data(), W.data(), true, to_dx, U.get());
  } else {
    const Scratch there_scratch(forward, there, map_product);
    const Scratch back_scratch(backward, back, map_product);
    winograd_maps("forward", forward, there, x.data(), W.data(), false, to_y,
                  there_scratch.memory.get());
    winograd_maps("backward", backward, back, dout.data(), W.data(), true, to_dx,
                  back_scratch.memory.get());
  }
  near(y, exact_y);
  near(dx, exact_dx);
}

void gradient(const ConvShape& s, index_t most) {
  const std::vector<float> x = numbers(s.N * s.C * s.H * s.W, 1);
  const std::vector<float> dout = numbers(s.N * s.FN * s.OH * s.OW, 3);
  std::vector<float> dW(static_cast<std::size_t>(s.FN * s.C * 9), NAN);
  std::vector<double> exact(dW.size());
  for_products(s, [&](std::size_t i, std::size_t k, std::size_t f) {
    exact[f] += static_cast<double>(x[k]) * dout[i];
  });
  const WinogradShape tiles = forward_tiles(s, 4);
  const WinogradMemory memory(tiles, most);
  const Scratch scratch(tiles, memory, gradient_product);
  winograd_filters("gradient", tiles, memory, x.data(), dout.data(), dW.data(),
                   scratch.memory.get());
  near(dW, exact);
}

void passes() {
  const auto all = [](const ConvShape& s, index_t most) {
    maps<true>(s, most);
    maps<false>(s, most);
    gradient(s, most);
  };
  const index_t sides[] = {3, 9, 6, 8};
  for (index_t pad = 0; pad < 4; ++pad) {
    const index_t H = sides[pad], W = 2 * H + 1 - pad % 2, OH = H + 2 * pad - 2,
                  OW = W + 2 * pad - 2;
    all({2, 3, H, W, 4, 3, 3, OH, OW, 1, 1, pad, pad, 1, 1, 1}, 1000);
    all({5, 2, W, H, 3, 3, 3, OW, OH, 1, 1, pad, pad, 1, 1, 1}, 32);  // in chunks
  }
  all({1, 5, 7, 11, 3, 3, 3, 9, 7, 1, 1, 3, 0, 2, 2, 1}, 32);   // dilated
  all({2, 2, 12, 9, 2, 3, 3, 6, 17, 1, 1, 0, 5, 3, 1, 1}, 32);  // in one direction
  all({1, 2, 5, 9, 2, 3, 3, 3, 1, 1, 1, 0, 0, 1, 4, 1}, 32);    // columns without an output
  all({1, 2, 1, 1, 2, 3, 3, 9, 9, 1, 1, 5, 5, 1, 1, 1}, 32);    // mostly padding
  all({1, 41, 6, 9, 70, 3, 3, 6, 9, 1, 1, 1, 1, 1, 1, 1}, 32);  // several tiles of a product
}

}  // namespace
}  // namespace pynet::cuda

int main() {
  using namespace pynet::cuda;
  tiles_of_an_axis();
  tiles_of_images();
  places_of_the_fused_kernel();
  who_is_taken();
  passes();
  return verdict();
}
