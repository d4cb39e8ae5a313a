// The input gradient as a sum of shifted products (the book's col2im, without the column matrix):
//
//   P (taps x pixels of dout) = filters^T (taps x FN) * dout (FN x pixels)
//   dx[c, y*stride + i, x*stride + j] += P[(c, i, j), (y, x)]
//
// Here the taps are the rows of the product. So the tile of gemm_micro.h is full where dx has one
// to three channels, and a stride costs nothing: no class of pixels meets its own few taps, and
// dout is packed once for all of them.
//
//   phase 0   packs the filters into slivers of taps
//   phase 1   each tile makes the pixels of some channels of one image (or of a part of its rows):
//             over strips of rows of dout, over stretches of filters, over slivers of pixels, over
//             slivers of taps. The sums lie in a band of rows of dx that stays in the cache, with
//             its padding written out and its columns sorted by their remainder modulo the stride,
//             so that the pixels of a vector are neighbours; rows that nothing more is added to
//             leave.
#pragma once

#include "cpu/conv_shape.h"
#include "cpu/gemm_micro.h"
#include "cpu/kernel.h"
#include "cpu/pairs.h"

namespace pynet::PYNET_ISA {
namespace {

struct DxSum {
  ConvShape s;
  index_t M, K, taps;        // channels and filters of a group, taps of a filter's channel
  index_t channels, blocks;  // channels of a tile
  index_t slivers;           // of taps of a block
  index_t part, parts;       // rows of dout that one tile is for, beside those it shares
  index_t rows;              // rows of dout of a strip
  index_t width, row,
      plane;  // elements of a row of one remainder, of all, of a channel of the band
};

constexpr index_t kDxFilters = 16;         // a group of fewer filters does not pay for the adding
constexpr index_t kDxWeights = 160 << 10;  // bytes of packed filters of a tile: in the L2 cache
constexpr index_t kDxBand = 80 << 10;      // bytes of the band, beside them
constexpr index_t kDxBandLimit = 256 << 10;

PYNET_INLINE index_t tap_reach(index_t taps, index_t dilation) { return (taps - 1) * dilation; }

template <class T>
DxSum dx_sum_layout(const Conv2dDxArgs<T>& p) {
  constexpr index_t size = sizeof(T);
  DxSum l{};
  const ConvShape s = l.s = flattened(p.s);
  l.M = s.C / s.groups, l.K = s.FN / s.groups, l.taps = s.FH * s.FW;
  const index_t reach_h = tap_reach(s.FH, s.dilation_h), reach_w = tap_reach(s.FW, s.dilation_w);
  l.width = max_of(s.OW + reach_w / s.stride_w, ceil_div(s.W + s.pad_w, s.stride_w));
  l.row = s.stride_w * l.width;
  const auto band_rows = [&](index_t rows) {
    return max_of((rows - 1) * s.stride_h + reach_h + 1, rows * s.stride_h);
  };
  const auto band = [&](index_t rows) { return l.channels * band_rows(rows) * l.row * size; };

  l.channels = max_of<index_t>(1, kDxWeights / (l.taps * l.K * size));
  l.channels = ceil_div(l.M, ceil_div(l.M, l.channels));
  while (l.channels > 1 && band(1) > kDxBand) l.channels = ceil_div(l.channels, 2);
  l.blocks = ceil_div(l.M, l.channels);
  l.slivers = ceil_div(l.channels * l.taps, kRows);

  const index_t shared = reach_h / s.stride_h;
  const index_t wanted = ceil_div(32, s.N * s.groups * l.blocks);
  l.part = max_of(ceil_div(s.OH, wanted), min_of(s.OH, 4 * shared));
  l.parts = ceil_div(s.OH, l.part);
  l.rows = min_of(s.OH, l.part + shared);
  while (l.rows > 1 && band(l.rows) > kDxBand) --l.rows;
  l.plane = band_rows(l.rows) * l.row;
  return l;
}

template <class T>
bool is_dx_sum(const Conv2dDxArgs<T>& p) {
  const ConvShape& s = p.s;
  const bool strided = s.stride_h > 1 || s.stride_w > 1;
  if (s.FN < kDxFilters * s.groups || (!strided && 2 * s.C > kRows * s.groups)) return false;
  const DxSum l = dx_sum_layout(p);
  return l.channels * l.plane * static_cast<index_t>(sizeof(T)) <= kDxBandLimit;
}

// Packed filters: group, block of channels, sliver of taps, filter. The taps of a block in the
// order (j, c, i): those of one sliver go to different rows of the band, so that no sum waits for
// the one before it.
template <class T>
T* packed_taps(const DxSum& l, index_t g, index_t block, void* shared) {
  return static_cast<T*>(shared) + (g * l.blocks + block) * l.slivers * l.K * kRows;
}

template <class T>
void pack_taps(const Conv2dDxArgs<T>& p, const DxSum& l, const Tile& tile) {
  const index_t block = tile.index % l.blocks, g = tile.index / l.blocks;
  const index_t c0 = block * l.channels, channels = min_of(l.channels, l.M - c0);
  const index_t taps = channels * l.taps, slivers = ceil_div(taps, kRows);
  const T* src = p.W + (g * l.K * l.M + c0) * l.taps;
  T* dst = packed_taps<T>(l, g, block, tile.shared);
  for (index_t sliver = 0; sliver < slivers; ++sliver) {
    const index_t r0 = taps * sliver / slivers, r1 = taps * (sliver + 1) / slivers;
    index_t at[kRows];
    for (index_t r = r0; r < r1; ++r) {
      const index_t i = r % l.s.FH, c = r / l.s.FH % channels, j = r / l.s.FH / channels;
      at[r - r0] = c * l.taps + i * l.s.FW + j;
    }
    for (index_t k = 0; k < l.K; ++k, dst += kRows) {
      for (index_t r = 0; r < r1 - r0; ++r) dst[r] = src[k * l.M * l.taps + at[r]];
    }
  }
}

// Lanes of a vector of products that belong to one row of the output, and where they are added.
template <class T>
struct Piece {
  ivec<T> lanes;
  index_t from, to;
};

// The pieces of pixels first .. first+count-1 of a strip; each row of it has at least one pixel.
template <class T>
index_t pieces_of(const DxSum& l, index_t first, index_t count, Piece<T>* pieces) {
  constexpr index_t L = kLanes<T>;
  index_t n = 0;
  for (index_t q = 0; q < count;) {
    const index_t y = (first + q) / l.s.OW, x = (first + q) % l.s.OW, v = q / L * L;
    const index_t end = min_of(min_of(v + L, count), q + l.s.OW - x);
    Piece<T>& piece = pieces[n++];
    for (index_t i = 0; i < L; ++i) piece.lanes[i] = v + i >= q && v + i < end ? -1 : 0;
    piece.from = v;
    piece.to = y * l.s.stride_h * l.row + x - (q - v);
    q = end;
  }
  return n;
}

// Adds the products of `rows` rows of dout, from the first of them, to the band.
template <class T>
void add_products(const DxSum& l, const T* packed, const T* dout, index_t channels, index_t rows,
                  const index_t* offsets, Piece<T>* pieces, T* sliver, T* band) {
  constexpr index_t R = kRows, S = kCols<T>, L = kLanes<T>;
  T products[R * S];
  const index_t pixels = l.s.OH * l.s.OW, run = rows * l.s.OW;
  const index_t taps = channels * l.taps, slivers = ceil_div(taps, R);
  const Epilogue<T> e{1, 0, nullptr, true, true, false};
  for (index_t k0 = 0; k0 < l.K; k0 += kDepth) {
    const index_t depth = min_of(kDepth, l.K - k0);
    for (index_t q = 0; q < run; q += S) {
      const index_t cols = min_of(S, run - q);
      const index_t count = pieces_of(l, q, cols, pieces);
      for (index_t k = 0; k < depth; ++k) {
        const T* src = dout + (k0 + k) * pixels + q;
        for (index_t v = 0; v < cols; v += L) {
          store(sliver + k * S + v, v + L <= cols ? load(src + v) : load_n(src + v, cols - v));
        }
      }
      for (index_t i = 0; i < slivers; ++i) {  // of equal heights: a low one would only wait
        const index_t r0 = taps * i / slivers, r1 = taps * (i + 1) / slivers;
        micro_kernel<T>(r1 - r0, cols)(depth, packed + (i * l.K + k0) * R, 1, R, sliver, S,
                                       products, S, cols, e);
        for (index_t n = 0; n < count; ++n) {
          T* to = band + pieces[n].to;
          const T* from = products + pieces[n].from;
          for (index_t r = r0; r < r1; ++r, from += S) {
            const vec<T> mine = (vec<T>)((ivec<T>)load(from) & pieces[n].lanes);
            store(to + offsets[r], load(to + offsets[r]) + mine);
          }
        }
      }
    }
  }
}

// One row of dx from its row of the band.
template <class T>
void leave_band(const DxSum& l, const T* row, bool add, T* dx) {
  constexpr index_t L = kLanes<T>;
  const index_t stride = l.s.stride_w, pad = l.s.pad_w, W = l.s.W;
  const auto columns = [&](index_t q) {  // of dx: q, q + stride ..
    return row + (pad + q) % stride * l.width + (pad + q) / stride;
  };
  index_t done = 0;
  if (stride == 1) {
    for (const T* src = columns(0); done + L <= W; done += L) {
      const vec<T> v = load(src + done);
      store(dx + done, add ? load(dx + done) + v : v);
    }
  } else if (stride == 2) {
    const T *even = columns(0), *odd = columns(1);
    for (; done + 2 * L <= W; done += 2 * L) {
      PairOf<vec<T>> v = join(spread(load(even + done / 2)), spread(load(odd + done / 2)));
      if (add) v = {load(dx + done) + v.first, load(dx + done + L) + v.second};
      store(dx + done, v.first);
      store(dx + done + L, v.second);
    }
  }
  for (index_t q = done; q < min_of(W, done + stride); ++q) {
    const T* src = columns(q);
    for (index_t w = q; w < W; w += stride, ++src) dx[w] = add ? dx[w] + *src : *src;
  }
}

template <class T>
void dx_sum_tile(const Conv2dDxArgs<T>& p, const DxSum& l, const Tile& tile) {
  const ConvShape& s = l.s;
  const index_t part = tile.index % l.parts, block = tile.index / l.parts % l.blocks;
  const index_t g = tile.index / l.parts / l.blocks % s.groups;
  const index_t n = tile.index / l.parts / l.blocks / s.groups;
  const index_t c0 = block * l.channels, channels = min_of(l.channels, l.M - c0);
  const T* dout = p.dout + (n * s.groups + g) * l.K * s.OH * s.OW;
  T* dx = p.dx + ((n * s.groups + g) * l.M + c0) * s.H * s.W;
  const T* packed = packed_taps<T>(l, g, block, tile.shared);

  Piece<T>* pieces = static_cast<Piece<T>*>(tile.local);
  index_t* offsets = reinterpret_cast<index_t*>(pieces + kCols<T>);
  T* sliver = reinterpret_cast<T*>(offsets + l.slivers * kRows);
  T* band = sliver + kDepth * kCols<T>;
  index_t tap = 0;
  for (index_t j = 0; j < s.FW; ++j) {
    const index_t right = j * s.dilation_w;
    for (index_t c = 0; c < channels; ++c) {
      for (index_t i = 0; i < s.FH; ++i) {
        offsets[tap++] = c * l.plane + i * s.dilation_h * l.row + right % s.stride_w * l.width +
                         right / s.stride_w;
      }
    }
  }

  // Rows of dx, counted with the padding above them: this tile's are first .. last-1.
  const index_t reach = tap_reach(s.FH, s.dilation_h);
  const index_t first = max_of(part * l.part * s.stride_h, s.pad_h);
  const index_t last =
      part + 1 == l.parts ? s.pad_h + s.H : min_of(s.pad_h + s.H, (part + 1) * l.part * s.stride_h);
  const index_t y0 = max_of<index_t>(0, part * l.part - reach / s.stride_h);
  const index_t y1 = min_of(s.OH, (part + 1) * l.part);
  const index_t band_rows = l.plane / l.row;
  zero(band, channels * l.plane + kLanes<T>);  // a vector to spare: it is read, and zeros added
  for (index_t y = y0; y < y1; y += l.rows) {
    const index_t rows = min_of(l.rows, y1 - y);
    add_products(l, packed, dout + y * s.OW, channels, rows, offsets, pieces, sliver, band);
    const index_t top = y * s.stride_h;
    const index_t bottom = y + rows < y1 ? top + rows * s.stride_h : last;
    for (index_t c = 0; c < channels; ++c) {
      T* plane = band + c * l.plane;
      for (index_t h = max_of(top, first); h < min_of(bottom, last); ++h) {
        T* out = dx + (c * s.H + h - s.pad_h) * s.W;
        if (h - top < band_rows) {
          leave_band(l, plane + (h - top) * l.row, p.grad == Grad::Add, out);
        } else if (p.grad == Grad::Write) {  // below the last window
          zero(out, s.W);
        }
      }
      if (y + rows == y1) continue;
      // What is not complete moves up.
      const T* below = plane + rows * s.stride_h * l.row;
      const index_t kept = max_of<index_t>(0, reach + 1 - s.stride_h) * l.row;
      index_t i = 0;
      for (; i + kLanes<T> <= kept; i += kLanes<T>) store(plane + i, load(below + i));
      for (; i < kept; ++i) plane[i] = below[i];
      zero(plane + kept, l.plane - kept);
    }
  }
}

template <class T>
Work dx_sum_plan(const Conv2dDxArgs<T>& p) {
  const DxSum l = dx_sum_layout(p);
  const ConvShape& s = l.s;
  const std::size_t local =
      kCols<T> * sizeof(Piece<T>) + static_cast<std::size_t>(l.slivers * kRows) * sizeof(index_t) +
      static_cast<std::size_t>(kDepth * kCols<T> + l.channels * l.plane + kLanes<T>) * sizeof(T);
  const double products = 2.0 * s.N * s.FN * l.M * l.taps * s.OH * s.OW;
  return Work{2,
              {s.groups * l.blocks, s.N * s.groups * l.blocks * l.parts},
              static_cast<std::size_t>(s.groups * l.blocks * l.slivers * l.K * kRows) * sizeof(T),
              local,
              products * (sizeof(T) == 4 ? 0.015 : 0.03)};
}

template <class T>
void dx_sum_run(const Conv2dDxArgs<T>& p, const Tile& tile) {
  const DxSum l = dx_sum_layout(p);
  if (tile.phase == 0) {
    pack_taps(p, l, tile);
  } else {
    dx_sum_tile(p, l, tile);
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
