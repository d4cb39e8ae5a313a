// Convolution and its input gradient for groups of few channels, depthwise among them.
//
// As a matrix product each group would be too small to pay for its packing. Here a tile is a strip
// of rows of one image for some groups; the outputs are vectors along the rows, a few filters of a
// few vectors at a time in registers, and every tap of the filters is a load from the band at a
// fixed offset (narrow_band.h). With one or two filters to a group the vectors go down the columns,
// with a stride of 2 and one channel without a band (narrow_columns.h).
#pragma once

#include "cpu/conv_product.h"
#include "cpu/narrow_band.h"
#include "cpu/narrow_columns.h"

namespace pynet::PYNET_ISA {
namespace {

struct NarrowLayout {
  index_t classes;
  index_t taps;          // of all channels of a group, in the largest class
  index_t rows, strips;  // rows of a strip
  index_t groups, group_tiles;
  index_t vectors;     // of a strip of one plane, and a few to spare
  index_t padded;      // a row of the output, in whole vectors
  index_t band, done;  // elements of scratch for the band and for outputs on their way
};

constexpr index_t kColumnFilters = 2;  // of a group: more share a load that is made for one of them
constexpr index_t kTileWork = 150000;  // multiplications of a tile, where small planes allow it

template <class T, template <class> class Args>
NarrowLayout narrow_layout(const Args<T>& args) {
  const Product<T> p = bound_of(args);
  NarrowLayout l{};
  l.classes = classes_of(args);
  l.taps = p.C * p.y.taps * p.x.taps;
  l.rows = strip_rows(p.y, p.x, p.C);
  if (l.rows == 0) return l;
  l.strips = ceil_div(p.y.out, l.rows);
  l.padded = round_up(p.x.out, kLanes<T>);
  l.vectors = l.rows * (l.padded / kLanes<T>)+3;
  l.band =
      static_cast<index_t>(band_size(p.y, p.x, static_cast<double>(p.C),
                                     static_cast<double>(l.rows), static_cast<double>(p.x.out)));
  l.done = p.M * l.rows * l.padded;
  const index_t work = l.classes * l.taps * p.M * l.rows * p.x.out;
  l.groups = min_of(p.groups, ceil_div(kTileWork, work));
  while (l.groups > 1 && p.images * l.strips * ceil_div(p.groups, l.groups) < 32) {
    l.groups = ceil_div(l.groups, 2);
  }
  l.group_tiles = ceil_div(p.groups, l.groups);
  return l;
}

template <class T, template <class> class Args>
bool is_narrow(const Args<T>& args) {
  const ConvShape& s = args.s;
  if (s.groups == 1 || s.FN > kNarrow * s.groups || s.C > kNarrow * s.groups) return false;
  const NarrowLayout l = narrow_layout(args);
  return l.rows > 0 && l.taps <= kNarrowTaps;
}

// ROWS filters at `count` vectors of outputs, V at a time: vector v is read at in + in_at[v] +
// offsets[k] and goes to out + out_at[v]. in_at and out_at go on for V-1 more.
template <class T, int ROWS, int V>
void narrow_rows(index_t K, const T* filters, index_t step, const T* in, const index_t* offsets,
                 const index_t* in_at, index_t count, T* out, const index_t* out_at,
                 index_t out_plane, const T* bias, bool relu) {
  for (index_t first = 0; first < count; first += V) {
    vec<T> acc[ROWS][V];
    const T* from[V];
    for (int v = 0; v < V; ++v) from[v] = in + in_at[first + v];
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[r][v] = splat(bias ? bias[r] : T(0));
    }
    for (index_t k = 0; k < K; ++k) {
      vec<T> row[V];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) row[v] = load(from[v] + offsets[k]);
#pragma GCC unroll 4
      for (int r = 0; r < ROWS; ++r) {
        const vec<T> element = splat(filters[k * step + r]);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) acc[r][v] = fma(element, row[v], acc[r][v]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        store(out + r * out_plane + out_at[first + v], relu ? relu_of<T>(acc[r][v]) : acc[r][v]);
      }
    }
  }
}

template <class T>
using NarrowRows = void (*)(index_t, const T*, index_t, const T*, const index_t*, const index_t*,
                            index_t, T*, const index_t*, index_t, const T*, bool);

template <class T>
PYNET_INLINE NarrowRows<T> narrow_rows_for(index_t rows) {
  return rows == 1   ? narrow_rows<T, 1, 4>
         : rows == 2 ? narrow_rows<T, 2, 4>
         : rows == 3 ? narrow_rows<T, 3, 3>
                     : narrow_rows<T, 4, 3>;
}

// Filters of one group, tap by tap: filter m of tap k at packed[k*M + m].
template <class T>
PYNET_INLINE void pack_narrow(const Product<T>& p, index_t g, T* packed) {
  for (index_t c = 0; c < p.C; ++c) {
    for (index_t i = 0; i < p.y.taps; ++i) {
      const T* src = p.weights + p.w_first + g * p.w_group + c * p.w_channel + i * p.w_y;
      for (index_t j = 0; j < p.x.taps; ++j, src += p.w_x) {
        for (index_t m = 0; m < p.M; ++m) *packed++ = src[m * p.w_row];
      }
    }
  }
}

// The same for narrow_columns.h: filter by filter, and of each column of taps the topmost first.
template <class T>
PYNET_INLINE void pack_columns(const Product<T>& p, index_t g, T* packed) {
  const T* src = p.weights + p.w_first + g * p.w_group;
  for (index_t m = 0; m < p.M; ++m) {
    for (index_t c = 0; c < p.C; ++c) {
      for (index_t j = 0; j < p.x.taps; ++j) {
        const T* column = src + m * p.w_row + c * p.w_channel + j * p.w_x;
        for (index_t i = 0; i < p.y.taps; ++i) {
          *packed++ = column[(p.y.step < 0 ? p.y.taps - 1 - i : i) * p.w_y];
        }
      }
    }
  }
}

// Finished rows to their pixels; without rows, zeros.
template <class T>
void place(const Product<T>& p, index_t y0, index_t y1, const T* done, index_t row, index_t plane,
           T* out) {
  constexpr index_t L = kLanes<T>;
  if (done && p.beta == 0 && p.y_step == 1 && p.x_step == 1) {
    // Whole vectors: what they write beyond a row, the next row writes again.
    for (index_t m = 0; m < p.M; ++m) {
      const index_t end = (m * p.out_H + y1) * p.out_W;
      for (index_t y = y0; y < y1; ++y) {
        const index_t at = (m * p.out_H + y) * p.out_W;
        for (index_t x = 0; x < p.out_W; x += L) {
          const vec<T> v = load(done + m * plane + (y - y0) * row + x);
          if (at + x + L <= end) {
            store(out + at + x, v);
          } else {
            store_n(out + at + x, v, min_of(L, p.out_W - x));
          }
        }
      }
    }
    return;
  }
  for (index_t m = 0; m < p.M; ++m) {
    for (index_t y = y0; y < y1; ++y) {
      T* dst = out + (m * p.out_H + p.y_first + y * p.y_step) * p.out_W;
      if (!done && p.x_first == 0) zero(dst, p.out_W);  // the other classes come later
      const T* src = done ? done + m * plane + (y - y0) * row : nullptr;
      dst += p.x_first;
      for (index_t x = 0; x < p.x.out; ++x, dst += p.x_step) {
        const T value = src ? src[x] : 0;
        *dst = p.beta != 0 ? *dst + value : value;
      }
    }
  }
}

// All groups of a tile for one class of pixels.
template <class T>
void narrow_class(const Product<T>& p, const NarrowLayout& l, index_t n, index_t g0, index_t g1,
                  index_t y0, index_t y1, void* local) {
  constexpr index_t L = kLanes<T>;
  T* out = p.out + (n * p.groups + g0) * p.M * p.out_H * p.out_W;
  const index_t out_group = p.M * p.out_H * p.out_W;
  if (p.y.taps * p.x.taps == 0) {  // pixels between the windows
    for (index_t g = g0; g < g1 && p.beta == 0; ++g, out += out_group) {
      place<T>(p, y0, y1, nullptr, 0, 0, out);
    }
    return;
  }
  index_t* offsets = static_cast<index_t*>(local);
  index_t* in_at = offsets + l.taps;
  index_t* out_at = in_at + l.vectors;
  T* filters = reinterpret_cast<T*>(out_at + l.vectors);
  T* band = filters + l.taps * p.M;
  T* done = band + 2 * l.band;

  // Straight to the output where whole vectors fit, the last of a row over the one before it.
  const bool whole = p.x.out >= L;
  const bool straight = whole && p.beta == 0 && p.y_step == 1 && p.x_step == 1;

  // Few filters: down the columns. A column's taps are packed from the top. With one channel and a
  // stride of 2 every pixel is met so seldom that a band does not pay.
  const bool dense = p.M <= kColumnFilters && (p.y.step == 1 || p.y.step == -1);
  const bool as_it_lies = dense && straight && p.C == 1 && p.x.stride == 2 && p.y.stride == 2 &&
                          second_column_rows_for<T>(p.y.taps);
  const ColumnRows<T> columns = as_it_lies ? second_column_rows_for<T>(p.y.taps)
                                : dense    ? column_rows_for<T>(p.y.taps, p.y.stride)
                                           : nullptr;
  const bool in_place = whole && p.x.stride == 1 && stays_inside(p.y) && stays_inside(p.x);
  const Strip strip = strip_of(p.y, p.x, y0, y1);
  const Source source = in_place ? Source::Image : Source::Band;
  const Windows<T> w = in_place
                           ? Windows<T>{nullptr, p.y.in * p.x.in, p.x.in, 0, p.y.stride * p.x.in}
                           : windows_of<T>(strip, p.y, band);
  tap_offsets(source, w, p.C, 0, p.y.taps * p.x.taps, p.y, p.x, offsets);
  index_t count = 0;
  for (index_t y = y0; y < y1 && !columns; ++y) {
    for (index_t x = 0; x < p.x.out; x += L, ++count) {
      const index_t at = whole ? min_of(x, p.x.out - L) : x;
      in_at[count] = (y - y0) * w.out_row + at;
      out_at[count] = straight ? y * p.out_W + at : (y - y0) * l.padded + at;
    }
  }
  for (index_t i = count; i < count + 3 && !columns; ++i)
    in_at[i] = in_at[count - 1], out_at[i] = out_at[count - 1];
  const index_t column_count = p.C * p.x.taps, vectors = ceil_div(p.x.out, L);
  for (index_t c = 0; c < p.C && columns; ++c) {  // of each column its topmost tap
    const index_t top = p.y.step < 0 ? p.y.taps - 1 : 0;
    for (index_t j = 0; j < p.x.taps; ++j) {
      offsets[c * p.x.taps + j] =
          as_it_lies ? p.x.first + j * p.x.step : offsets[(c * p.y.taps + top) * p.x.taps + j];
    }
  }

  // Two bands in turn: what was stored last is not read yet, while it still is on its way.
  const auto image = [&](index_t g) { return p.in + (n * p.groups + g) * p.C * p.y.in * p.x.in; };
  const bool banded = !in_place && !as_it_lies;
  const auto fill = [&](index_t g) {
    if (g < g1 && banded) fill_strip(strip, image(g), p.C, p.y, p.x, band + (g - g0) % 2 * l.band);
  };
  if (banded) zero(band, 2 * l.band);
  fill(g0);
  const index_t plane = straight ? p.out_H * p.out_W : l.rows * l.padded;
  const index_t blocks = ceil_div(p.M, 4);
  for (index_t g = g0; g < g1; ++g, out += out_group) {
    fill(g + 1);
    const T* in = as_it_lies ? image(g)
                  : in_place ? image(g) + strip.in_y * p.x.in + strip.in_x
                             : band + (g - g0) % 2 * l.band;
    columns ? pack_columns(p, g, filters) : pack_narrow(p, g, filters);
    for (index_t m = 0; m < p.M && columns; ++m) {
      const Columns<T> c{column_count,
                         filters + m * column_count * p.y.taps,
                         offsets,
                         in,
                         as_it_lies ? p.x.in : w.tap_row,
                         straight ? p.out_W : l.padded,
                         vectors,
                         whole ? p.x.out - L : (vectors - 1) * L,
                         p.bias ? p.bias[g * p.M + m] : T(0),
                         p.relu,
                         strip.in_y,
                         p.y.in,
                         p.y.in * p.x.in};
      columns(c, y1 - y0, (straight ? out + y0 * p.out_W : done) + m * plane);
    }
    for (index_t b = 0; b < blocks && !columns; ++b) {
      const index_t m0 = p.M * b / blocks, m1 = p.M * (b + 1) / blocks;
      const T* bias = p.bias ? p.bias + g * p.M + m0 : nullptr;
      narrow_rows_for<T>(m1 - m0)(p.C * p.y.taps * p.x.taps, filters + m0, p.M, in, offsets, in_at,
                                  count, (straight ? out : done) + m0 * plane, out_at, plane, bias,
                                  p.relu);
    }
    if (!straight) place(p, y0, y1, done, l.padded, plane, out);
  }
}

template <class T, template <class> class Args>
Work narrow_plan(const Args<T>& args) {
  const NarrowLayout l = narrow_layout(args);
  const Product<T> p = bound_of(args);
  const std::size_t local =
      static_cast<std::size_t>(l.taps + 2 * l.vectors) * sizeof(index_t) +
      static_cast<std::size_t>(l.taps * p.M + 2 * l.band + l.done) * sizeof(T);
  const double outputs = static_cast<double>(p.images) * p.groups * args.s.OH * args.s.OW;
  const double products = outputs * p.M * p.C * args.s.FH * args.s.FW;
  return Work{1,
              {p.images * l.strips * l.group_tiles},
              0,
              local,
              (products * 0.05 + outputs * p.C * 0.2) * (sizeof(T) == 4 ? 1 : 2)};
}

template <class T, template <class> class Args>
void narrow_run(const Args<T>& args, const Tile& tile) {
  const NarrowLayout l = narrow_layout(args);
  const index_t strip = tile.index % l.strips, block = tile.index / l.strips % l.group_tiles;
  const index_t n = tile.index / l.strips / l.group_tiles;
  for (index_t c = 0; c < l.classes; ++c) {
    const Product<T> p = product_of(args, c);
    const index_t y0 = strip * l.rows, y1 = min_of(p.y.out, y0 + l.rows);
    if (y0 >= y1) continue;  // a class with fewer pixels than the largest
    const index_t g0 = block * l.groups, g1 = min_of(p.groups, g0 + l.groups);
    narrow_class(p, l, n, g0, g1, y0, y1, tile.local);
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
