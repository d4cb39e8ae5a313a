// Matrix product in the manner of BLIS (Van Zee and van de Geijn, 2015): operands packed into
// slivers, and one micro-kernel that knows nothing of transposes.
//
//   phase 0   packs the slivers of A and of B that several tiles use, for the whole product
//   phase 1   each tile computes a block of C: over stretches of K, over slivers of B, of A
//   phase 2   of a small C with a long K: adds up the sums of the chunks of K
//
// Where packing costs more than it saves, the micro-kernel reads A or B where they lie, and a B
// that only one row of tiles meets is packed sliver by sliver as it is needed. The last few columns
// have kernels of their own (gemm_edge.h), and so have products of one or two rows (gemm_row.h) and
// those of a few steps of K that wait for memory (gemm_stream.h). A gradient of weights over a
// large batch is computed as its transpose (gemm_flip.h).
#include "cpu/gemm_ahead.h"
#include "cpu/gemm_chunks.h"
#include "cpu/gemm_edge.h"
#include "cpu/gemm_flip.h"
#include "cpu/gemm_micro.h"
#include "cpu/gemm_row.h"
#include "cpu/gemm_stream.h"
#include "cpu/pack.h"

namespace pynet::PYNET_ISA {
namespace {

enum class Way { Rows, Dots, Outer, Tiles };

// Where the micro-kernel reads an operand: where it lies, packed for the whole product in phase 0,
// or packed by the tile, one sliver at a time.
enum class Read { InPlace, Packed, Sliver };

// A stretch of K: a sliver of B fills the L1 cache, the rows of a tile half of the L2. Where a tile
// packs B as it goes, the lines of the next sliver pass through L1 as well.
constexpr index_t kStretch = 384, kPackedStretch = kCols<float> <= 16 ? 512 : kStretch;
constexpr index_t kFlippedStretch = 256;
constexpr index_t kTileRows = 132, kTileCols = 512;  // of a tile of C, at most
constexpr index_t kShortest = 180;                   // of a chunk of K
constexpr index_t kFewSteps = 32;                    // of K, over which B need not be packed

// Everything about a product that follows from its shape and strides.
struct Layout {
  Way way;
  bool flipped;  // this is the layout of the transpose
  Read a, b;
  index_t depth, stretches;          // K is cut into `stretches` of `depth`
  index_t edge;                      // columns at the end that are no sliver
  index_t row_slivers, col_slivers;  // rows are shared out evenly over the slivers:
  index_t rows_each, rows_left;      // so many each, and one more in the first rows_left of them
  index_t chunks;                    // of K, each with a sum of its own; 1: the sum is C
  index_t row_tiles, col_tiles;      // and slivers over the tiles
  index_t padded_rows, padded_cols;  // of the packed operands
  bool streams;                      // B and C come from memory
  index_t at_once;                   // slivers of B that a tile packs together, as it streams
  index_t tile_cols;                 // columns of a tile, at most
  index_t pack_rows, pack_cols;      // slivers in a tile of phase 0
};

// A share of n things: the first of part i of `parts`. A small product would feel the division.
PYNET_INLINE index_t share(index_t n, index_t i, index_t parts) {
  return parts == 1 ? n * i : n * i / parts;
}

// The first row of a sliver of A: without a division, as every micro-kernel asks for it.
PYNET_INLINE index_t first_row(const Layout& l, index_t sliver) {
  return sliver * l.rows_each + min_of(sliver, l.rows_left);
}

// Nanoseconds on one core: what small products wait for is padding, stores and packing.
template <class T>
double cost_of(const GemmArgs<T>& p, const Layout& l) {
  const double cols = static_cast<double>(l.col_slivers * kCols<T> + l.edge);
  const double products = p.M * cols * p.K, stored = static_cast<double>(p.M) * p.N;
  const double packed = (l.a == Read::Packed ? static_cast<double>(p.M) * p.K : 0) +
                        (l.b != Read::InPlace ? static_cast<double>(p.N) * p.K : 0);
  return p.batch * static_cast<double>(sizeof(T)) *
         (0.00625 * products + 0.04 * stored + 0.035 * packed);
}

// Tiles of rows use the same slivers of B, so each should have many rows; tiles of columns share
// only what they read where it lies, and each should be worth a thread. Counts of four go evenly
// over the usual numbers of threads.
template <class T>
void choose_tiles(const GemmArgs<T>& p, Layout& l) {
  constexpr index_t R = kRows, S = kCols<T>;
  const double work = static_cast<double>(p.batch) * p.M * p.N * p.K;
  l.chunks = l.col_tiles = 1;
  l.row_tiles = ceil_div(l.row_slivers * R, kTileRows);
  if (l.row_tiles > 1 && l.row_tiles < 8) l.row_tiles = round_up(l.row_tiles, 4);
  l.b = l.col_slivers == 0             ? Read::InPlace  // the edge is all there is
        : p.B_col == 1 && p.M <= 2 * R ? Read::InPlace
        : l.row_tiles == 1             ? Read::Sliver
                                       : Read::Packed;
  const bool small = l.row_tiles == 1 && l.col_slivers < 8;
  if (small && p.batch < 4 && work >= 1e6 && p.K >= 4 * kShortest) {
    l.chunks = p.K < 8 * kShortest ? 4 : 8;  // a gradient of weights, or many inputs: cut along K
    return;
  }
  l.col_tiles = max_of<index_t>(1, ceil_div(l.col_slivers * S, kTileCols));
  const double wanted = min_of(16.0, l.row_tiles == 1 ? cost_of(p, l) / 5000 : work / 4e6);
  while (p.batch * l.row_tiles * l.col_tiles < wanted && 2 * l.col_tiles <= l.col_slivers) {
    l.col_tiles *= 2;
  }
}

template <class T>
Layout layout_of(const GemmArgs<T>& p, bool flipped) {
  constexpr index_t R = kRows, S = kCols<T>;
  Layout l{};
  l.flipped = flipped;
  l.way = p.M <= 2 && p.B_col == 1                   ? Way::Rows
          : p.M <= 2 && p.A_col == 1 && p.B_row == 1 ? Way::Dots
          : p.K == 1 && p.B_col == 1                 ? Way::Outer
                                                     : Way::Tiles;
  if (l.way != Way::Tiles) return l;
  // A is read where it lies while each element is used by few slivers of B. Across the rows each
  // step of K is another line of the cache, and steps of whole pages would all be the same line.
  const bool few = p.N <= 16 * S;
  const bool across =
      p.A_row == 1 && (p.K <= 128 || p.N <= 4 * S) && p.A_col * sizeof(T) % 1024 != 0;
  const bool in_place = p.M <= R || (few && (p.A_col == 1 || across));
  l.a = in_place && !flipped ? Read::InPlace : Read::Packed;
  l.row_slivers = ceil_div(p.M, R);
  l.rows_each = p.M / max_of<index_t>(1, l.row_slivers);
  l.rows_left = p.M - l.rows_each * l.row_slivers;
  const bool edge = l.a == Read::InPlace && ((p.A_col == 1 && p.K >= 64) || p.A_row == 1);
  l.edge = edge && p.N % S <= kEdgeCols<T> ? p.N % S : 0;
  l.col_slivers = ceil_div(p.N - l.edge, S);
  choose_tiles(p, l);
  const index_t longest = l.a == Read::InPlace && p.A_col != 1 ? 128
                          : flipped                            ? kFlippedStretch
                          : l.b == Read::Packed                ? kPackedStretch
                                                               : kStretch;
  l.stretches = 1, l.depth = max_of<index_t>(1, round_up(p.K, 8));
  if (l.chunks > 1 || p.K > longest) {  // a small product would feel the divisions
    l.stretches = l.chunks * max_of<index_t>(1, ceil_div(p.K, l.chunks * longest));
    l.depth = max_of<index_t>(1, round_up(ceil_div(p.K, l.stretches), 8));
    l.stretches = max_of<index_t>(1, ceil_div(p.K, l.depth));
  }
  l.padded_rows = l.row_slivers * R;
  l.padded_cols = l.col_slivers * S;
  // A short K with many columns waits for memory: long pieces of the rows of B, C fetched ahead.
  l.streams = l.b != Read::InPlace && !flipped && l.depth < 64 && p.M * p.N > 8192;
  l.at_once = 1;
  if (l.streams && l.b == Read::Sliver) {
    // A few rows of B stay in the L1 cache where they lie, unless all of them are the same line.
    const bool stay = p.B_col == 1 && p.K <= kFewSteps && p.B_row * sizeof(T) % 1024 != 0;
    if (stay) l.b = Read::InPlace;
    if (!stay) l.at_once = group_of<T>(p.K, true);
  }
  if (flipped) l.tile_cols = ceil_div(l.col_slivers, l.col_tiles) * S;
  if (l.a == Read::Packed) l.pack_rows = max_of<index_t>(1, 65536 / (R * l.depth));
  if (l.b == Read::Packed) l.pack_cols = max_of<index_t>(1, 65536 / (S * l.depth));
  return l;
}

// Elements of scratch that all tiles see.
struct Scratch {
  index_t a, b, partial;
};
template <class T>
Scratch scratch_of(const GemmArgs<T>& p, const Layout& l) {
  return {l.a == Read::Packed ? round_up(p.batch * l.padded_rows * p.K, 16) : 0,
          l.b == Read::Packed ? round_up(p.batch * l.padded_cols * p.K, 16) : 0,
          l.chunks > 1 ? l.chunks * p.batch * p.M * p.N : 0};
}

// --- packing -------------------------------------------------------------------------------------

// A block of the slivers of one stretch of K: rows of A, or columns of B, first(i) .. first(i+1)-1
// of them in sliver i, each padded to WIDTH.
template <class T, index_t WIDTH, class First>
void pack_block(T* packed, index_t slivers, const First& first, index_t K, const T* src,
                index_t row, index_t col, const Layout& l, index_t block, index_t per_block) {
  const index_t blocks = ceil_div(slivers, per_block);
  const index_t k0 = block / blocks * l.depth;
  const index_t depth = min_of(l.depth, K - k0);
  const index_t begin = block % blocks * per_block, end = min_of(slivers, begin + per_block);
  // Where steps of K are far apart, a few steps of all slivers at a time: longer pieces of a row.
  const index_t steps = row == 1 ? 16 : depth;
  for (index_t k = 0; k < depth; k += steps) {
    for (index_t i = begin; i < end; ++i) {
      const index_t now = min_of(steps, depth - k);
      if (row == 1) {
        fetch(src + first(i) + (k0 + k + steps) * col, col, min_of(steps, depth - k - now), WIDTH);
      } else if (col == 1 && i + 1 < end) {
        fetch(src + first(i + 1) * row + k0, row, first(i + 2) - first(i + 1), depth);
      }
      pack_sliver<T, WIDTH>(packed + (k0 * slivers + i * depth + k) * WIDTH,
                            src + first(i) * row + (k0 + k) * col, row, col,
                            first(i + 1) - first(i), now);
    }
  }
}

index_t a_blocks(const Layout& l) {
  return l.a == Read::Packed ? l.stretches * ceil_div(l.row_slivers, l.pack_rows) : 0;
}
index_t b_blocks(const Layout& l) {
  return l.b == Read::Packed ? l.stretches * ceil_div(l.col_slivers, l.pack_cols) : 0;
}

template <class T>
void run_pack(const GemmArgs<T>& p, const Layout& l, T* packed_a, T* packed_b, index_t index) {
  const index_t of_a = a_blocks(l), of_b = b_blocks(l);
  if (index < p.batch * of_a) {
    const index_t i = index / of_a;
    const auto first = [&](index_t sliver) { return first_row(l, sliver); };
    pack_block<T, kRows>(packed_a + i * l.padded_rows * p.K, l.row_slivers, first, p.K,
                         p.A + i * p.A_batch, p.A_row, p.A_col, l, index % of_a, l.pack_rows);
  } else {
    index -= p.batch * of_a;
    const index_t i = index / of_b;
    const auto first = [&](index_t sliver) { return min_of(p.N, sliver * kCols<T>); };
    pack_block<T, kCols<T>>(packed_b + i * l.padded_cols * p.K, l.col_slivers, first, p.K,
                            p.B + i * p.B_batch, p.B_col, p.B_row, l, index % of_b, l.pack_cols);
  }
}

// --- tiles of C ----------------------------------------------------------------------------------

// The edge, one stretch of K of the rows of a tile.
template <class T>
void add_edge(const GemmArgs<T>& p, const Layout& l, const T* A, const T* B, T* C, index_t m0,
              index_t m1, index_t k0, index_t depth, Epilogue<T> e, T* local) {
  const index_t n = p.N - l.edge;
  e.bias = p.bias ? p.bias + n : nullptr;
  Edge<T> edge{m1 - m0, depth,   A + m0 * p.A_row + k0 * p.A_col,
               p.A_row, p.A_col, B + k0 * p.B_row + n * p.B_col,
               p.B_row, p.B_col, C + m0 * p.C_row + n,
               p.C_row};
  if (p.A_col == 1 && p.B_row != 1) {  // along K: columns one after the other
    for (index_t j = 0; j < l.edge; ++j) {
      for (index_t k = 0; k < depth; ++k) local[j * depth + k] = edge.b[k * p.B_row + j * p.B_col];
    }
    edge.b = local, edge.b_row = 1, edge.b_col = depth;
  }
  run_edge<T>(l.edge, edge, e);
}

template <class T>
void run_tile(const GemmArgs<T>& args, const Layout& l, const T* packed_a, const T* packed_b,
              T* partial, T* local, index_t index) {
  constexpr index_t R = kRows, S = kCols<T>;
  const index_t chunk = index % l.chunks;
  index /= l.chunks;
  GemmArgs<T> p = args;
  if (l.chunks > 1) {  // the sum alone; what else belongs to C follows in add_chunks
    p.C = partial + chunk * p.batch * p.M * p.N;
    p.C_row = p.N, p.C_batch = p.M * p.N;
    p.bias = nullptr, p.relu = false, p.alpha = 1, p.beta = 0;
  }
  T* block = local + l.at_once * S * l.depth;
  const GemmArgs<T> outer = p;  // the product as the caller sees it
  if (l.flipped) {
    p = flipped(p);
    p.C = block, p.C_row = l.tile_cols;
  }
  const index_t i = index / (l.row_tiles * l.col_tiles);
  const index_t row = index / l.col_tiles % l.row_tiles, col = index % l.col_tiles;
  const index_t r0 = share(l.row_slivers, row, l.row_tiles);
  const index_t r1 = share(l.row_slivers, row + 1, l.row_tiles);
  const index_t s0 = share(l.col_slivers, col, l.col_tiles);
  const index_t s1 = share(l.col_slivers, col + 1, l.col_tiles);
  const T* A = p.A + i * p.A_batch;
  const T* B = p.B + i * p.B_batch;
  T* C = p.C + i * p.C_batch;
  const index_t c0 = l.flipped ? s0 * S : 0;  // the column at C
  packed_a += i * l.padded_rows * p.K;
  packed_b += i * l.padded_cols * p.K;
  const index_t begin = share(l.stretches, chunk, l.chunks);
  const index_t end = share(l.stretches, chunk + 1, l.chunks);
  Ahead<T> packs;
  for (index_t s = begin; s < end; ++s) {
    const index_t k0 = s * l.depth;
    const index_t depth = min_of(l.depth, p.K - k0);
    Epilogue<T> e{p.alpha, p.beta, nullptr, s == begin, s == end - 1, p.relu};
    index_t first = s0;
    if (l.streams) {  // all but columns at the end that are no sliver
      first = max_of(s0, min_of(s1, p.N / S));
      stream_slivers<T>(
          p, l.a == Read::Packed ? packed_a : nullptr, l.b == Read::Packed ? packed_b : nullptr, A,
          B, C, r0, r1, s0, first, e, [&](index_t r) { return first_row(l, r); },
          l.b == Read::Sliver ? local : nullptr);
    }
    for (index_t sliver = first; sliver < s1; ++sliver) {
      const index_t n = sliver * S, cols = min_of(S, p.N - n);
      const T* b = packed_b + k0 * l.padded_cols + n * depth;
      index_t b_row = S;
      if (l.b == Read::InPlace && cols == S) {
        b = B + k0 * p.B_row + n;
        b_row = p.B_row;
      } else if (l.b != Read::Packed) {  // the micro-kernel reads whole vectors
        pack_sliver<T, S>(local, B + k0 * p.B_row + n * p.B_col, p.B_col, p.B_row, cols, depth);
        packs.rows = 0;
        if (p.B_col == 1 && depth >= 64 && (sliver + 1 < s1 || s + 1 < end)) {
          const index_t from = sliver + 1 < s1 ? sliver + 1 : s0;
          const index_t k = sliver + 1 < s1 ? k0 : k0 + depth;
          packs.from = B + k * p.B_row + from * S;
          packs.row = p.B_row;
          packs.rows = min_of(l.depth, p.K - k);
          packs.cols = min_of(p.N, (from + 1) * S) - from * S;
          packs.piece = ceil_div(packs.rows, r1 - r0);
        }
        b = local;
      }
      e.bias = p.bias ? p.bias + n : nullptr;
      // The next sliver of B on its way into the L2 cache, a piece at a time.
      const T* ahead = l.b == Read::Packed ? b + S * depth : nullptr;
      const index_t piece = ahead ? round_up(ceil_div(S * depth, r1 - r0), kLine<T>) : 0;
      index_t m = first_row(l, r0);
      for (index_t r = r0; r < r1; ++r) {
        if (ahead) {
          for (index_t j = 0; j < piece; j += kLine<T>) __builtin_prefetch(ahead + j, 0, 2);
          ahead += piece;
        }
        packs.fetch();
        const index_t next = first_row(l, r + 1);
        const bool packed = l.a == Read::Packed;
        const T* a =
            packed ? packed_a + k0 * l.padded_rows + r * R * depth : A + m * p.A_row + k0 * p.A_col;
        micro_kernel<T>(next - m, cols)(depth, a, packed ? 1 : p.A_row, packed ? R : p.A_col, b,
                                        b_row, C + m * p.C_row + n - c0, p.C_row, cols, e);
        m = next;
      }
    }
    if (l.edge && col == l.col_tiles - 1) {
      add_edge(p, l, A, B, C, first_row(l, r0), first_row(l, r1), k0, depth, e, local);
    }
  }
  if (l.flipped) {
    store_flipped<T>(outer, outer.C + i * outer.C_batch, c0, min_of(p.N, s1 * S), block, p.C_row,
                     block + p.M * p.C_row);
  }
}

template <class T>
Work gemm_plan(const GemmArgs<T>& p) {
  const bool flip = flips(p, kTileRows);
  const GemmArgs<T> product = flip ? flipped(p) : p;
  const Layout l = layout_of(product, flip);
  if (l.way == Way::Rows) return plan_rows_of(p);
  if (l.way == Way::Dots) return plan_dots(p);
  if (l.way == Way::Outer) return plan_outer(p);
  Work work{};
  work.cost = cost_of(product, l);
  const index_t packs = p.batch * (a_blocks(l) + b_blocks(l));
  if (packs > 0) work.tiles[work.phases++] = packs;
  work.tiles[work.phases++] = p.batch * l.row_tiles * l.col_tiles * l.chunks;
  if (l.chunks > 1) work.tiles[work.phases++] = p.batch * ceil_div(p.M, kSumRows);
  const Scratch size = scratch_of(product, l);
  work.shared = static_cast<std::size_t>(size.a + size.b + size.partial) * sizeof(T);
  const bool sliver = l.b != Read::Packed || l.edge > 0;
  index_t local = sliver ? l.at_once * kCols<T> * l.depth : 0;
  if (flip) local += p.N * (l.tile_cols + kCols<T>);
  work.local = static_cast<std::size_t>(local) * sizeof(T);
  return work;
}

template <class T>
void gemm_run(const GemmArgs<T>& p, const Tile& tile) {
  const bool flip = flips(p, kTileRows);
  const GemmArgs<T> product = flip ? flipped(p) : p;
  const Layout l = layout_of(product, flip);
  if (l.way == Way::Rows) return run_rows(p, tile);
  if (l.way == Way::Dots) return run_dots(p, tile);
  if (l.way == Way::Outer) return run_outer(p, tile);
  const Scratch size = scratch_of(product, l);
  T* packed_a = static_cast<T*>(tile.shared);
  T* packed_b = packed_a + size.a;
  T* partial = packed_b + size.b;
  const int phase = l.a == Read::Packed || l.b == Read::Packed ? 1 : 0;  // of the tiles
  if (tile.phase < phase) {
    run_pack(product, l, packed_a, packed_b, tile.index);
  } else if (tile.phase == phase) {
    run_tile(p, l, packed_a, packed_b, partial, static_cast<T*>(tile.local), tile.index);
  } else {
    add_chunks(p, partial, l.chunks, tile.index);
  }
}

}  // namespace

PYNET_EXPORT(gemm, GemmArgs)

}  // namespace pynet::PYNET_ISA
