// The product behind gemm and the convolutions: C(m, n) = the sum over k of A(m, k) B(k, n).
//
// A block computes a tile of C. Step by step along K it brings a strip of A and one of B into
// shared memory, while the numbers of the next step are already on their way into registers; each
// thread multiplies a few rows by a few columns, so that a number from shared memory serves several
// products. What A and B are is up to two small structs, lines along K as in product_matrix.h:
// those of a matrix, or the windows of an image. A third one says what becomes of a sum, put(m, n,
// sum).
//
// Tiles and the chunks of a long K follow from the shape alone, so the bits of a result do not
// depend on the GPU.
#pragma once

#include "cuda/lane.h"
#include "cuda/product_mma.h"
#include "cuda/product_tile.h"

namespace pynet::cuda {

// depth: steps of K in a chunk, blockIdx.y says which one; partial: where the sums of chunks go,
// (chunks, parts, M, N), or null where there is one chunk.
template <class Tile, class T, class A, class B, class C>
__global__ void __launch_bounds__(Tile::kThreads)
    product_kernel(ProductShape s, index_t depth, T* partial, A a_of, B b_of, C c_of) {
  constexpr int BM = Tile::BM, BN = Tile::BN, BK = Tile::BK, TM = Tile::TM, TN = Tile::TN;
  using Shared = Halves<Strips<T, BM, BN, BK, 1, 0>>;
  PYNET_SHARED(Shared, shared);

  const BlockPlace place(s, BM, BN, depth, blockIdx.x, blockIdx.y);
  Feed<Tile, T, A, B> feed(s, place, a_of, b_of);
  const int t = static_cast<int>(threadIdx.x);
  T sum[TM][TN] = {};
  int half = 0;
  feed.fetch(place.begin);
  feed.store(shared.half[half]);
  __syncthreads();
  for (index_t k0 = place.begin; k0 < place.end; k0 += BK) {
    const bool more = k0 + BK < place.end;
    if (more) feed.fetch(k0 + BK);
    const auto& strip = shared.half[half];
    PYNET_UNROLL
    for (int k = 0; k < BK; ++k) {
      T left[TM], right[TN];
      PYNET_UNROLL
      for (int i = 0; i < TM; ++i) left[i] = strip.a[k][Tile::row(t, i)];
      PYNET_UNROLL
      for (int j = 0; j < TN; ++j) right[j] = strip.b[k][Tile::column(t, j)];
      PYNET_UNROLL
      for (int i = 0; i < TM; ++i) {
        PYNET_UNROLL
        for (int j = 0; j < TN; ++j) sum[i][j] = fma(left[i], right[j], sum[i][j]);
      }
    }
    half ^= 1;
    if (more) feed.store(shared.half[half]);  // read last before the barrier that was passed since
    __syncthreads();
  }
  const Sums<T, C> sums(s, place.part, partial, c_of);
  PYNET_UNROLL
  for (int j = 0; j < TN; ++j) {
    PYNET_UNROLL
    for (int i = 0; i < TM; ++i) {
      sums.put(place.m0 + Tile::row(t, i), place.n0 + Tile::column(t, j), sum[i][j]);
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

template <class T, class A, class B, class C>
void launch_product(const char* op, const ProductShape& s, index_t chunks, T* partial, const A& a,
                    const B& b, const C& c) {
  if constexpr (sizeof(T) == 4) {
    if (precision() != Precision::Float32) {
      return launch_mma_product(op, s, chunks, partial, a, b, c);
    }
  }
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
