// Direct convolution: tiles and places in shared memory, all indices of small shapes, and the
// kernels with tiles of all kinds, which small shapes by themselves would not take.
#include <algorithm>
#include <cmath>
#include <vector>

#include "convolution.h"
#include "cuda/direct_conv.cu"
#include "cuda/direct_gradient.cu"
#include "expect.h"

namespace pynet::cuda {
namespace {

ConvShape shape_of(index_t N, index_t C, index_t H, index_t W, index_t FN, index_t FH, index_t FW,
                   index_t stride_h, index_t stride_w, index_t pad_h, index_t pad_w) {
  return {N,
          C,
          H,
          W,
          FN,
          FH,
          FW,
          (H + 2 * pad_h - FH) / stride_h + 1,
          (W + 2 * pad_w - FW) / stride_w + 1,
          stride_h,
          stride_w,
          pad_h,
          pad_w,
          1,
          1,
          1};
}

// --- places --------------------------------------------------------------------------------------

// Each pixel has a place, and neighbouring threads read neighbours.
void phases_of_an_axis() {
  for (int threads = 1; threads < 12; ++threads)
    for (const int own : {2, 4})
      for (int stride = 1; stride < 9; ++stride)
        for (int taps = 1; taps < 14; ++taps) {
          const PhaseAxis axis(threads, own, stride, taps);
          std::vector<int> times(static_cast<std::size_t>(axis.phases * axis.length));
          for (int i = 0; i < axis.pixels; ++i) {
            ++times.at(static_cast<std::size_t>(axis.place(i, axis.length, 1)));
          }
          EXPECT(*std::max_element(times.begin(), times.end()) == 1);
          for (int t = 0; t < threads; ++t)
            for (int o = 0; o < own; ++o)
              for (int f = 0; f < taps; ++f) {
                const int pixel = (t * own + o) * stride + f;
                EXPECT(pixel < axis.pixels);
                EXPECT(axis.place(pixel, axis.length, 1) ==
                       axis.place(o * stride + f, axis.length, 1) + t);
              }
        }
}

template <class Body>
void for_tiles(const Body& body) {
  for (int images = 1; images < 4; ++images)
    for (int rows = 1; rows < 6; ++rows)
      for (int columns = 1; columns < 10; columns += 2)
        for (int groups = 1; groups < 4; ++groups)
          body(DirectTile{images, rows, columns, groups, 1 + rows % 2});
}

// Each pixel of a tile has a place of its own, and 32 neighbouring threads never meet a bank twice.
void places_of_a_tile() {
  for_tiles([](const DirectTile& t) {
    for (const ConvShape& s :
         {shape_of(3, 1, 40, 40, 5, 5, 5, 1, 1, 0, 0), shape_of(2, 3, 50, 60, 9, 7, 3, 2, 1, 3, 1),
          shape_of(2, 2, 90, 90, 9, 2, 11, 3, 4, 3, 2)}) {
      const PixelLayout at(s, t, 1 + t.rows % 2, 4);
      EXPECT(at.pixels % 4 == 0 && FilterLayout(s, t, 8, 4).pitch % 4 == 0);
      std::vector<int> times(static_cast<std::size_t>(at.pixels));
      for (int n = 0; n < t.images; ++n)
        for (int c = 0; c < t.channels; ++c)
          for (int h = 0; h < at.y.pixels; ++h)
            for (int w = 0; w < at.x.pixels; ++w)
              ++times.at(
                  static_cast<std::size_t>(n * at.image + c * at.plane + at.row(h) + at.column(w)));
      EXPECT(*std::max_element(times.begin(), times.end()) == 1);
      const int positions = t.images * t.rows * t.columns;
      const Divider by_columns(t.columns), by_rows(t.rows);
      for (int position = 0; position < positions; ++position) {
        const Split own(position, by_columns, by_rows);
        EXPECT((own.plane * at.image + own.row * at.pitch + own.column) % 32 == position % 32);
      }
    }
  });
}

// Every output is one thread's, the tile fits, and the threads of a block are no more than there
// may be.
void tiles_of_shapes() {
  for (const index_t N : {1, 7, 100})
    for (const index_t H : {3, 12, 28, 61, 224})
      for (const index_t FN : {1, 9, 30, 64})
        for (const index_t F : {2, 3, 5, 7})
          for (const index_t stride : {1, 2, 4}) {
            const ConvShape s = shape_of(N, 3, H, H + 1, FN, F, F, stride, stride, 2, 2);
            const DirectTile t = direct_tile(s, s.OH, s.OW, 8, 4, 12288);
            EXPECT(t.images > 0);
            const DirectJob<float> job(nullptr, nullptr, s, t, s.OH, s.OW);
            const DirectGrid& grid = job.grid;
            EXPECT(job.elements() <= 12288);
            EXPECT(grid.positions <= grid.lanes && grid.lanes * t.groups <= kDirectThreads);
            if (N > 7 || H > 61) continue;
            std::vector<int> times(static_cast<std::size_t>(N * FN * s.OH * s.OW));
            for (unsigned block = 0; block < grid.blocks; ++block) {
              const DirectPlace place(job, block);
              for (int position = 0; position < grid.positions; ++position) {
                const Split own(position, job.by_columns, job.by_rows);
                const index_t image = place.image + own.plane;
                const index_t row = 2 * (place.row + own.row);
                const index_t column = 4 * (place.column + own.column);
                if (image >= N) continue;
                for (index_t m = place.map; m < std::min<index_t>(FN, place.map + 8 * t.groups);
                     ++m)
                  for (index_t i = row; i < std::min(s.OH, row + 2); ++i)
                    for (index_t j = column; j < std::min(s.OW, column + 4); ++j)
                      ++times.at(
                          static_cast<std::size_t>(((image * FN + m) * s.OH + i) * s.OW + j));
              }
            }
            EXPECT(std::count(times.begin(), times.end(), 1) == N * FN * s.OH * s.OW);
          }
}

void who_is_taken() {
  const ConvShape first = shape_of(100, 1, 28, 28, 30, 5, 5, 1, 1, 0, 0);
  EXPECT(direct_applies(first));
  EXPECT(direct_applies(shape_of(16, 3, 224, 224, 64, 11, 11, 4, 4, 2, 2)));
  EXPECT(direct_applies(shape_of(100, 16, 28, 28, 16, 3, 3, 1, 1, 1, 1)));
  EXPECT(!direct_applies(shape_of(100, 64, 28, 28, 64, 3, 3, 1, 1, 1, 1)));  // 576 taps
  EXPECT(!direct_applies(shape_of(100, 3, 28, 28, 129, 3, 3, 1, 1, 1, 1)));
  EXPECT(!direct_applies(shape_of(100, 64, 28, 28, 16, 1, 1, 1, 1, 0, 0)));
  EXPECT(!direct_applies(shape_of(0, 1, 28, 28, 30, 5, 5, 1, 1, 0, 0)));
  EXPECT(!direct_applies(shape_of(1, 1, 28, 28, 30, 5, 5, 9, 1, 0, 0)));
  ConvShape s = first;
  s.groups = 2;
  EXPECT(!direct_applies(s));
  s = first, s.dilation_w = 2;
  EXPECT(!direct_applies(s));
  // Too little memory for any tile.
  EXPECT(direct_tile(shape_of(1, 1, 250, 9, 8, 200, 2, 8, 8, 0, 0), 7, 1, 8, 4, 100).images == 0);
}

// --- the filters' gradient -----------------------------------------------------------------------

// Each tap is in one unit.
void taps_of_units() {
  for (index_t C = 1; C < 4; ++C)
    for (index_t FH = 1; FH < 8; ++FH)
      for (index_t FW = 2; FW < 14; ++FW)
        for (index_t stride = 1; stride < 9; ++stride) {
          const ConvShape s = shape_of(1, C, 20, 20, 1, FH, FW, 1, stride, 0, 0);
          const GradientUnits units(s, FH % 2 == 0);
          std::vector<int> times(static_cast<std::size_t>(C * FH * FW));
          for (int unit = 0; unit < C * units.of_channel; ++unit) {
            const GradientUnits::First first = units.first(unit);
            EXPECT(first.c == unit / units.of_channel && first.fy < FH);
            EXPECT(units.chunks == 1 ||
                   units.taps == 4);  // which is what a phase begins anew after
            for (int run = 0; run < units.runs; ++run)
              for (int k = 0; k < units.taps; ++k) {
                const int tap = units.tap(first, run, k);
                if (tap >= 0) ++times.at(static_cast<std::size_t>(tap));
              }
          }
          EXPECT(std::count(times.begin(), times.end(), 1) == C * FH * FW);
        }
}

// Eight lanes have all sums, each its own.
template <int TAPS, int RUNS>
void shares_of_lanes() {
  using Sums = GradientSums<float, TAPS, RUNS>;
  std::vector<int> times(Sums::kAll);
  for (int lane = 0; lane < kGradientLanes; ++lane)
    for (int i = 0; i < Sums::kShare; ++i)
      ++times.at(static_cast<std::size_t>(Sums::first_of(lane) + i));
  EXPECT(std::count(times.begin(), times.end(), 1) == Sums::kAll);
}

// Blocks take all tiles, and their threads each unit of each group as often as there are slices.
void tiles_of_gradients() {
  for (const index_t N : {1, 7, 100})
    for (const index_t C : {1, 3, 16})
      for (const index_t H : {12, 28, 224})
        for (const index_t FN : {1, 9, 30, 64})
          for (const index_t F : {2, 3, 5, 7, 11})
            for (const index_t stride : {1, 2, 4}) {
              const ConvShape s = shape_of(N, C, H, H + 1, FN, F, F, stride, stride, 2, 2);
              const GradientTile t = gradient_tile(s, 8, 4, 12288);
              EXPECT(t.tiles > 0);
              if (t.tiles == 0) continue;
              const GradientJob<float> job(nullptr, nullptr, s, t);
              EXPECT(job.elements() <= 12288 && job.threads() <= kDirectThreads);
              EXPECT((t.parts - 1) * t.length < t.tiles && t.tiles <= t.parts * t.length);
              EXPECT(t.tiles == N * t.tiles_down * t.tiles_across);
              EXPECT(t.tiles_down * t.tile.rows >= s.OH);
              EXPECT(t.tiles_across * t.tile.columns * 4 >= s.OW);
              const int units = static_cast<int>(C) * job.units.of_channel;
              const int groups = static_cast<int>(ceil_div(FN, 8));
              std::vector<int> times(static_cast<std::size_t>(units * groups * t.slices));
              for (int type = 0; type < t.unit_blocks * t.group_blocks; ++type)
                for (int thread = 0; thread < job.threads(); thread += kGradientLanes) {
                  const GradientPlace place(job, static_cast<unsigned>(type),
                                            static_cast<unsigned>(thread));
                  const int unit = place.first_unit + place.unit;
                  const int group = place.first_map / 8 + place.group;
                  if (place.slice >= t.slices || unit >= units || group >= groups) continue;
                  const int channels =
                      job.units.first(unit).c - job.units.first(place.first_unit).c;
                  EXPECT(channels >= 0 && channels < t.tile.channels);
                  ++times.at(
                      static_cast<std::size_t>((place.slice * groups + group) * units + unit));
                }
              EXPECT(*std::min_element(times.begin(), times.end()) == 1);
              EXPECT(*std::max_element(times.begin(), times.end()) == 1);
            }
}

// --- kernels -------------------------------------------------------------------------------------

template <class T>
std::vector<T> numbers(index_t n, std::uint32_t seed) {
  std::vector<T> made(static_cast<std::size_t>(n));
  for (T& x : made) {
    seed = seed * 1664525u + 1013904223u;
    x = static_cast<T>(static_cast<int>(seed >> 24) % 3 - 1);  // no sum of these is rounded
  }
  return made;
}

// Maps, and their maxima, by blocks of this tile.
template <class T>
void maps(const ConvShape& s, const DirectTile& t) {
  const index_t elements = DirectJob<T>(nullptr, nullptr, s, t, s.OH, s.OW).elements();
  if (elements * static_cast<index_t>(sizeof(T)) > kDirectBytes) return;
  const std::vector<T> x = numbers<T>(s.N * s.C * s.H * s.W, 1);
  const std::vector<T> W = numbers<T>(s.FN * s.C * s.FH * s.FW, 2), b = numbers<T>(s.FN, 3);
  std::vector<T> y(static_cast<std::size_t>(s.N * s.FN * s.OH * s.OW), NAN), exact(y.size());
  for_products(s, [&](std::size_t i, std::size_t k, std::size_t f) { exact[i] += x[k] * W[f]; });
  for (std::size_t i = 0; i < y.size(); ++i) {
    const index_t m = static_cast<index_t>(i) / (s.OH * s.OW) % s.FN;
    exact[i] = std::max(T{0}, exact[i] + b[static_cast<std::size_t>(m)]);
  }
  launch_direct("maps", DirectJob<T>(x.data(), W.data(), s, t, s.OH, s.OW),
                MapEnd<T>{y.data(), b.data(), true, s.FN, s.OH, s.OW, 1});
  EXPECT(y == exact);

  const index_t PH = s.OH / 2, PW = s.OW / 2;
  if (PH == 0 || PW == 0) return;
  std::vector<T> largest(static_cast<std::size_t>(s.N * s.FN * PH * PW), NAN);
  std::vector<std::int32_t> best(largest.size(), -1);
  launch_direct("maxima", DirectJob<T>(x.data(), W.data(), s, t, 2 * PH, 2 * PW),
                PoolEnd<T>{{largest.data(), b.data(), true, s.FN, PH, PW, 1}, best.data()});
  for (index_t i = 0; i < s.N * s.FN * PH * PW; ++i) {
    const index_t line = i / PW, plane = line / PH;
    const T* window =
        exact.data() + (plane * s.OH + 2 * (line - plane * PH)) * s.OW + 2 * (i - line * PW);
    int first = 0;
    for (int f = 1; f < 4; ++f)
      if (window[f / 2 * s.OW + f % 2] > window[first / 2 * s.OW + first % 2]) first = f;
    EXPECT(best[static_cast<std::size_t>(i)] == first);
    EXPECT(largest[static_cast<std::size_t>(i)] == window[first / 2 * s.OW + first % 2]);
  }
}

// The filters' gradient, with tiles for so much shared memory, several for each block.
template <class T>
void gradient(const ConvShape& s, int bytes) {
  GradientTile t = gradient_tile(s, GradientJob<T>::kMaps, GradientJob<T>::kPack,
                                 bytes / static_cast<int>(sizeof(T)));
  EXPECT(t.tiles > 0);
  if (t.tiles == 0) return;
  t.length = 3;  // tiles of a block, which small shapes have only one for
  t.parts = ceil_div(t.tiles, t.length);
  const std::vector<T> x = numbers<T>(s.N * s.C * s.H * s.W, 1);
  const std::vector<T> dout = numbers<T>(s.N * s.FN * s.OH * s.OW, 4);
  std::vector<T> dW(static_cast<std::size_t>(s.FN * s.C * s.FH * s.FW), NAN), exact(dW.size());
  for_products(s, [&](std::size_t i, std::size_t k, std::size_t f) { exact[f] += x[k] * dout[i]; });
  const GradientJob<T> job(x.data(), dout.data(), s, t);
  std::vector<T> partial(dW.size() * static_cast<std::size_t>(job.partials()), NAN);
  launch_gradient("gradient", job, partial.data(), dW.data());
  EXPECT(dW == exact);
}

void gradients() {
  const index_t strides_and_taps[][2] = {{1, 2}, {1, 5}, {1, 7}, {1, 10}, {2, 3}, {2, 7}, {3, 10}};
  for (const auto& [stride, F] : strides_and_taps) {
    gradient<float>(shape_of(2, 2, 7, 13, 11, 3, F, stride, stride, 2, F / 2), kDirectBytes / 4);
    gradient<double>(shape_of(1, 3, 8, 16, 5, 4, F, stride, stride, 1, F / 2), kDirectBytes / 2);
  }
  gradient<float>(shape_of(1, 1, 3, 300, 3, 3, 3, 1, 1, 1, 1), kDirectBytes);  // cut across
  gradient<float>(shape_of(1, 5, 9, 9, 40, 9, 3, 1, 1, 1, 1), kDirectBytes);   // several blocks
  gradient<float>(shape_of(1, 3, 60, 17, 9, 50, 2, 1, 1, 0, 1),
                  kDirectBytes);  // parts of a channel
}

void passes() {
  const DirectTile tiles[] = {{1, 1, 1, 1, 3}, {1, 3, 2, 2, 2}, {1, 2, 3, 3, 1}, {2, 4, 5, 1, 2}};
  for (const DirectTile& t : tiles)
    for (const index_t stride : {1, 2, 3})
      for (const index_t F : {2, 3, 4, 5, 7, 10}) {
        const ConvShape s = shape_of(3, 3, 11, 13, 11, 3, F, stride, 1 + stride % 3, 2, F / 2);
        // Several images are in a tile where each is whole.
        if (t.images > 1 && (s.OH > 2 * t.rows || s.OW > 4 * t.columns)) continue;
        maps<float>(s, t);
        maps<double>(s, t);
      }
}

}  // namespace
}  // namespace pynet::cuda

int main() {
  using namespace pynet::cuda;
  phases_of_an_axis();
  places_of_a_tile();
  tiles_of_shapes();
  who_is_taken();
  taps_of_units();
  shares_of_lanes<3, 3>();
  shares_of_lanes<4, 2>();
  shares_of_lanes<5, 2>();
  tiles_of_gradients();
  passes();
  gradients();
  return verdict();
}
