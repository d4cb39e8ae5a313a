// Matrix product in the manner of BLIS (Van Zee and van de Geijn, 2015): operands packed into
// slivers, and one micro-kernel that knows nothing of transposes.
//
//   phase 0   packs the slivers of A and of B that need it, for the whole product
//   phase 1   each tile computes a block of C: over stretches of K, over slivers of B, of A
//
// Where packing costs more than it saves, the micro-kernel reads A or B where they lie. Products
// with only a few rows or columns of contiguous operands are rows of dot products.
#include "cpu/gemm_micro.h"
#include "cpu/loop.h"
#include "cpu/pack.h"

namespace pynet::PYNET_ISA {
namespace {

// Everything about a product that follows from its shape and strides.
struct Layout {
  bool dot;   // rows of A times columns of B, both contiguous
  bool rows;  // one or two rows of A times rows of B, read where they lie
  bool pack_a, pack_b;
  index_t depth, stretches;      // K is cut into `stretches` of `depth`
  index_t tile_rows, tile_cols;  // of a tile of C
  index_t row_tiles, col_tiles;
  index_t padded_rows, padded_cols;  // of the packed operands
  index_t pack_rows, pack_cols;      // of a tile of phase 0
};

template <class T>
Layout layout_of(const GemmArgs<T>& p) {
  Layout l{};
  const index_t R = kRows, S = kCols<T>;
  l.dot = p.A_col == 1 && p.B_row == 1 && (p.M <= 2 || p.N <= 4);
  l.rows = !l.dot && p.B_col == 1 && p.M <= 2;
  // Rows of A can be read where they lie; that pays while each is used by few slivers of B.
  l.pack_a = !(p.A_col == 1 && p.N <= 16 * S) && !(p.M <= R);
  l.pack_b = !(p.B_col == 1 && p.M <= 2 * R);
  l.stretches = max_of<index_t>(1, ceil_div(p.K, kDepth));
  l.depth = max_of<index_t>(1, round_up(ceil_div(p.K, l.stretches), 8));
  l.stretches = max_of<index_t>(1, ceil_div(p.K, l.depth));
  l.tile_rows = min_of(round_up(p.M, R), R * (240 / R));
  l.tile_cols = min_of(round_up(p.N, S), 16 * S);
  const auto tiles = [&] {
    return p.batch * ceil_div(p.M, l.tile_rows) * ceil_div(p.N, l.tile_cols);
  };
  while (tiles() < 32 && l.tile_rows * l.tile_cols * p.K > 300000) {
    if (l.tile_cols > 2 * S || (l.tile_rows <= R && l.tile_cols > S)) {
      l.tile_cols = round_up(l.tile_cols / 2, S);
    } else if (l.tile_rows > R) {
      l.tile_rows = round_up(l.tile_rows / 2, R);
    } else {
      break;
    }
  }
  l.row_tiles = ceil_div(p.M, l.tile_rows);
  l.col_tiles = ceil_div(p.N, l.tile_cols);
  l.padded_rows = round_up(p.M, R);
  l.padded_cols = round_up(p.N, S);
  l.pack_rows = R * max_of<index_t>(1, 16384 / (R * l.depth));
  l.pack_cols = S * max_of<index_t>(1, 16384 / (S * l.depth));
  return l;
}

template <class T>
index_t packed_a_size(const GemmArgs<T>& p, const Layout& l) {
  return l.pack_a ? round_up(p.batch * l.padded_rows * p.K, 16) : 0;
}

// --- dot products --------------------------------------------------------------------------------

constexpr index_t kDotCols = 64;  // columns of a tile

template <class T, int COLS>
PYNET_INLINE void dot_columns(const GemmArgs<T>& p, const T* a, const T* b, T* c, const T* bias) {
  constexpr index_t L = kLanes<T>;
  vec<T> acc[COLS] = {};
  index_t k = 0;
  for (; k + L <= p.K; k += L) {
    const vec<T> x = load(a + k);
#pragma GCC unroll 8
    for (int j = 0; j < COLS; ++j) acc[j] = fma(x, load(b + j * p.B_col + k), acc[j]);
  }
  if (k < p.K) {
    const vec<T> x = load_n(a + k, p.K - k);
#pragma GCC unroll 8
    for (int j = 0; j < COLS; ++j) acc[j] = fma(x, load_n(b + j * p.B_col + k, p.K - k), acc[j]);
  }
  for (int j = 0; j < COLS; ++j) {
    T y = p.alpha * sum_lanes<T>(acc[j]);
    if (p.beta != 0) y += p.beta * c[j];
    if (bias) y += bias[j];
    c[j] = p.relu && y <= 0 ? 0 : y;
  }
}

template <class T>
void run_dots(const GemmArgs<T>& p, const Tile& tile) {
  const index_t col_tiles = ceil_div(p.N, kDotCols);
  const index_t rows_at_once = p.N <= 4 ? kDotCols : 2;
  const index_t row_tiles = ceil_div(p.M, rows_at_once);
  const index_t i = tile.index / (row_tiles * col_tiles);
  const index_t m0 = tile.index / col_tiles % row_tiles * rows_at_once;
  const index_t n0 = tile.index % col_tiles * kDotCols;
  const index_t n1 = min_of(p.N, n0 + kDotCols);
  for (index_t m = m0; m < min_of(p.M, m0 + rows_at_once); ++m) {
    const T* a = p.A + i * p.A_batch + m * p.A_row;
    const T* b = p.B + i * p.B_batch;
    T* c = p.C + i * p.C_batch + m * p.C_row;
    const auto bias = [&](index_t n) { return p.bias ? p.bias + n : nullptr; };
    index_t n = n0;
    for (; n + 8 <= n1; n += 8) dot_columns<T, 8>(p, a, b + n * p.B_col, c + n, bias(n));
    for (; n + 2 <= n1; n += 2) dot_columns<T, 2>(p, a, b + n * p.B_col, c + n, bias(n));
    for (; n < n1; ++n) dot_columns<T, 1>(p, a, b + n * p.B_col, c + n, bias(n));
  }
}

// --- one row of C --------------------------------------------------------------------------------

constexpr index_t kRowVectors = 4;  // of C at a time, each in two sums to hide the latency

template <class T, class Lanes>
PYNET_INLINE void row_columns(const GemmArgs<T>& p, const T* a, const T* b, T* c, const T* bias,
                              index_t vectors, const Lanes& last) {
  constexpr index_t L = kLanes<T>;
  vec<T> even[kRowVectors] = {}, odd[kRowVectors] = {};
  const auto add = [&](vec<T>* acc, index_t k) {
    const vec<T> x = splat(a[k * p.A_col]);
    const T* row = b + k * p.B_row;
    for (index_t v = 0; v < vectors - 1; ++v) acc[v] = fma(x, load(row + v * L), acc[v]);
    const index_t v = vectors - 1;
    acc[v] = fma(x, last.load(row + v * L), acc[v]);
  };
  index_t k = 0;
  for (; k + 2 <= p.K; k += 2) add(even, k), add(odd, k + 1);
  if (k < p.K) add(even, k);
  const Epilogue<T> e{p.alpha, p.beta, bias, true, true, p.relu};
  const auto put = [&](index_t v, const auto& lanes) {
    const vec<T> old = p.beta != 0 ? lanes.load(c + v * L) : vec<T>{};
    const vec<T> add_bias = bias ? lanes.load(bias + v * L) : vec<T>{};
    lanes.store(c + v * L, finish<T>(even[v] + odd[v], old, add_bias, e));
  };
  for (index_t v = 0; v < vectors - 1; ++v) put(v, Whole{});
  put(vectors - 1, last);
}

template <class T>
void run_rows(const GemmArgs<T>& p, const Tile& tile) {
  constexpr index_t L = kLanes<T>;
  const index_t col_tiles = ceil_div(p.N, kDotCols);
  const index_t i = tile.index / col_tiles;
  const index_t n0 = tile.index % col_tiles * kDotCols, n1 = min_of(p.N, n0 + kDotCols);
  for (index_t m = 0; m < p.M; ++m) {
    const T* a = p.A + i * p.A_batch + m * p.A_row;
    const T* b = p.B + i * p.B_batch;
    T* c = p.C + i * p.C_batch + m * p.C_row;
    for (index_t n = n0; n < n1; n += kRowVectors * L) {
      const index_t left = min_of(n1 - n, kRowVectors * L);
      const T* bias = p.bias ? p.bias + n : nullptr;
      if (left == kRowVectors * L) {
        row_columns(p, a, b + n, c + n, bias, kRowVectors, Whole{});
      } else {
        const index_t vectors = ceil_div(left, L);
        row_columns(p, a, b + n, c + n, bias, vectors, Part{left - (vectors - 1) * L});
      }
    }
  }
}

// --- packing -------------------------------------------------------------------------------------

// The slivers of one stretch of K, for `width` rows of A or columns of B from `first` on.
template <class T, index_t WIDTH>
void pack_block(T* packed, index_t padded, index_t count, index_t K, const T* src, index_t row,
                index_t col, const Layout& l, index_t block, index_t per_block) {
  const index_t blocks = ceil_div(padded, per_block);
  const index_t k0 = block / blocks * l.depth;
  const index_t depth = min_of(l.depth, K - k0);
  const index_t first = block % blocks * per_block;
  for (index_t i = first; i < min_of(padded, first + per_block); i += WIDTH) {
    pack_sliver<T, WIDTH>(packed + k0 * padded + i * depth, src + i * row + k0 * col, row, col,
                          min_of(WIDTH, count - i), depth);
  }
}

template <class T>
void run_pack(const GemmArgs<T>& p, const Layout& l, T* packed_a, T* packed_b, index_t index) {
  const index_t a_blocks = l.stretches * ceil_div(l.padded_rows, l.pack_rows);
  const index_t b_blocks = l.stretches * ceil_div(l.padded_cols, l.pack_cols);
  const index_t a_tiles = l.pack_a ? p.batch * a_blocks : 0;
  if (index < a_tiles) {
    const index_t i = index / a_blocks;
    pack_block<T, kRows>(packed_a + i * l.padded_rows * p.K, l.padded_rows, p.M, p.K,
                         p.A + i * p.A_batch, p.A_row, p.A_col, l, index % a_blocks, l.pack_rows);
  } else {
    index -= a_tiles;
    const index_t i = index / b_blocks;
    pack_block<T, kCols<T>>(packed_b + i * l.padded_cols * p.K, l.padded_cols, p.N, p.K,
                            p.B + i * p.B_batch, p.B_col, p.B_row, l, index % b_blocks,
                            l.pack_cols);
  }
}

// --- tiles of C ----------------------------------------------------------------------------------

template <class T>
void run_tile(const GemmArgs<T>& p, const Layout& l, const T* packed_a, const T* packed_b, T* local,
              index_t index) {
  constexpr index_t R = kRows, S = kCols<T>;
  const index_t i = index / (l.row_tiles * l.col_tiles);
  const index_t m0 = index / l.col_tiles % l.row_tiles * l.tile_rows;
  const index_t n0 = index % l.col_tiles * l.tile_cols;
  const index_t m1 = min_of(p.M, m0 + l.tile_rows), n1 = min_of(p.N, n0 + l.tile_cols);
  const T* A = p.A + i * p.A_batch;
  const T* B = p.B + i * p.B_batch;
  T* C = p.C + i * p.C_batch;
  packed_a += i * l.padded_rows * p.K;
  packed_b += i * l.padded_cols * p.K;
  for (index_t s = 0; s < l.stretches; ++s) {
    const index_t k0 = s * l.depth;
    const index_t depth = min_of(l.depth, p.K - k0);
    Epilogue<T> e{p.alpha, p.beta, nullptr, s == 0, s == l.stretches - 1, p.relu};
    for (index_t n = n0; n < n1; n += S) {
      const index_t cols = min_of(S, p.N - n);
      const T* b;
      index_t b_row = S;
      if (l.pack_b) {
        b = packed_b + k0 * l.padded_cols + n * depth;
      } else if (cols == S) {
        b = B + k0 * p.B_row + n;
        b_row = p.B_row;
      } else {  // the last columns alone: the micro-kernel reads whole vectors
        pack_sliver<T, S>(local, B + k0 * p.B_row + n, p.B_col, p.B_row, cols, depth);
        b = local;
      }
      e.bias = p.bias ? p.bias + n : nullptr;
      for (index_t m = m0; m < m1; m += R) {
        const index_t rows = min_of(R, m1 - m);
        const T* a =
            l.pack_a ? packed_a + k0 * l.padded_rows + m * depth : A + m * p.A_row + k0 * p.A_col;
        micro_kernel<T>(rows, cols)(depth, a, l.pack_a ? 1 : p.A_row, l.pack_a ? R : p.A_col, b,
                                    b_row, C + m * p.C_row + n, p.C_row, cols, e);
      }
    }
  }
}

template <class T>
Work gemm_plan(const GemmArgs<T>& p) {
  const Layout l = layout_of(p);
  const double flops = 2.0 * p.batch * p.M * p.N * (p.K + 1);
  if (l.dot) {
    const index_t tiles =
        p.batch * ceil_div(p.M, p.N <= 4 ? kDotCols : 2) * ceil_div(p.N, kDotCols);
    return Work{1, {tiles}, 0, 0, flops * 0.06};
  }
  if (l.rows) return Work{1, {p.batch * ceil_div(p.N, kDotCols)}, 0, 0, flops * 0.06};
  const index_t tiles = p.batch * l.row_tiles * l.col_tiles;
  const double cost = flops * (sizeof(T) == 4 ? 0.0125 : 0.025);
  const std::size_t local = l.pack_b ? 0 : kCols<T> * l.depth * sizeof(T);
  if (!l.pack_a && !l.pack_b) return Work{1, {tiles}, 0, local, cost};
  const index_t a_tiles = l.pack_a ? l.stretches * ceil_div(l.padded_rows, l.pack_rows) : 0;
  const index_t b_tiles = l.pack_b ? l.stretches * ceil_div(l.padded_cols, l.pack_cols) : 0;
  const index_t b_size = l.pack_b ? p.batch * l.padded_cols * p.K : 0;
  return Work{2,
              {p.batch * (a_tiles + b_tiles), tiles},
              (packed_a_size(p, l) + b_size) * sizeof(T),
              local,
              cost};
}

template <class T>
void gemm_run(const GemmArgs<T>& p, const Tile& tile) {
  const Layout l = layout_of(p);
  if (l.dot) return run_dots(p, tile);
  if (l.rows) return run_rows(p, tile);
  T* packed_a = static_cast<T*>(tile.shared);
  T* packed_b = packed_a + packed_a_size(p, l);
  if (tile.phase == 0 && (l.pack_a || l.pack_b)) {
    run_pack(p, l, packed_a, packed_b, tile.index);
  } else {
    run_tile(p, l, packed_a, packed_b, static_cast<T*>(tile.local), tile.index);
  }
}

}  // namespace

PYNET_EXPORT(gemm, GemmArgs)

}  // namespace pynet::PYNET_ISA
