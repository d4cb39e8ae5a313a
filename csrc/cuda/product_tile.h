// The blocks of a product and their places in C; and how strips of A and B reach tensor cores.
#pragma once

#include <type_traits>

#include "cuda/device.h"
#include "cuda/elements.h"
#include "cuda/product_matrix.h"

namespace pynet::cuda {

struct ProductShape {
  index_t M, N, K, parts;  // parts: matrices of a batch, groups of a convolution
};

// BK steps of K of the rows of A and the columns of B that a tile meets. The padding lets threads
// that read down a column, or rows that lie one below the other, find different banks.
template <class T, int BM, int BN, int BK, int PAD_A, int PAD_B>
struct OperandStrips {
  T a[BK][BM + PAD_A];
  T b[BK][BN + PAD_B];
};

// Tile sizes: BM x BN of C, BK steps of K at a time, TM x TN for each thread.
template <int BM_, int BN_, int BK_, int TM_, int TN_>
struct ProductTile {
  static constexpr int BM = BM_, BN = BN_, BK = BK_, TM = TM_, TN = TN_;
  static constexpr int kThreads = BM / TM * (BN / TN);
  static constexpr int kOfA = BM * BK / kThreads, kOfB = BN * BK / kThreads;
  static_assert(kThreads % BK == 0 && kThreads % BM == 0 && kThreads % BN == 0, "");

  // Place i of those that thread t brings in of a strip of A: along it where steps of K lie side by
  // side in memory, down a column of the strip where rows of A do.
  static __host__ __device__ constexpr int a_row(int t, int i, bool along) {
    return along ? (t + i * kThreads) / BK : (t + i * kThreads) % BM;
  }
  static __host__ __device__ constexpr int a_step(int t, int i, bool along) {
    return along ? t % BK : (t + i * kThreads) / BM;
  }
  // The same of a strip of B: one column for a thread.
  static __host__ __device__ constexpr int b_column(int t) { return t % BN; }
  static __host__ __device__ constexpr int b_step(int t, int i) {
    return t / BN + i * (kThreads / BN);
  }
};

// What a block computes: the tile at (m0, n0) of a part, over the steps begin .. end-1 of K. Blocks
// count the tiles of all parts; a grid's other axes are too short. In a part they go down the
// columns of a band of kBand rows of tiles, then on to the next band: those that run at the same
// time form a square, whose strips of A and B stay in the L2 cache.
struct BlockPlace {
  static constexpr unsigned kBand = 16;
  index_t part, m0, n0, begin, end;
  __host__ __device__ BlockPlace(const ProductShape& s, int BM, int BN, index_t depth,
                                 index_t block, index_t chunk) {
    const auto row_tiles = static_cast<unsigned>(ceil_div(s.M, BM));
    const auto column_tiles = static_cast<unsigned>(ceil_div(s.N, BN));
    const unsigned tiles = row_tiles * column_tiles, of = static_cast<unsigned>(block) / tiles;
    const unsigned tile = static_cast<unsigned>(block) - of * tiles;
    const unsigned first = tile / (kBand * column_tiles) * kBand;  // row of the band
    const unsigned rows = row_tiles - first < kBand ? row_tiles - first : kBand;
    const unsigned in_band = tile - first * column_tiles, column = in_band / rows;
    part = of;
    m0 = static_cast<index_t>(first + in_band - column * rows) * BM;
    n0 = static_cast<index_t>(column) * BN;
    begin = chunk * depth;
    end = begin + depth < s.K ? begin + depth : s.K;
  }
};

// Steps of K in a chunk, whole strips of BK.
inline index_t depth_of(index_t K, index_t chunks, int BK) {
  return ceil_div(ceil_div(K, chunks), BK) * BK;
}

// Two strips: one is multiplied, the other filled.
template <class Strip>
struct Halves {
  Strip half[2];
};

// Brings strips into shared memory, by way of registers: the next strip is on its way while the
// last one is multiplied. Beyond the edges of A and B there are zeros.
template <class Tile, class T, class A, class B>
struct Feed {
  A a;
  B b;
  int t, b_column;
  bool along, column_there;
  index_t rows_left, end;  // rows of A from the tile's first on; the chunk's last step of K, + 1
  typename A::Line rows[Tile::kOfA];
  typename B::Line column;
  T next_a[Tile::kOfA], next_b[Tile::kOfB];

  PYNET_INLINE Feed(const ProductShape& s, const BlockPlace& place, const A& a_of, const B& b_of)
      : a(a_of.part(place.part)), b(b_of.part(place.part)), t(static_cast<int>(threadIdx.x)) {
    along = a.along_k();
    b_column = Tile::b_column(t);
    rows_left = s.M - place.m0;
    end = place.end;
    PYNET_UNROLL
    for (int i = 0; i < Tile::kOfA; ++i) {
      const int row = Tile::a_row(t, i, along);
      rows[i] = a.line(row < rows_left ? place.m0 + row : 0);
    }
    column_there = place.n0 + b_column < s.N;
    column = b.line(column_there ? place.n0 + b_column : 0);
  }

  PYNET_INLINE void fetch(index_t k0) {
    PYNET_UNROLL
    for (int i = 0; i < Tile::kOfA; ++i) {
      const index_t k = k0 + Tile::a_step(t, i, along);
      next_a[i] =
          Tile::a_row(t, i, along) < rows_left && k < end ? value_at(a.find(rows[i], k)) : T{0};
    }
    PYNET_UNROLL
    for (int i = 0; i < Tile::kOfB; ++i) {
      const index_t k = k0 + Tile::b_step(t, i);
      next_b[i] = column_there && k < end ? value_at(b.find(column, k)) : T{0};
    }
  }

  template <class Strip>
  PYNET_INLINE void store(Strip& strip) const {
    PYNET_UNROLL
    for (int i = 0; i < Tile::kOfA; ++i) {
      strip.a[Tile::a_step(t, i, along)][Tile::a_row(t, i, along)] = next_a[i];
    }
    PYNET_UNROLL
    for (int i = 0; i < Tile::kOfB; ++i) strip.b[Tile::b_step(t, i)][b_column] = next_b[i];
  }
};

// Whether C writes packs: bool packs(), whether W neighbouring sums from n = 0, W, 2W, ... on lie
// in aligned memory, and put_pack(m, n, pack).
template <class C, class = void>
struct HasPacks : std::false_type {};
template <class C>
struct HasPacks<C, std::void_t<decltype(&C::packs)>> : std::true_type {};

// Where the sums of a block go: to C, or, of a chunk of K, to `partial`: (chunks, parts, M, N).
template <class T, class C>
struct Sums {
  static constexpr int kPack = 16 / static_cast<int>(sizeof(T));
  C c;
  T* partial;
  index_t M, N;
  bool packs;
  PYNET_INLINE Sums(const ProductShape& s, index_t part, T* partial_of, const C& c_of)
      : c(c_of.part(part)), partial(partial_of), M(s.M), N(s.N), packs(false) {
    if (partial) {
      partial += (blockIdx.y * s.parts + part) * s.M * s.N;
      packs = N % kPack == 0 && (M * N) % kPack == 0;
    } else if constexpr (HasPacks<C>::value) {
      packs = c.packs();
    }
  }
  PYNET_INLINE void put(index_t m, index_t n, T sum) const {
    if (m >= M || n >= N) return;
    if (partial) {
      partial[m * N + n] = sum;
    } else {
      c.put(m, n, sum);
    }
  }
  // Neighbours in a row, n a multiple of kPack.
  PYNET_INLINE void put_pack(index_t m, index_t n, const Pack<T, kPack>& sum) const {
    if (m >= M) return;
    if (packs && n + kPack <= N) {
      if (partial) return store_pack(partial + m * N + n, sum);
      if constexpr (HasPacks<C>::value) return c.put_pack(m, n, sum);
    }
    PYNET_UNROLL
    for (int e = 0; e < kPack; ++e) put(m, n + e, sum.lane[e]);
  }
};

}  // namespace pynet::cuda
