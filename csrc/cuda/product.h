// The product behind gemm and the convolutions: C(m, n) = the sum over k of A(m, k) B(k, n).
//
// A block computes a tile of C. Step by step along K it brings a strip of A and one of B into
// shared memory, while the numbers of the next step are already on their way into registers; each
// thread multiplies a few rows by a few columns, so that a number from shared memory serves several
// products. What A, B and C are is up to three small structs: a matrix, the windows of an image.
//
//   A: Row row(m), T at(row, k);  B: Column column(n), T at(column, k);  C: void put(m, n, sum)
//
// Each is asked for its share of a batch or of a group by part(i). Tiles and the chunks of a long K
// follow from the shape alone, so the bits of a result do not depend on the GPU.
#pragma once

#include "cuda/device.h"
#include "cuda/lane.h"

namespace pynet::cuda {

struct ProductShape {
  index_t M, N, K, parts;  // parts: matrices of a batch, groups of a convolution
};

template <class T, int BM, int BN, int BK>
struct Strips {
  T a[2][BK][BM + 1];  // one more than the rows, so that columns lie in different banks
  T b[2][BK][BN];
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
  // What it computes of the tile: neighbouring threads have neighbouring columns.
  static __host__ __device__ constexpr int row(int t, int i) {
    return t / (BN / TN) + i * (BM / TM);
  }
  static __host__ __device__ constexpr int column(int t, int j) {
    return t % (BN / TN) + j * (BN / TN);
  }
};

using SmallTile = ProductTile<32, 32, 16, 2, 2>;
using MediumTile = ProductTile<64, 64, 16, 4, 4>;
using LargeTile = ProductTile<128, 128, 8, 8, 8>;

// What a block computes: the tile at (m0, n0) of a part, over the steps begin .. end-1 of K. Blocks
// count the tiles of all parts, down the columns of each; a grid's other axes are too short.
struct BlockPlace {
  index_t part, m0, n0, begin, end;
  __host__ __device__ BlockPlace(const ProductShape& s, int BM, int BN, index_t depth,
                                 index_t block, index_t chunk) {
    const index_t row_tiles = ceil_div(s.M, BM), tiles = row_tiles * ceil_div(s.N, BN);
    part = block / tiles;
    const index_t tile = block - part * tiles, column = tile / row_tiles;
    m0 = (tile - column * row_tiles) * BM;
    n0 = column * BN;
    begin = chunk * depth;
    end = begin + depth < s.K ? begin + depth : s.K;
  }
};

// depth: steps of K in a chunk, blockIdx.y says which one; partial: where the sums of chunks go,
// (chunks, parts, M, N), or null where there is one chunk.
template <class Tile, class T, class A, class B, class C>
__global__ void __launch_bounds__(Tile::kThreads)
    product_kernel(ProductShape s, index_t depth, T* partial, A a_of, B b_of, C c_of) {
  constexpr int BM = Tile::BM, BN = Tile::BN, BK = Tile::BK, TM = Tile::TM, TN = Tile::TN;
  constexpr int kOfA = Tile::kOfA, kOfB = Tile::kOfB;
  using Shared = Strips<T, BM, BN, BK>;
  PYNET_SHARED(Shared, shared);

  const BlockPlace place(s, BM, BN, depth, blockIdx.x, blockIdx.y);
  const index_t m0 = place.m0, n0 = place.n0, end = place.end;
  const A a = a_of.part(place.part);
  const B b = b_of.part(place.part);
  const int t = static_cast<int>(threadIdx.x);

  const bool along = a.along_k();
  const auto a_row = [&](int i) { return Tile::a_row(t, i, along); };
  const auto a_step = [&](int i) { return Tile::a_step(t, i, along); };
  const int b_column = Tile::b_column(t);
  typename A::Row rows[kOfA];
  PYNET_UNROLL
  for (int i = 0; i < kOfA; ++i) rows[i] = a.row(m0 + a_row(i) < s.M ? m0 + a_row(i) : 0);
  const typename B::Column column = b.column(n0 + b_column < s.N ? n0 + b_column : 0);

  T next_a[kOfA], next_b[kOfB];
  const auto fetch = [&](index_t k0) {
    PYNET_UNROLL
    for (int i = 0; i < kOfA; ++i) {
      const index_t k = k0 + a_step(i);
      next_a[i] = m0 + a_row(i) < s.M && k < end ? a.at(rows[i], k) : T{0};
    }
    PYNET_UNROLL
    for (int i = 0; i < kOfB; ++i) {
      const index_t k = k0 + Tile::b_step(t, i);
      next_b[i] = n0 + b_column < s.N && k < end ? b.at(column, k) : T{0};
    }
  };
  const auto store = [&](int half) {
    PYNET_UNROLL
    for (int i = 0; i < kOfA; ++i) shared.a[half][a_step(i)][a_row(i)] = next_a[i];
    PYNET_UNROLL
    for (int i = 0; i < kOfB; ++i) shared.b[half][Tile::b_step(t, i)][b_column] = next_b[i];
  };

  T sum[TM][TN] = {};
  int half = 0;
  fetch(place.begin);
  store(half);
  __syncthreads();
  for (index_t k0 = place.begin; k0 < end; k0 += BK) {
    const bool more = k0 + BK < end;
    if (more) fetch(k0 + BK);
    PYNET_UNROLL
    for (int k = 0; k < BK; ++k) {
      T left[TM], right[TN];
      PYNET_UNROLL
      for (int i = 0; i < TM; ++i) left[i] = shared.a[half][k][Tile::row(t, i)];
      PYNET_UNROLL
      for (int j = 0; j < TN; ++j) right[j] = shared.b[half][k][Tile::column(t, j)];
      PYNET_UNROLL
      for (int i = 0; i < TM; ++i) {
        PYNET_UNROLL
        for (int j = 0; j < TN; ++j) sum[i][j] = fma(left[i], right[j], sum[i][j]);
      }
    }
    half ^= 1;
    if (more) store(half);  // nobody reads that half: the barrier below was passed since
    __syncthreads();
  }
  const C c = c_of.part(place.part);
  if (partial) partial += (blockIdx.y * s.parts + place.part) * s.M * s.N;
  PYNET_UNROLL
  for (int j = 0; j < TN; ++j) {
    const index_t n = n0 + Tile::column(t, j);
    PYNET_UNROLL
    for (int i = 0; i < TM; ++i) {
      const index_t m = m0 + Tile::row(t, i);
      if (m >= s.M || n >= s.N) continue;
      if (partial) {
        partial[m * s.N + n] = sum[i][j];
      } else {
        c.put(m, n, sum[i][j]);
      }
    }
  }
}

// The chunks that a long K is cut into, so that a small C gives work to a whole GPU.
inline index_t chunks_of(const ProductShape& s) {
  const index_t tiles = s.parts * ceil_div(s.M, 64) * ceil_div(s.N, 64);
  const index_t wanted = 256 / (tiles < 1 ? 1 : tiles), longest = s.K / 256;
  const index_t chunks = wanted < longest ? wanted : longest;
  return chunks < 1 ? 1 : chunks;
}

// Steps of K in a chunk, whole strips of BK.
inline index_t depth_of(index_t K, index_t chunks, int BK) {
  return ceil_div(ceil_div(K, chunks), BK) * BK;
}

template <class T, class A, class B, class C>
void launch_product(const char* op, const ProductShape& s, index_t chunks, T* partial, const A& a,
                    const B& b, const C& c) {
  const auto with = [&](auto tile) {
    using Tile = decltype(tile);
    const index_t blocks = s.parts * ceil_div(s.M, Tile::BM) * ceil_div(s.N, Tile::BN);
    const index_t depth = depth_of(s.K, chunks, Tile::BK);
    launch(op, product_kernel<Tile, T, A, B, C>,
           dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks)), Tile::kThreads, s,
           depth, partial, a, b, c);
  };
  if constexpr (sizeof(T) == 4) {  // 64 sums in double would take every register
    const index_t large = ceil_div(s.M, 128) * ceil_div(s.N, 128) * s.parts * chunks;
    if (large >= 128) return with(LargeTile{});
  }
  if (s.M > 32 && s.N > 32) return with(MediumTile{});
  with(SmallTile{});
}

// --- the chunks of a long K ----------------------------------------------------------------------

template <class T, class C>
__global__ void add_chunks_kernel(ProductShape s, index_t chunks, const T* partial, C c_of) {
  const index_t size = s.M * s.N, all = s.parts * size;
  const index_t threads = static_cast<index_t>(gridDim.x) * blockDim.x;
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < all;
       i += threads) {
    T sum = partial[i];
    for (index_t chunk = 1; chunk < chunks; ++chunk) sum += partial[chunk * all + i];
    const index_t part = i / size, m = (i - part * size) / s.N;
    c_of.part(part).put(m, i - part * size - m * s.N, sum);
  }
}

template <class T>
std::size_t product_scratch(const ProductShape& s) {
  const index_t chunks = chunks_of(s);
  return chunks == 1 ? 0 : static_cast<std::size_t>(chunks * s.parts * s.M * s.N) * sizeof(T);
}

// The whole product, with product_scratch() bytes of scratch memory.
template <class T, class A, class B, class C>
void run_product(const char* op, const ProductShape& s, const A& a, const B& b, const C& c,
                 void* scratch) {
  const index_t chunks = chunks_of(s);
  T* partial = chunks == 1 ? nullptr : static_cast<T*>(scratch);
  launch_product<T>(op, s, chunks, partial, a, b, c);
  if (!partial) return;
  const index_t blocks = ceil_div(s.parts * s.M * s.N, 256);
  launch(op, add_chunks_kernel<T, C>, static_cast<unsigned>(blocks < 1024 ? blocks : 1024), 256, s,
         chunks, static_cast<const T*>(partial), c);
}

}  // namespace pynet::cuda
