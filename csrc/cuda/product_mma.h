// The product of product.h on tensor cores, which read float32 with fewer digits (mma.h).
//
//   Tf32     10 bits behind the point
//   Bf16     7 bits
//   Tf32x3   x = big + small, both TF32: big small' + small big' + big big', nearly as exact as
//            float32 (Markidis and others, 2018; Ootomo and Yokota, 2022)
//
// Sums are float32 in all of them. Tensor cores cut them off where a float ends, which adds up over
// a long K; Tf32x3 therefore begins at zero with each strip, and the threads add its sums to those
// before. A warp computes WM x WN of the block's tile, as tiles of 16 x 8.
#pragma once

#include "cuda/mma.h"
#include "cuda/product_tile.h"
#include "cuda/runtime/precision.h"

namespace pynet::cuda {

template <class Tile_, int WM_, int WN_>
struct MmaTile : Tile_ {
  using Tile = Tile_;
  static constexpr int WM = WM_, WN = WN_;
  static constexpr int kRows = WM / 16, kColumns = WN / 8;  // tiles of a warp
  static constexpr bool kTwice = kRows * kColumns <= 8;  // there are registers for their sums twice
  static_assert(Tile::BM / WM * (Tile::BN / WN) * 32 == Tile::kThreads, "");
};
using SmallMmaTile = MmaTile<ProductTile<64, 64, 16, 4, 8>, 32, 32>;
using LargeMmaTile = MmaTile<ProductTile<128, 128, 16, 8, 8>, 64, 32>;

// What a warp has of A, B and C.
template <class T>
struct WarpTile {
  static constexpr int kRows = T::kRows, kColumns = T::kColumns;
  std::uint32_t a[kRows][4], b[kColumns][2];
  float c[kRows][kColumns][4] = {};

  PYNET_INLINE void add(const WarpTile& strip) {
    PYNET_UNROLL
    for (int i = 0; i < kRows; ++i) {
      PYNET_UNROLL
      for (int j = 0; j < kColumns; ++j) {
        PYNET_UNROLL
        for (int e = 0; e < 4; ++e) c[i][j][e] += strip.c[i][j][e];
      }
    }
  }
};

// Adds 8 steps of K, from `k` of the strip on. SMALL says which operands stand for what TF32 left
// of them: 1 A, 2 B.
template <int SMALL, class Warp, class Strip>
PYNET_INLINE void add_tf32(Warp& w, const Strip& strip, int k, int m, int n, int g, int q) {
  PYNET_UNROLL
  for (int i = 0; i < Warp::kRows; ++i) {
    PYNET_UNROLL
    for (int e = 0; e < 4; ++e) {
      w.a[i][e] = tf32_part(strip.a[k + q + e / 2 * 4][m + i * 16 + g + e % 2 * 8], SMALL & 1);
    }
  }
  PYNET_UNROLL
  for (int j = 0; j < Warp::kColumns; ++j) {
    PYNET_UNROLL
    for (int e = 0; e < 2; ++e) {
      w.b[j][e] = tf32_part(strip.b[k + q + e * 4][n + j * 8 + g], SMALL & 2);
    }
  }
  PYNET_UNROLL
  for (int i = 0; i < Warp::kRows; ++i) {
    PYNET_UNROLL
    for (int j = 0; j < Warp::kColumns; ++j) mma_tf32(w.c[i][j], w.a[i], w.b[j]);
  }
}

// Adds 16 steps of K.
template <class Warp, class Strip>
PYNET_INLINE void add_bf16(Warp& w, const Strip& strip, int k, int m, int n, int g, int q) {
  PYNET_UNROLL
  for (int i = 0; i < Warp::kRows; ++i) {
    PYNET_UNROLL
    for (int e = 0; e < 4; ++e) {
      const int step = k + 2 * q + e / 2 * 8, row = m + i * 16 + g + e % 2 * 8;
      w.a[i][e] = to_bf16_pair(strip.a[step][row], strip.a[step + 1][row]);
    }
  }
  PYNET_UNROLL
  for (int j = 0; j < Warp::kColumns; ++j) {
    PYNET_UNROLL
    for (int e = 0; e < 2; ++e) {
      const int step = k + 2 * q + e * 8, column = n + j * 8 + g;
      w.b[j][e] = to_bf16_pair(strip.b[step][column], strip.b[step + 1][column]);
    }
  }
  PYNET_UNROLL
  for (int i = 0; i < Warp::kRows; ++i) {
    PYNET_UNROLL
    for (int j = 0; j < Warp::kColumns; ++j) mma_bf16(w.c[i][j], w.a[i], w.b[j]);
  }
}

template <class Tile, class A, class B, class C>
__global__ void __launch_bounds__(Tile::kThreads)
    mma_product_kernel(ProductShape s, index_t depth, float* partial, Precision digits, A a_of,
                       B b_of, C c_of) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  constexpr int BK = Tile::BK;
  using Shared = Halves<OperandStrips<float, Tile::BM, Tile::BN, BK, 8, 8>>;
  PYNET_SHARED(Shared, shared);

  const BlockPlace place(s, Tile::BM, Tile::BN, depth, blockIdx.x, blockIdx.y);
  Feed<typename Tile::Tile, float, A, B> feed(s, place, a_of, b_of);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int g = lane / 4, q = lane % 4;
  const int m = warp / (Tile::BN / Tile::WN) * Tile::WM;
  const int n = warp % (Tile::BN / Tile::WN) * Tile::WN;
  WarpTile<Tile> w;
  int half = 0;
  feed.fetch(place.begin);
  feed.store(shared.half[half]);
  __syncthreads();
  for (index_t k0 = place.begin; k0 < place.end; k0 += BK) {
    const bool more = k0 + BK < place.end;
    if (more) feed.fetch(k0 + BK);
    const auto& strip = shared.half[half];
    if (digits == Precision::Bf16) {
      PYNET_UNROLL
      for (int k = 0; k < BK; k += 16) add_bf16(w, strip, k, m, n, g, q);
    } else if (!Tile::kTwice || digits == Precision::Tf32) {
      PYNET_UNROLL
      for (int k = 0; k < BK; k += 8) add_tf32<0>(w, strip, k, m, n, g, q);
    } else if constexpr (Tile::kTwice) {
      WarpTile<Tile> of_strip;
      PYNET_UNROLL
      for (int k = 0; k < BK; k += 8) {  // the small ones first, as sums of small numbers
        add_tf32<1>(of_strip, strip, k, m, n, g, q);
        add_tf32<2>(of_strip, strip, k, m, n, g, q);
        add_tf32<0>(of_strip, strip, k, m, n, g, q);
      }
      w.add(of_strip);
    }
    half ^= 1;
    if (more) feed.store(shared.half[half]);  // read last before the barrier that was passed since
    __syncthreads();
  }
  const Sums<float, C> sums(s, place.part, partial, c_of);
  PYNET_UNROLL
  for (int i = 0; i < Tile::kRows; ++i) {
    PYNET_UNROLL
    for (int j = 0; j < Tile::kColumns; ++j) {
      PYNET_UNROLL
      for (int e = 0; e < 4; ++e) {
        sums.put(place.m0 + m + i * 16 + g + e / 2 * 8, place.n0 + n + j * 8 + 2 * q + e % 2,
                 w.c[i][j][e]);
      }
    }
  }
#endif
}

template <class A, class B, class C>
void launch_mma_product(const char* op, const ProductShape& s, index_t chunks, float* partial,
                        const A& a, const B& b, const C& c) {
  const Precision digits = precision();
  const auto with = [&](auto tile) {
    using Tile = decltype(tile);
    const index_t blocks = s.parts * ceil_div(s.M, Tile::BM) * ceil_div(s.N, Tile::BN);
    const index_t depth = depth_of(s.K, chunks, Tile::BK);
    launch(op, mma_product_kernel<Tile, A, B, C>,
           dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks)), Tile::kThreads, s,
           depth, partial, digits, a, b, c);
  };
  const index_t large = ceil_div(s.M, 128) * ceil_div(s.N, 128) * s.parts * chunks;
  if (large >= 128 && digits != Precision::Tf32x3) return with(LargeMmaTile{});
  with(SmallMmaTile{});
}

}  // namespace pynet::cuda
