// The product behind gemm and the convolutions: C(m, n) = the sum over k of A(m, k) B(k, n).
//
// A block computes a tile of C. Turn by turn along K it copies a strip of A and one of B into
// shared memory, some turns ahead, and each thread multiplies eight rows by eight columns, so that
// a number from shared memory serves eight products. What A and B are is up to two small structs,
// lines along K as in product_matrix.h: those of a matrix, or the windows of an image. A third one
// says what becomes of a sum, put(m, n, sum).
//
// Tiles and the chunks of a long K follow from the shape alone, so the bits of a result do not
// depend on the GPU; those of products in fewer digits do (product_wgmma.h).
#pragma once

#include "cuda/column_sums.h"
#include "cuda/lane.h"
#include "cuda/product_choice.h"
#include "cuda/product_lanes.h"
#include "cuda/product_mma.h"
#include "cuda/product_tile.h"

namespace pynet::cuda {

// What a thread multiplies in one step of K.
template <class Tile, class T>
struct Fragment {
  T left[Tile::TM], right[Tile::TN];

  // From the strips of a stage, at this thread's first row and column of a step.
  PYNET_INLINE void load(const T* a, const T* b) {
    load_packs<Tile::TM>(left, a, Tile::row(0, Tile::kPack));
    load_packs<Tile::TN>(right, b, Tile::column(0, Tile::kPack));
  }

 private:
  template <int N>
  static PYNET_INLINE void load_packs(T (&to)[N], const T* from, int apart) {
    PYNET_UNROLL
    for (int i = 0; i < N; i += Tile::kPack) {
      const auto pack = load_pack<Tile::kPack>(from + i / Tile::kPack * apart);
      PYNET_UNROLL
      for (int e = 0; e < Tile::kPack; ++e) to[i + e] = pack.lane[e];
    }
  }
};

// The sums of all slices, in the first one. Of `left` slices the upper ones give their sums to the
// lower ones, a barrier apart; all to the first one if there is room.
template <class Tile, class T>
PYNET_INLINE void add_slices(typename Tile::Shared& shared, T (&sum)[Tile::TM][Tile::TN], int t) {
  constexpr int kPack = Tile::kPack, kPacks = Tile::TN / kPack;
  const int slice = Tile::slice(t), member = t % Tile::kTeam;
  PYNET_UNROLL
  for (int left = Tile::kSlices; left > 1;) {
    const int kept = Tile::kGiveAll ? 1 : left / 2;
    __syncthreads();  // what was there is read
    if (slice >= kept && slice < left) {
      PYNET_UNROLL
      for (int e = 0; e < Tile::TM * kPacks; ++e) {
        const T* own = &sum[e / kPacks][e % kPacks * kPack];
        PYNET_UNROLL
        for (int i = 0; i < kPack; ++i) shared.sums[slice - kept][e][member].lane[i] = own[i];
      }
    }
    __syncthreads();
    if (slice < kept) {
      PYNET_UNROLL
      for (int from = 0; from < left - kept; from += kept) {
        PYNET_UNROLL
        for (int e = 0; e < Tile::TM * kPacks; ++e) {
          const Pack<T, kPack> pack = shared.sums[slice + from][e][member];
          PYNET_UNROLL
          for (int i = 0; i < kPack; ++i) sum[e / kPacks][e % kPacks * kPack + i] += pack.lane[i];
        }
      }
    }
    left = kept;
  }
}

// Blocks of a processor at the same time: what is found line by line wants more registers.
template <class Tile, class A, class B>
constexpr int kBlocks = 1;
template <class Tile, class T>
constexpr int kBlocks<Tile, MatrixLines<T>, MatrixLines<T>> = Tile::kBlocks;

template <class Tile>
__host__ __device__ index_t blocks_of(const ProductShape& s) {
  return s.parts * ceil_div(s.M, Tile::BM) * ceil_div(s.N, Tile::BN);
}

// depth: steps of K in a chunk, blockIdx.y says which one; partial: where the sums of chunks go,
// (chunks, parts, M, N), or null where there is one chunk.
template <class Tile, class T, class A, class B, class C>
__global__ void __launch_bounds__(Tile::kThreads, kBlocks<Tile, A, B>)
    product_kernel(ProductShape s, index_t depth, T* partial, A a_of, B b_of, C c_of) {
  constexpr int BK = Tile::BK, kStages = Tile::kStages, kSteps = Tile::kSteps;
  using Shared = typename Tile::Shared;
  PYNET_SHARED(Shared, shared);

  if constexpr (HasBeside<C>::value) {
    const index_t blocks = blocks_of<Tile>(s);
    if (blockIdx.x >= blocks) {
      if (blockIdx.y == 0) c_of.beside.run(blockIdx.x - blocks);
      return;
    }
  }
  const BlockPlace place(s, Tile::BM, Tile::BN, depth, blockIdx.x, blockIdx.y);
  ProductFeed<T, Tile::BM, BK, Tile::kThreads, A> a(a_of.part(place.part), place.m0, s.M,
                                                    place.begin);
  ProductFeed<T, Tile::BN, BK, Tile::kThreads, B> b(b_of.part(place.part), place.n0, s.N,
                                                    place.begin);
  AsyncCopies copies;
  index_t to_feed = place.end - place.begin;  // steps of K that are not yet on their way
  const auto feed = [&](int stage) {
    if (to_feed > 0) {
      a.copy(copies, shared.stage[stage].a, to_feed);
      b.copy(copies, shared.stage[stage].b, to_feed);
      to_feed -= BK;
    }
    copies.commit();
  };
  PYNET_UNROLL
  for (int stage = 0; stage < kStages - 1; ++stage) feed(stage);

  const int t = static_cast<int>(threadIdx.x), first = Tile::slice(t) * kSteps;
  const int row = Tile::row(t, 0), column = Tile::column(t, 0);
  int stage = 0;
  Fragment<Tile, T> fragment[2];  // one is multiplied, the other loaded
  const auto load = [&](int k) {
    const auto& strips = shared.stage[stage];
    fragment[k % 2].load(&strips.a.at[first + k][row], &strips.b.at[first + k][column]);
  };
  T sum[Tile::TM][Tile::TN] = {};
  copies.wait<kStages - 2>();  // the first stage is here, of this thread's copies
  __syncthreads();             // and of all others'
  load(0);
  for (index_t turn = place.begin; turn < place.end; turn += BK) {
    PYNET_UNROLL
    for (int k = 0; k < kSteps; ++k) {
      if (k == kSteps - 1) {
        copies.wait<kStages - 2>();
        __syncthreads();  // the next stage is here, and nobody reads this one any more
        stage = stage + 1 < kStages ? stage + 1 : 0;
      }
      load((k + 1) % kSteps);
      if (k == 0) feed(stage > 0 ? stage - 1 : kStages - 1);  // what was read last turn
      const auto& [left, right] = fragment[k % 2];
      PYNET_UNROLL
      for (int i = 0; i < Tile::TM; ++i) {
        PYNET_UNROLL
        for (int j = 0; j < Tile::TN; ++j) sum[i][j] = fma(left[i], right[j], sum[i][j]);
      }
    }
  }
  if constexpr (Tile::kSlices > 1) {
    add_slices<Tile>(shared, sum, t);
    if (Tile::slice(t) > 0) return;
  }
  const Sums<T, C> sums(s, place.part, partial, c_of);
  PYNET_UNROLL
  for (int i = 0; i < Tile::TM; ++i) {
    PYNET_UNROLL
    for (int j = 0; j < Tile::TN; j += Tile::kPack) {
      Pack<T, Tile::kPack> pack;
      PYNET_UNROLL
      for (int e = 0; e < Tile::kPack; ++e) pack.lane[e] = sum[i][j + e];
      sums.put_pack(place.m0 + Tile::row(t, i), place.n0 + Tile::column(t, j), pack);
    }
  }
}

// ROUND: whether tensor cores may, where they are asked for.
template <class T, bool ROUND, class A, class B, class C>
void launch_product(const char* op, const ProductShape& s, index_t chunks, T* partial, const A& a,
                    const B& b, const C& c) {
  if constexpr (sizeof(T) == 4 && ROUND) {
    if (precision() != Precision::Float32) {
      return launch_mma_product(op, s, chunks, partial, a, b, c);
    }
  }
  with_tile<T, A, B>(s, chunks, [&](auto tile) {
    using Tile = decltype(tile);
    const index_t blocks = blocks_of<Tile>(s) + blocks_beside(c, Tile::kThreads);
    const index_t depth = depth_of(s.K, chunks, Tile::BK);
    launch(op, product_kernel<Tile, T, A, B, C>,
           dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks)), Tile::kThreads, s,
           depth, partial, a, b, c);
  });
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
template <class T, bool ROUND = true, class A, class B, class C>
void run_product(const char* op, const ProductShape& s, const A& a, const B& b, const C& c,
                 void* scratch) {
  const index_t chunks = chunks_of(s);
  T* partial = chunks == 1 ? nullptr : static_cast<T*>(scratch);
  launch_product<T, ROUND>(op, s, chunks, partial, a, b, c);
  if (!partial) return;
  const index_t blocks = ceil_div(s.parts * s.M * s.N, 256);
  launch(op, add_chunks_kernel<T, C>, static_cast<unsigned>(blocks < 1024 ? blocks : 1024), 256, s,
         chunks, static_cast<const T*>(partial), c);
}

}  // namespace pynet::cuda
