// The tiles of convolution as a matrix product whose second operand is read straight from the image
// (implicit GEMM; Chellapilla, Puri and Simard, 2006, without the column matrix).
//
//   pack_filters   the filters, into the slivers of gemm_micro.h
//   run_tile       some filters' outputs at a patch of pixels of one image: over stretches of
//                  channels, over slivers of pixels (packed into L1), over filters
//
// With pooling a patch is made of whole windows: it is computed in scratch, where it stays in the
// caches, and only the maxima leave it.
#pragma once

#include "cpu/conv_micro.h"
#include "cpu/conv_product.h"
#include "cpu/pack_image.h"
#include "cpu/pool_max.h"

namespace pynet::PYNET_ISA {
namespace {

// How a product is cut; the same for all classes of an input gradient.
struct Layout {
  index_t classes;
  Source source;
  bool scattered;                        // pixels of a tile are no neighbours in the output
  bool by_rows;                          // vectors keep to a row of pixels, the last two overlap
  index_t channels, part;                // a stretch of K: channels x taps
  index_t run;                           // pixels that are cut: of an image, or of one long row
  index_t tile_cols, pieces, col_tiles;  // pieces: tiles of one row of pixels, if they keep to it
  index_t tile_rows, row_tiles;
  index_t padded_rows, pack_blocks;
  index_t band;    // elements of scratch for open_windows
  index_t filter;  // and of one filter of a tile that is pooled
};

constexpr index_t kLongRow = 1024;  // tiles do not go beyond a row of pixels this long
// Slivers of filters up to which the image is read where it lies: packing pays when many read it.
constexpr index_t kInPlace = 6;
constexpr index_t kPackRows = 8 * kRows;  // filters of a tile of phase 0

// Where the packed weights of a class begin, in taps: all classes share the taps of one filter.
template <class T, template <class> class Args>
index_t taps_before(const Args<T>&, index_t) {
  return 0;
}
template <class T>
index_t taps_before(const Conv2dDxArgs<T>& p, index_t c) {
  const ConvShape s = flattened(p.s);
  const index_t columns = min_of(s.stride_w, s.W);
  const index_t all = classes_before(columns, s.FW, s.stride_w, s.pad_w, s.dilation_w);
  const index_t above = classes_before(c / columns, s.FH, s.stride_h, s.pad_h, s.dilation_h);
  const index_t here =
      classes_before(c / columns + 1, s.FH, s.stride_h, s.pad_h, s.dilation_h) - above;
  return above * all + here * classes_before(c % columns, s.FW, s.stride_w, s.pad_w, s.dilation_w);
}

// --- layout --------------------------------------------------------------------------------------

// Whether the vectors of a tile keep to a row of pixels, and the last of a row overlaps the one
// before: then all are read where they lie, for a few more products. Packing what crosses from one
// row to the next pays only where many filters read it, and in long rows little crosses.
template <class T>
bool goes_by_rows(const Product<T>& p, index_t classes) {
  constexpr index_t L = kLanes<T>;
  const index_t out = p.x.out, made = round_up(out, L);  // of a row, with those made twice
  if (classes > 1 || p.M > kInPlace * kRows || (p.pool && p.pool->W != out)) return false;
  return L < out && out < 8 * L && out < made && 4 * made <= 5 * out;
}

template <class T, template <class> class Args>
Layout layout_of(const Args<T>& args) {
  constexpr index_t S = kCols<T>;
  const Product<T> p = bound_of(args);
  Layout l{};
  l.classes = classes_of(args);
  l.scattered = p.y_step > 1 || p.x_step > 1;
  const index_t taps = p.y.taps * p.x.taps;
  l.part = ceil_div(taps, ceil_div(taps, kDepth));
  l.channels = max_of<index_t>(1, kDepth / taps);
  l.channels = ceil_div(p.C, ceil_div(p.C, l.channels));

  // A tile of the output stays in the L2 cache while the stretches are added to it. It is made of
  // whole vectors, or of whole rows of windows.
  l.by_rows = goes_by_rows(p, l.classes);
  const index_t unit = p.pool ? pixels_of_windows(*p.pool) : l.by_rows ? p.x.out : S;
  const bool long_rows = !p.pool && p.x.out > kLongRow;
  l.run = p.pool ? p.pool->OH * unit : long_rows ? p.x.out : p.y.out * p.x.out;
  const auto cut = [&](index_t wanted) {
    l.tile_cols = round_up(ceil_div(l.run, ceil_div(l.run, max_of(wanted, unit))), unit);
    l.col_tiles = ceil_div(l.run, l.tile_cols);
    l.pieces = long_rows ? l.col_tiles : 0;
    if (long_rows) l.col_tiles *= p.y.out;
    const index_t rows = min_of(p.y.out, l.pieces ? 1 : (l.tile_cols - 2) / p.x.out + 2);
    const index_t cols = l.pieces || p.y.out == 1 ? l.tile_cols : p.x.out;
    const double band = band_size(p.y, p.x, static_cast<double>(l.channels), rows, cols);
    const bool image = l.classes == 1 && p.x.stride == 1 && stays_inside(p.y) && stays_inside(p.x);
    l.source = image ? Source::Image : band < 1e6 ? Source::Band : Source::Taps;
    l.band = l.source == Source::Band ? static_cast<index_t>(band) : 0;
  };
  index_t wanted = min_of<index_t>(1024, max_of<index_t>(256, 32768 / p.M));
  cut(wanted);
  while (l.source != Source::Image && (l.source == Source::Taps || l.band > 65536) &&
         wanted > max_of(4 * S, unit)) {
    cut(wanted /= 2);
  }
  // Enough tiles for the threads, while each is worth its taking.
  l.tile_rows = l.scattered ? min_of(p.M, round_up(120, kRows)) : p.M;
  const auto tiles = [&] {
    return p.images * p.groups * l.classes * l.col_tiles * ceil_div(p.M, l.tile_rows);
  };
  while (tiles() < 32 && l.tile_cols * l.tile_rows * p.C * taps > 500000) {
    const index_t least = l.tile_rows <= 4 * kRows ? unit : max_of(4 * S, unit);
    if (l.tile_cols > least) {
      cut(wanted = max_of(unit, min_of(wanted, l.tile_cols) / 2));
    } else if (l.tile_rows > 4 * kRows) {
      l.tile_rows = round_up(l.tile_rows / 2, kRows);
    } else {
      break;
    }
  }
  if (l.source == Source::Taps) l.band = l.channels * l.part * l.tile_cols;
  if (p.pool) l.filter = round_up(l.tile_cols, S) + S;
  l.row_tiles = ceil_div(p.M, l.tile_rows);
  l.padded_rows = round_up(p.M, kRows);
  l.pack_blocks = ceil_div(p.M, kPackRows);
  return l;
}

// One stretch of K: channels c0 .. c0+channels-1, of each the taps t0 .. t1-1.
struct Stretch {
  index_t c0, channels, t0, t1;
  index_t before, depth;  // taps of all channels before it, and its own
};

PYNET_INLINE index_t parts_of(const Layout& l, index_t taps) { return ceil_div(taps, l.part); }

template <class T>
Stretch stretch_of(const Product<T>& p, const Layout& l, index_t index) {
  const index_t taps = p.y.taps * p.x.taps, parts = parts_of(l, taps);
  Stretch s;
  s.c0 = index / parts * l.channels;
  s.channels = min_of(l.channels, p.C - s.c0);
  s.t0 = index % parts * l.part;
  s.t1 = min_of(taps, s.t0 + l.part);
  s.before = s.c0 * taps + s.t0;
  s.depth = s.channels * (s.t1 - s.t0);
  return s;
}
template <class T>
index_t stretches_of(const Product<T>& p, const Layout& l) {
  return ceil_div(p.C, l.channels) * parts_of(l, p.y.taps * p.x.taps);
}

// Packed weights: class, group, stretch, sliver of kRows filters, tap.
template <class T, template <class> class Args>
T* packed_weights(const Args<T>& args, const Product<T>& p, const Layout& l, index_t c, index_t g,
                  void* shared) {
  const index_t taps = p.y.taps * p.x.taps;
  return static_cast<T*>(shared) +
         p.C * l.padded_rows * (taps_before(args, c) * p.groups + g * taps);
}

template <class T>
void pack_filters(const Product<T>& p, const Layout& l, index_t g, index_t block, T* packed) {
  const T* weights = p.weights + p.w_first + g * p.w_group;
  for (index_t s = 0; s < stretches_of(p, l); ++s) {
    const Stretch st = stretch_of(p, l, s);
    for (index_t m = block * kPackRows; m < min_of(p.M, (block + 1) * kPackRows); m += kRows) {
      const index_t rows = min_of<index_t>(kRows, p.M - m);
      T* dst = packed + st.before * l.padded_rows + m * st.depth;
      for (index_t c = st.c0; c < st.c0 + st.channels; ++c) {
        index_t i = st.t0 / p.x.taps, j = st.t0 % p.x.taps;
        for (index_t t = st.t0; t < st.t1; ++t, dst += kRows) {
          const T* src = weights + m * p.w_row + c * p.w_channel + i * p.w_y + j * p.w_x;
          for (index_t r = 0; r < rows; ++r) dst[r] = src[r * p.w_row];
          if (++j == p.x.taps) j = 0, ++i;
        }
      }
    }
  }
}

// --- tiles of the output -------------------------------------------------------------------------

// Rows of a tile to their pixels, which are no neighbours: c[m*c_row + i] is pixel patch.first + i.
template <class T>
void scatter(const Product<T>& p, const Patch& patch, index_t rows, const T* c, index_t c_row,
             T* out) {
  for (index_t m = 0; m < rows; ++m) {
    index_t y = patch.first / p.x.out, x = patch.first % p.x.out;
    for (index_t i = 0; i < patch.last - patch.first; y += 1, x = 0) {
      T* row = out + (m * p.out_H + p.y_first + y * p.y_step) * p.out_W + p.x_first;
      for (; x < p.x.out && i < patch.last - patch.first; ++x, ++i) {
        const T value = c ? c[m * c_row + i] : 0;
        T* pixel = row + x * p.x_step;
        *pixel = p.beta != 0 ? *pixel + value : value;
      }
    }
  }
}

// One stretch of a patch of whole rows, read where it lies.
template <class T>
void multiply_rows(const Product<T>& p, const Layout& l, const T* packed, const Windows<T>& w,
                   const Stretch& st, const index_t* offsets, index_t g, const Patch& patch,
                   index_t m0, index_t m1, T* c, index_t c_row, Epilogue<T> e) {
  constexpr index_t R = kRows, L = kLanes<T>;
  const index_t in_row = ceil_div(p.x.out, L), last = p.x.out - L;
  ivec<T> overlap{};
  for (index_t i = 0; i < in_row * L - p.x.out; ++i) overlap[i] = -1;
  const index_t out_row = l.source == Source::Taps ? p.x.out : w.out_row;
  const index_t vectors = (patch.y1 - patch.y0) * in_row;
  for (index_t i = 0; i < vectors; i += kVectors) {
    Pixels<T> pixels[kVectors];
    for (index_t v = 0; v < kVectors; ++v) {
      const index_t j = min_of(i + v, vectors - 1), y = j / in_row, x = j % in_row * L;
      pixels[v] = {w.base + y * out_row + min_of(x, last), y * p.x.out + min_of(x, last),
                   i + v >= vectors ? ~ivec<T>{}
                   : x > last       ? overlap
                                    : ivec<T>{}};
    }
    for (index_t m = m0; m < m1; m += R) {
      const index_t rows = min_of(R, m1 - m);
      if (p.bias) e.row_bias = p.bias + g * p.M + m;
      image_kernel<T>(rows)(st.depth, packed + m * st.depth, pixels, offsets, c + (m - m0) * c_row,
                            c_row, e);
    }
  }
}

template <class T>
void multiply(const Product<T>& p, const Layout& l, const T* packed, const T* image, index_t g,
              const Patch& patch, index_t m0, index_t m1, T* c, index_t c_row, T beta,
              char* local) {
  constexpr index_t R = kRows, S = kCols<T>, L = kLanes<T>;
  index_t* offsets = reinterpret_cast<index_t*>(local);
  T* sliver = reinterpret_cast<T*>(local + kDepth * sizeof(index_t));
  T* scratch = sliver + kDepth * S;
  const index_t stretches = stretches_of(p, l);
  for (index_t s = 0; s < stretches; ++s) {
    const Stretch st = stretch_of(p, l, s);
    const Windows<T> w = open_windows(l.source, image + st.c0 * p.y.in * p.x.in, st.channels, st.t0,
                                      st.t1, p.y, p.x, patch, scratch);
    tap_offsets(l.source, w, st.channels, st.t0, st.t1, p.y, p.x, offsets);
    Epilogue<T> e{1, beta, nullptr, s == 0, s == stretches - 1, p.relu};
    if (l.by_rows) {
      multiply_rows(p, l, packed + st.before * l.padded_rows, w, st, offsets, g, patch, m0, m1, c,
                    c_row, e);
      continue;
    }
    for (index_t q = patch.first; q < patch.last; q += S) {
      const index_t cols = min_of(S, patch.last - q);
      Lanes<T> lanes[kVectors];
      Pixels<T> pixels[kVectors];
      bool in_place = cols == S && m1 - m0 <= kInPlace * R;
      for (index_t v = 0; v * L < cols; ++v) {
        lanes[v] = lanes_at(l.source, w, p.x, patch, q + v * L, min_of(L, cols - v * L));
        pixels[v] = {w.base + lanes[v].first, v * L, ivec<T>{}};
        in_place = in_place && lanes[v].kind == Lanes<T>::Row;
      }
      for (index_t v = 0; v * L < cols && !in_place; ++v) {
        fetch(sliver + v * L, S, w.base, offsets, st.depth, lanes[v]);
      }
      for (index_t m = m0; m < m1; m += R) {
        const index_t rows = min_of(R, m1 - m);
        const T* filters = packed + st.before * l.padded_rows + m * st.depth;
        T* tile = c + (m - m0) * c_row + q - patch.first;
        if (p.bias) e.row_bias = p.bias + g * p.M + m;
        if (in_place) {
          image_kernel<T>(rows)(st.depth, filters, pixels, offsets, tile, c_row, e);
        } else {
          micro_kernel<T>(rows, cols)(st.depth, filters, 1, R, sliver, S, tile, c_row, cols, e);
        }
      }
    }
  }
}

// The windows of some pixels, which are whole rows of windows.
PYNET_INLINE PoolShape tile_of(PoolShape s, index_t pixels) {
  s.OH = pixels / pixels_of_windows(s);
  s.H = s.OH * s.FH;
  return s;
}

// The maxima of a patch of some filters' outputs, which is made of whole rows of windows.
template <class T>
void pool_tile(const Product<T>& p, const Layout& l, const Patch& patch, index_t filters,
               index_t first, const T* c, void* scratch) {
  const PoolShape s = tile_of(*p.pool, patch.last - patch.first);
  const index_t y_plane = p.pool->OH * p.pool->OW;
  const index_t at = first * y_plane + patch.first / pixels_of_windows(s) * s.OW;
  max_planes(s, filters, c, l.filter, p.best + at, p.arg + at, y_plane, scratch);
}

template <class T, template <class> class Args>
void run_tile(const Args<T>& args, const Layout& l, const Tile& tile) {
  index_t index = tile.index;
  const auto take = [&index](index_t count) {
    const index_t i = index % count;
    index /= count;
    return i;
  };
  const index_t col_tile = take(l.col_tiles), row_tile = take(l.row_tiles);
  const index_t which = take(l.classes);
  const Product<T> p = product_of(args, which);
  const index_t g = take(p.groups), n = index;
  const index_t run = p.pool ? l.run : l.pieces ? p.x.out : p.y.out * p.x.out;  // of this class
  const index_t row = l.pieces ? col_tile / l.pieces : 0;
  const index_t from = (l.pieces ? col_tile % l.pieces : col_tile) * l.tile_cols;
  if (row >= p.y.out || from >= run) return;  // a class with fewer pixels than the largest
  const Patch patch = patch_of(p.x, row * run + from, row * run + min_of(run, from + l.tile_cols));

  const index_t plane = p.out_H * p.out_W, m0 = row_tile * l.tile_rows;
  const index_t m1 = min_of(p.M, m0 + l.tile_rows);
  const index_t first = (n * p.groups + g) * p.M + m0;  // of the output's planes
  T* out = p.out + first * plane;
  if (p.y.taps * p.x.taps == 0) {  // pixels between the windows
    if (p.beta == 0) scatter<T>(p, patch, m1 - m0, nullptr, 0, out);
    return;
  }
  const T* packed = packed_weights(args, p, l, which, g, tile.shared);
  const T* image = p.in + (n * p.groups + g) * p.C * p.y.in * p.x.in;
  char* local = static_cast<char*>(tile.local);
  if (p.pool) {
    T* c = reinterpret_cast<T*>(local);
    local += l.tile_rows * l.filter * sizeof(T);
    multiply(p, l, packed, image, g, patch, m0, m1, c, l.filter, T(0), local);
    pool_tile(p, l, patch, m1 - m0, first, c, local);
  } else if (l.scattered) {
    T* c = reinterpret_cast<T*>(local);
    multiply(p, l, packed, image, g, patch, m0, m1, c, l.tile_cols, T(0),
             local + l.tile_rows * l.tile_cols * sizeof(T));
    scatter(p, patch, m1 - m0, c, l.tile_cols, out);
  } else {
    multiply(p, l, packed, image, g, patch, m0, m1, out + patch.first, plane, p.beta, local);
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
