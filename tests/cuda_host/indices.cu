// The arithmetic of indices, against plain loops over every index of small shapes.
#include <algorithm>
#include <vector>

#include "cuda/channels.h"
#include "cuda/conv_shape.h"
#include "cuda/depthwise_shape.h"
#include "cuda/divider.h"
#include "cuda/elements.h"
#include "cuda/planes.h"
#include "cuda/pool_shape.h"
#include "expect.h"

namespace pynet::cuda {

int processors() { return 2; }

namespace {

// --- divisions -----------------------------------------------------------------------------------

void division(std::uint32_t n, std::uint32_t d) {
  EXPECT(Divider(static_cast<index_t>(d)).quotient(n) == n / d);
}

void divisions() {
  for (std::uint32_t d = 1; d < 200; ++d) {
    for (std::uint32_t n = 0; n < 2000; ++n) division(n, d);
  }
  constexpr std::uint32_t kMost = (std::uint32_t{1} << 31) - 1;
  for (int e = 1; e < 32; ++e) {
    for (int near = -3; near <= 3; ++near) {
      const index_t d = (index_t{1} << e) + near;
      if (d < 1 || d > kMost) continue;
      const std::uint32_t by = static_cast<std::uint32_t>(d);
      for (std::uint32_t q = kMost / by, i = 0; i < 3 && i <= q; ++i) {
        for (const std::uint32_t n : {(q - i) * by, (q - i) * by - (q > i), kMost}) division(n, by);
      }
    }
  }
}

void splits() {
  for (int rows = 1; rows < 8; ++rows) {
    for (int columns = 1; columns < 8; ++columns) {
      const Divider by_columns(columns), by_rows(rows);
      index_t i = 0;
      for (int plane = 0; plane < 5; ++plane) {
        for (int row = 0; row < rows; ++row) {
          for (int column = 0; column < columns; ++column, ++i) {
            const Split at(i, by_columns, by_rows);
            EXPECT(at.plane == plane && at.row == row && at.column == column);
          }
        }
      }
    }
  }
}

// --- windows -------------------------------------------------------------------------------------

// Along one axis: which pixel is under a tap of an output, which output has a tap on a pixel.
void taps_of(index_t size, index_t F, index_t stride, index_t pad, index_t dilation) {
  const index_t room = size + 2 * pad - dilation * (F - 1) - 1;
  if (room < 0) return;
  const index_t outputs = room / stride + 1;
  const TapAxis windows = TapAxis::forward(stride, pad, dilation, size);
  const TapAxis contributions = TapAxis::backward(stride, pad, dilation, F, outputs);
  for (int f = 0; f < F; ++f) {
    for (int o = 0; o < outputs; ++o) {
      const index_t pixel = o * stride - pad + f * dilation;
      int at = -9;
      EXPECT(windows.find(o, f, at) && at == pixel);
      EXPECT(windows.has(at) == (0 <= at && at < size));
      const auto tap = static_cast<std::uint32_t>(f) * windows.tap;
      EXPECT(static_cast<int>(windows.start(o) - windows.back + tap) == pixel);
    }
    // Behind the last pixel too, where a strip may begin; and the same taps all along it.
    for (int i = 0; i < size + stride * 4; ++i) {
      index_t expected = -1;
      for (index_t o = 0; o < outputs; ++o) {
        if (o * stride - pad + f * dilation == i) expected = o;
      }
      int at = -9, next = -9;
      const bool found = contributions.find(i, f, at);
      EXPECT((found && contributions.has(at) ? at : -1) == expected);
      EXPECT(contributions.find(i + static_cast<int>(stride), f, next) == found);
      EXPECT(next == at + 1);
    }
  }
}

// The same where paddings, strides and dilations are beyond what 32 bits can add.
void far_taps_of(index_t size, index_t F, index_t stride, index_t pad, index_t dilation) {
  const index_t room = size + 2 * pad - dilation * (F - 1) - 1;
  if (room < 0 || room / stride > 8) return;
  const index_t outputs = room / stride + 1;
  const TapAxis windows = TapAxis::forward(stride, pad, dilation, size);
  const TapAxis contributions = TapAxis::backward(stride, pad, dilation, F, outputs);
  for (int f = 0; f < F; ++f)
    for (int o = 0; o < outputs; ++o) {
      const index_t pixel = o * stride - pad + f * dilation;
      int at = -9;
      const bool inside = windows.find(o, f, at) && windows.has(at);
      EXPECT(inside == (0 <= pixel && pixel < size) && (!inside || at == pixel));
      for (int i = 0; i < size; ++i) {
        int output = -9;
        const bool found = contributions.find(i, f, output) && contributions.has(output);
        EXPECT((found && output == o) == (pixel == i));
      }
    }
}

void far_convolutions() {
  const index_t most = (index_t{1} << 31) - 1;
  const index_t far[] = {1, 2, 7, most / 3, most / 2, most - 1, most};
  for (index_t size = 1; size < 9; ++size)
    for (index_t F = 1; F < 4; ++F)
      for (const index_t stride : far)
        for (const index_t pad : far)
          for (const index_t dilation : far) far_taps_of(size, F, stride, pad, dilation);
}

void convolutions() {
  for (index_t size = 1; size < 9; ++size)
    for (index_t F = 1; F < 5; ++F)
      for (index_t stride = 1; stride < 5; ++stride)
        for (index_t pad = 0; pad < 5; ++pad)
          for (index_t dilation = 1; dilation < 4; ++dilation)
            taps_of(size, F, stride, pad, dilation);
  // A stride beyond every image has one output, whose taps are on the first pixels.
  const TapAxis far = TapAxis::backward(index_t{1} << 40, 1, 1, 3, 1);
  for (int i = 0; i < 4; ++i)
    for (int f = 0; f < 3; ++f) {
      int at = -9;
      EXPECT((far.find(i, f, at) && far.has(at)) == (f == i + 1));
    }
  const index_t most = (index_t{1} << 31) - 1;
  const index_t longest = most / 4;
  ConvShape s{4, 1, 1, longest, 1, 1, 1, 1, longest, 1, 1, 0, 0, 1, 1, 1};
  EXPECT(is_countable(s));
  s.N = 5;
  EXPECT(!is_countable(s));
  s.N = 1;
  s.C = 5;
  EXPECT(!is_countable(s));
  s = {1, 6, 1, 1, 6, 1, most / 3 + 1, 1, 1, 1, 1, 0, 0, 1, 1, 2};
  EXPECT(!is_countable(s));
  s.groups = 3;
  EXPECT(is_countable(s));
}

// Every row is in one strip, once.
void depthwise_strips() {
  for (index_t rows = 1; rows < 40; ++rows)
    for (index_t gap = 1; gap < 45; ++gap) {
      const Strips strips(rows, gap);
      EXPECT(strips.count >= 1 && strips.count <= rows);
      std::vector<int> met(static_cast<std::size_t>(rows));
      for (int strip = 0; strip < strips.count; ++strip)
        for (int v = 0; v < Strips::kRows; ++v) {
          const index_t row = strips.first(strip) + v * gap;
          if (row < rows) ++met.at(static_cast<std::size_t>(row));
        }
      EXPECT(std::count(met.begin(), met.end(), 1) == rows);
    }
}

void depthwise_shapes() {
  //           N  C  H  W  FN FH FW OH OW strides pad dilation groups
  ConvShape s{2, 3, 5, 5, 6, 3, 3, 3, 3, 1, 1, 0, 0, 1, 1, 3};
  EXPECT(is_depthwise(s));
  s.FN = 27;
  EXPECT(!is_depthwise(s));
  s = {2, 4, 5, 5, 4, 3, 3, 3, 3, 1, 1, 0, 0, 1, 1, 2};
  EXPECT(!is_depthwise(s));
  s = {2, 1, 5, 5, 1, 3, 3, 3, 3, 1, 1, 0, 0, 1, 1, 1};
  EXPECT(!is_depthwise(s));
  const index_t most = (index_t{1} << 31) - 1;
  s = {most / 2, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 2};
  EXPECT(is_depthwise(s));
  s.N = most / 2 + 1;
  EXPECT(!is_depthwise(s));
  s = {1, 2, 1, 1, 2, 1, 1, 1, 1, index_t{1} << 28, 1, 0, 0, 1, 1, 2};
  EXPECT(!is_depthwise(s));
}

// Along one axis: the pixels of a window, the windows over a pixel.
void poolings() {
  for (index_t size = 1; size < 12; ++size)
    for (index_t F = 1; F < 6; ++F)
      for (index_t stride = 1; stride < 6; ++stride)
        for (index_t pad = 0; pad < F; ++pad) {
          if (size + 2 * pad < F) continue;
          const index_t outputs = (size + 2 * pad - F) / stride + 1;
          const auto covers = [&](index_t o, index_t i) {
            return o * stride - pad <= i && i < o * stride - pad + F;
          };
          for (index_t o = 0; o < outputs; ++o) {
            const Span span(o, stride, pad, F, size);
            EXPECT(span.first == o * stride - pad);
            index_t count = 0;
            for (index_t i = 0; i < size; ++i) {
              EXPECT(covers(o, i) == (span.begin <= i && i < span.end));
              count += covers(o, i);
            }
            EXPECT(span.length() == count);
          }
          for (index_t i = 0; i < size; ++i) {
            const Windows windows(i, Divider(stride), pad, F, outputs);
            EXPECT(windows.begin >= 0 && windows.end <= outputs);
            for (index_t o = 0; o < outputs; ++o) {
              EXPECT(covers(o, i) == (windows.begin <= o && o < windows.end));
            }
          }
        }
}

void pool_shapes() {
  const index_t most = PoolSizes::kMost;
  //           N  C  H     W  FH FW OH OW strides   pads
  PoolShape s{1, 1, most, 1, 2, 1, 1, 1, 1 << 20, 1, 0, 0};
  EXPECT(!is_countable(s));  // a row behind it is no number of 32 bits
  s.H = most - 1;
  s.stride_h = most + 1;
  EXPECT(is_countable(s) && PoolSizes(s).stride_h == most && PoolSizes(s).H == most - 1);
  s.pad_h = 1;
  EXPECT(!is_countable(s));
}

// Every window of 2 x 2 once, in packs of its two rows, which lie in one plane.
void squares() {
  for (const int W : {2, 4})
    for (index_t packs = 1; packs < 4; ++packs)
      for (index_t OH = 1; OH < 4; ++OH) {
        const index_t planes = 3, OW = packs * W / 2;
        PoolShape s{planes, 1, 2 * OH, 2 * OW, 2, 2, OH, OW, 2, 2, 0, 0};
        EXPECT(has_squares(s, W));
        const Divider by_packs(packs);
        index_t window = 0;
        for (index_t i = 0; i < planes * OH * packs; ++i) {
          const Squares at(i, W, by_packs);
          EXPECT(at.window == window && at.top % W == 0 && at.bottom % W == 0);
          for (int k = 0; k < W / 2; ++k, ++window) {
            const index_t line = window / OW, ox = window % OW;
            EXPECT(at.top + 2 * k == 2 * line * s.W + 2 * ox);
            EXPECT(at.bottom + 2 * k == (2 * line + 1) * s.W + 2 * ox);
          }
        }
        EXPECT(window == planes * OH * OW);
        for (index_t PoolShape::* size :
             {&PoolShape::FH, &PoolShape::FW, &PoolShape::stride_h, &PoolShape::stride_w,
              &PoolShape::pad_h, &PoolShape::pad_w, &PoolShape::H, &PoolShape::W}) {
          PoolShape other = s;
          ++(other.*size);
          EXPECT(!has_squares(other, W));
        }
        EXPECT(!has_squares(s, static_cast<int>(4 * s.W)));
      }
}

// --- shares of an array --------------------------------------------------------------------------

// Every element belongs to one thread.
void shares() {
  for (index_t n = 0; n < 80; ++n)
    for (const int W : {1, 2, 4, 8, 16})
      for (index_t threads = W; threads < 40; threads += 3) {  // no fewer than a pack has elements
        std::vector<int> times(static_cast<std::size_t>(n));
        for (index_t thread = 0; thread < threads; ++thread) {
          const Share mine(n, W, thread, threads);
          for (index_t i = mine.begin; i < mine.end; i += mine.step) {
            EXPECT(i % W == 0);
            for (index_t k = 0; k < W; ++k) ++times[static_cast<std::size_t>(i + k)];
          }
          if (W > 1 && mine.single < n) ++times[static_cast<std::size_t>(mine.single)];
        }
        EXPECT(std::count(times.begin(), times.end(), 1) == n);
      }
}

// Every element of a channel once, in all its parts, whatever the width of a pack.
void planes() {
  for (const int W : {1, 2, 4})
    for (index_t N = 1; N < 5; ++N)
      for (const index_t C : {1, 3})
        for (const index_t S : {4, 12, 5000}) {
          const ChannelParts p(N, C, S);
          const PlaneWalk walk(p, W);
          for (index_t c = 0; c < C; ++c) {
            std::vector<int> met(static_cast<std::size_t>(N * C * S));
            for (int part = 0; part < p.parts; ++part)
              for (int t = part * walk.length; t < walk.end(part); ++t)
                for (int k = 0; k < W; ++k)
                  ++met.at(static_cast<std::size_t>(walk.element(t, c) + k));
            for (index_t i = 0; i < N * C * S; ++i)
              EXPECT(met[static_cast<std::size_t>(i)] == (i / S % C == c ? 1 : 0));
          }
        }
}

// Parts are not empty, and together all terms.
void parts() {
  for (index_t N = 1; N < 40; N += 3)
    for (const index_t C : {1, 2, 31, 33, 1023, 1024, 1025, 5000})
      for (const index_t S : {1, 2, 63, 64, 100, 2048, 2049, 5000}) {
        const ChannelParts p(N, C, S);
        EXPECT(p.parts >= 1 && p.parts <= ChannelParts::kBlocks && p.length % 4 == 0);
        EXPECT((p.parts - 1) * p.length < N * S && N * S <= p.parts * p.length);
      }
  for (index_t n = 0; n < 100000; n = n * 5 / 4 + 1) {
    const index_t count = parts_of(n), length = ceil_div(n, count);
    EXPECT(count >= 1 && count <= kMostParts && count * length >= n);
  }
}

}  // namespace
}  // namespace pynet::cuda

int main() {
  using namespace pynet::cuda;
  divisions();
  splits();
  convolutions();
  far_convolutions();
  depthwise_strips();
  depthwise_shapes();
  poolings();
  pool_shapes();
  squares();
  shares();
  parts();
  planes();
  return verdict();
}
