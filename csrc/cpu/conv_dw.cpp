// The gradient of convolution's filters as a matrix product over all output pixels of all images:
//
//   dW^T (taps x filters) = windows of x (taps x pixels) * dout^T (pixels x filters)
//
//   phase 0   each tile adds up one chunk of the pixels for a block of taps, stretch by stretch
//   phase 1   adds the chunks in their order and turns the sum into dW
//
// Turned this way round, only dout is packed, once for all taps: a row of the windows is a row of
// the image, and the micro-kernel reads it where it lies. Groups of few channels go another way,
// conv_narrow_dw.h, and 3 x 3 filters Winograd's: conv_winograd_dw.h.
#include "cpu/conv_micro.h"
#include "cpu/conv_narrow_dw.h"
#include "cpu/conv_shape.h"
#include "cpu/conv_winograd_dw.h"
#include "cpu/kernel.h"
#include "cpu/pack.h"
#include "cpu/pack_image.h"

namespace pynet::PYNET_ISA {
namespace {

struct Layout {
  ConvShape s;
  Axis y, x;
  index_t M, C;  // filters and channels of a group
  index_t taps;  // FH*FW
  Source source;
  index_t channels, part;  // a block of taps: some taps of some channels
  index_t blocks;
  index_t images, run, pieces;  // a stretch: `images` whole images, or `run` pixels of one
  index_t stretches, chunks;
  index_t padded;  // filters, as columns of a partial sum
  index_t band;    // elements of scratch for open_windows, for each image
};

constexpr index_t kBlockTaps = 192;
constexpr index_t kSumTaps = 64;  // taps and filters of a tile of phase 1
constexpr index_t kSumFilters = 64;

template <class T>
Layout layout_of(const Conv2dDwArgs<T>& p) {
  Layout l{};
  const ConvShape s = l.s = flattened(p.s);
  l.y = forward_axis(s.H, s.OH, s.FH, s.stride_h, s.pad_h, s.dilation_h);
  l.x = forward_axis(s.W, s.OW, s.FW, s.stride_w, s.pad_w, s.dilation_w);
  l.M = s.FN / s.groups, l.C = s.C / s.groups, l.taps = s.FH * s.FW;
  l.padded = round_up(l.M, kCols<T>);

  // Stretches of about kDepth pixels.
  const index_t pixels = s.OH * s.OW;
  l.images = min_of(s.N, max_of<index_t>(1, kDepth / pixels));
  if (pixels <= kDepth) {
    l.run = pixels;
  } else if (s.OW > kDepth) {
    l.run = ceil_div(s.OW, ceil_div(s.OW, kDepth));
  } else {
    l.run = s.OW * ceil_div(s.OH, ceil_div(s.OH, kDepth / s.OW));
  }
  l.pieces = s.OW > kDepth ? s.OH * ceil_div(s.OW, l.run) : ceil_div(pixels, l.run);
  l.stretches = ceil_div(s.N, l.images) * l.pieces;

  l.part = ceil_div(l.taps, ceil_div(l.taps, kBlockTaps));
  l.channels = max_of<index_t>(1, kBlockTaps / l.taps);
  l.channels = ceil_div(l.C, ceil_div(l.C, l.channels));
  const bool image = s.stride_w == 1 && stays_inside(l.y) && stays_inside(l.x);
  const auto band = [&] {
    const index_t rows = ceil_div(l.run, s.OW), cols = min_of(l.run, s.OW);
    return band_size(l.y, l.x, static_cast<double>(l.channels), rows, cols);
  };
  while (!image && band() > 65536 && l.channels > 1) l.channels = (l.channels + 1) / 2;
  l.source = image ? Source::Image : band() < 1e6 ? Source::Band : Source::Taps;
  l.band = l.source == Source::Band   ? static_cast<index_t>(band())
           : l.source == Source::Taps ? l.channels * l.part * l.run
                                      : 0;
  l.blocks = ceil_div(l.C, l.channels) * ceil_div(l.taps, l.part);

  // Chunks: by the shape alone, so that the sums are the same for any number of threads.
  const double size = static_cast<double>(s.groups) * l.C * l.taps * l.padded;
  const double work = size * s.N * pixels;
  index_t chunks = min_of<index_t>(l.stretches, ceil_div(32, s.groups * l.blocks));
  while (chunks > 1 && (chunks * size > 4e6 || work / chunks < 2 * size * kDepth)) --chunks;
  l.chunks = ceil_div(l.stretches, ceil_div(l.stretches, chunks));
  return l;
}

// Partial sums: chunk, group, tap, filter.
template <class T>
T* partial_sum(const Layout& l, index_t chunk, index_t g, index_t tap, void* shared) {
  const index_t taps = l.C * l.taps;
  return static_cast<T*>(shared) + ((chunk * l.s.groups + g) * taps + tap) * l.padded;
}

// The pixels of an image that belong to a stretch.
PYNET_INLINE Patch patch_of_stretch(const Layout& l, index_t piece) {
  if (l.s.OW <= kDepth) {
    const index_t first = piece * l.run;
    return patch_of(l.x, first, min_of(first + l.run, l.s.OH * l.s.OW));
  }
  const index_t across = ceil_div(l.s.OW, l.run);
  const index_t row = piece / across * l.s.OW, from = piece % across * l.run;
  return patch_of(l.x, row + from, row + min_of(from + l.run, l.s.OW));
}

template <class T>
void add_chunk(const Conv2dDwArgs<T>& p, const Layout& l, const Tile& tile) {
  constexpr index_t S = kCols<T>;
  const index_t block = tile.index % l.blocks, g = tile.index / l.blocks % l.s.groups;
  const index_t chunk = tile.index / l.blocks / l.s.groups;
  const index_t parts = ceil_div(l.taps, l.part);
  const index_t c0 = block / parts * l.channels, channels = min_of(l.channels, l.C - c0);
  const index_t t0 = block % parts * l.part, t1 = min_of(l.taps, t0 + l.part);
  const index_t rows = channels * (t1 - t0), pixels = l.s.OH * l.s.OW, plane = l.s.H * l.s.W;

  index_t* offsets = static_cast<index_t*>(tile.local);
  T* sliver = reinterpret_cast<T*>(offsets + kBlockTaps);
  T* scratch = sliver + kDepth * S;
  T* sum = partial_sum<T>(l, chunk, g, c0 * l.taps + t0, tile.shared);
  const index_t per_chunk = ceil_div(l.stretches, l.chunks);
  const index_t begin = chunk * per_chunk, end = min_of(l.stretches, begin + per_chunk);
  const index_t x_image = l.s.C * plane, dout_image = l.s.FN * pixels;
  for (index_t s = begin; s < end; ++s) {
    const index_t n0 = s / l.pieces * l.images, images = min_of(l.images, l.s.N - n0);
    const Patch patch = patch_of_stretch(l, s % l.pieces);
    const index_t count = patch.last - patch.first;
    const T* x = p.x + n0 * x_image + (g * l.C + c0) * plane;
    const T* dout = p.dout + n0 * dout_image + g * l.M * pixels + patch.first;
    Windows<T> w{};
    for (index_t n = images - 1; n >= 0; --n) {
      w = open_windows(l.source, x + n * x_image, channels, t0, t1, l.y, l.x, patch,
                       scratch + n * l.band);
    }
    tap_offsets(l.source, w, channels, t0, t1, l.y, l.x, offsets);
    Walk walk{images, l.source == Source::Image ? x_image : l.band, 1, 0, count};
    if (l.source != Source::Taps && patch.y1 > patch.y0 + 1) {
      walk.lines = patch.y1 - patch.y0;
      walk.line_step = w.out_row;
      walk.run = l.s.OW;
    }
    for (index_t m = 0; m < l.M; m += S) {
      for (index_t n = 0; n < images; ++n) {
        pack_sliver<T, S>(sliver + n * count * S, dout + n * dout_image + m * pixels, pixels, 1,
                          min_of(S, l.M - m), count);
      }
      const index_t slivers = ceil_div(rows, kRows);
      for (index_t i = 0; i < slivers; ++i) {  // of equal heights: a low one would only wait
        const index_t r0 = rows * i / slivers, r1 = rows * (i + 1) / slivers;
        window_kernel<T>(r1 - r0)(walk, w.base, offsets + r0, sliver, sum + r0 * l.padded + m,
                                  l.padded, s == begin);
      }
    }
  }
}

template <class T>
void add_chunks_up(const Conv2dDwArgs<T>& p, const Layout& l, const Tile& tile) {
  const index_t taps = l.C * l.taps;
  const index_t tap_tiles = ceil_div(taps, kSumTaps), filter_tiles = ceil_div(l.M, kSumFilters);
  const index_t t0 = tile.index % tap_tiles * kSumTaps, t1 = min_of(taps, t0 + kSumTaps);
  const index_t m0 = tile.index / tap_tiles % filter_tiles * kSumFilters;
  const index_t m1 = min_of(l.M, m0 + kSumFilters);
  const index_t g = tile.index / tap_tiles / filter_tiles;
  T* sums = static_cast<T*>(tile.local);
  for (index_t t = t0; t < t1; ++t) {
    for (index_t m = m0; m < m1; m += kLanes<T>) {
      vec<T> sum = load(partial_sum<T>(l, 0, g, t, tile.shared) + m);
      for (index_t chunk = 1; chunk < l.chunks; ++chunk) {
        sum += load(partial_sum<T>(l, chunk, g, t, tile.shared) + m);
      }
      store(sums + (t - t0) * kSumFilters + (m - m0), sum);
    }
  }
  constexpr index_t B = kBlock<T>;
  for (index_t m = m0; m < m1; m += B) {
    for (index_t t = t0; t < t1; t += B) {
      T* dst = p.dW + (g * l.M + m) * taps + t;
      const T* src = sums + (t - t0) * kSumFilters + (m - m0);
      if (m + B <= m1 && t + B <= t1) {
        transpose_block(dst, taps, src, kSumFilters);
      } else {
        interleave(dst, taps, src, kSumFilters, min_of(B, t1 - t), min_of(B, m1 - m));
      }
    }
  }
}

template <class T>
Work conv2d_dW_plan(const Conv2dDwArgs<T>& p) {
  if (is_narrow(p)) return narrow_dw_plan(p);
  if (is_winograd_dw(p)) return winograd_dw_plan(p);
  const Layout l = layout_of(p);
  const index_t taps = l.C * l.taps;
  const index_t sum_tiles = l.s.groups * ceil_div(taps, kSumTaps) * ceil_div(l.M, kSumFilters);
  const index_t local =
      kBlockTaps * sizeof(index_t) + (kDepth * kCols<T> + l.images * l.band) * sizeof(T);
  const double flops = 2.0 * l.s.N * l.s.FN * taps * l.s.OH * l.s.OW;
  return Work{2,
              {l.chunks * l.s.groups * l.blocks, sum_tiles},
              static_cast<std::size_t>(l.chunks * l.s.groups * taps * l.padded) * sizeof(T),
              static_cast<std::size_t>(max_of<index_t>(local, kSumTaps * kSumFilters * sizeof(T))),
              flops * (sizeof(T) == 4 ? 0.015 : 0.03)};
}

template <class T>
void conv2d_dW_run(const Conv2dDwArgs<T>& p, const Tile& tile) {
  if (is_narrow(p)) return narrow_dw_run(p, tile);
  if (is_winograd_dw(p)) return winograd_dw_run(p, tile);
  const Layout l = layout_of(p);
  if (tile.phase == 0) {
    add_chunk(p, l, tile);
  } else {
    add_chunks_up(p, l, tile);
  }
}

}  // namespace

PYNET_EXPORT(conv2d_dW, Conv2dDwArgs)

}  // namespace pynet::PYNET_ISA
