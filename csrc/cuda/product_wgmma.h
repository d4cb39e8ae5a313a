// The product of product.h on Hopper's tensor cores, for large matrices.
//
// Both operands are packed first (pack_tiles.h). Then each block computes one tile of C after the
// other. One of its threads has tiles of A and B brought into a ring in shared memory, as far ahead
// as the ring is long; two warpgroups multiply them, each half of the rows of C:
//
//     bulk copies ->  [stage 0] [stage 1] [stage 2] [stage 3]  -> warpgroups 1 and 2
//                         full: the bytes have come     empty: all warps have multiplied
//
// Tensor cores cut sums off where a float ends, which adds up over a long K. With three products of
// TF32 the sums of a stage therefore begin at zero, and are added to those before by the threads.
//
// C has put(m, n, sum) as in product.h, and put_pair(m, n, sum, next): also that of column n + 1.
#pragma once

#include "cuda/pack_tiles.h"

namespace pynet::cuda {

constexpr int kWarpgroup = 128;

// How a precision is computed: a tile of BM x BN, a ring of so many stages.
template <Precision DIGITS_, int BN_, int STAGES_>
struct WgmmaPath {
  static constexpr Precision DIGITS = DIGITS_;
  static constexpr int BM = 128, BN = BN_, STAGES = STAGES_;
  static constexpr int kThreads = 3 * kWarpgroup;
};
using Bf16Path = WgmmaPath<Precision::Bf16, 256, 4>;
using Tf32Path = WgmmaPath<Precision::Tf32, 256, 4>;
using Tf32x3Path = WgmmaPath<Precision::Tf32x3, 128, 6>;

template <class Path>
struct alignas(8 * kRowBytes) Ring {
  struct Stage {
    unsigned char a[Path::BM * kRowBytes], b[Path::BN * kRowBytes];
  };
  Stage stage[Path::STAGES];
  Barrier full[Path::STAGES], empty[Path::STAGES];
};

// The stage that a thread is at, and the parity of its round through the ring.
template <int STAGES>
struct RingPlace {
  int stage = 0;
  std::uint32_t parity = 0;
  __host__ __device__ void next() {
    if (++stage < STAGES) return;
    stage = 0;
    parity ^= 1;
  }
};

// Tile `i` of the product: bands of kBand tiles of rows, and down the columns of each. Tiles that
// are computed at the same time so share rows of A and columns of B in the L2 cache.
constexpr index_t kBand = 16;
struct OutputTile {
  index_t part, row, column;
  __host__ __device__ OutputTile(index_t i, index_t rows, index_t columns) {
    part = i / (rows * columns);
    const index_t inside = i - part * rows * columns, band = inside / (kBand * columns);
    const index_t first = band * kBand, height = rows - first < kBand ? rows - first : kBand;
    const index_t in_band = inside - first * columns;
    column = in_band / height;
    row = first + in_band - column * height;
  }
};

namespace {

// Where a thread finds element i of tile j of the 64 rows of its warpgroup.
struct SumPlace {
  int row, column;
  __host__ __device__ constexpr SumPlace(int thread, int j, int i)
      : row(thread / 32 * 16 + thread % 32 / 4 + i / 2 * 8),
        column(j * 8 + thread % 4 * 2 + i % 2) {}
};

// The products of one stage. c: sums of the warpgroup; a, b: descriptors of its rows and columns;
// add: 0 where the sums begin.
template <class Path, int N>
PYNET_INLINE void multiply_stage(float (&c)[N][4], std::uint64_t a, std::uint64_t b, int add) {
  constexpr int kStep = 32 >> 4;  // bytes of K that an instruction takes, as descriptors count
  if constexpr (Path::DIGITS == Precision::Tf32x3) {
    constexpr int kSmall = 64 >> 4;  // the small parts lie behind the big ones
    PYNET_UNROLL
    for (int i = 0; i < 2; ++i) {
      multiply_tf32(c, a + kSmall + i * kStep, b + i * kStep, i == 0 ? add : 1);
      multiply_tf32(c, a + i * kStep, b + kSmall + i * kStep, 1);
    }
    PYNET_UNROLL
    for (int i = 0; i < 2; ++i) multiply_tf32(c, a + i * kStep, b + i * kStep, 1);
  } else {
    PYNET_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int adds = i == 0 ? add : 1;
      if constexpr (Path::DIGITS == Precision::Bf16) {
        multiply_bf16(c, a + i * kStep, b + i * kStep, adds);
      } else {
        multiply_tf32(c, a + i * kStep, b + i * kStep, adds);
      }
    }
  }
}

// One warpgroup's sums of a tile, from the stages of the ring as they come.
template <class Path>
struct Consumer {
  static constexpr int kTiles = Path::BN / 8;
  Ring<Path>& ring;
  RingPlace<Path::STAGES> place;
  int group, thread;

  PYNET_INLINE void release(int stage) {
    if (thread % 32 == 0) arrive(ring.empty[stage]);  // for its warp, which is through
  }
  PYNET_INLINE void multiply(float (&c)[kTiles][4], int add) {
    auto& stage = ring.stage[place.stage];
    wait(ring.full[place.stage], place.parity);
    begin_products();
    multiply_stage<Path>(c, descriptor(shared_address(stage.a + group * 64 * kRowBytes)),
                         descriptor(shared_address(stage.b)), add);
    end_products();
  }

  // A stage is given back when the next one's products are under way.
  PYNET_INLINE void sum_up(float (&c)[kTiles][4], index_t blocks) {
    int before = 0;
    for (index_t block = 0; block < blocks; ++block) {
      multiply(c, block > 0);
      if (block > 0) {
        wait_for_products<1>();
        release(before);
      }
      before = place.stage;
      place.next();
    }
    wait_for_products<0>();
    settle(c);
    release(before);
  }

  // The same with sums that begin anew at each stage.
  PYNET_INLINE void sum_up_exactly(float (&c)[kTiles][4], index_t blocks) {
    PYNET_UNROLL
    for (int j = 0; j < kTiles; ++j) {
      PYNET_UNROLL
      for (int i = 0; i < 4; ++i) c[j][i] = 0;
    }
    for (index_t block = 0; block < blocks; ++block) {
      float of_stage[kTiles][4];
      multiply(of_stage, 0);
      wait_for_products<0>();
      settle(of_stage);
      release(place.stage);
      place.next();
      PYNET_UNROLL
      for (int j = 0; j < kTiles; ++j) {
        PYNET_UNROLL
        for (int i = 0; i < 4; ++i) c[j][i] += of_stage[j][i];
      }
    }
  }
};

template <class Path, class C>
__global__ void __launch_bounds__(Path::kThreads, 1)
    wgmma_product_kernel(ProductShape s, PackedShape of_a, PackedShape of_b, const unsigned char* a,
                         const unsigned char* b, C c_of) {
#if !defined(__CUDACC__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
  PYNET_LARGE_SHARED(Ring<Path>, ring);
  const int group = static_cast<int>(threadIdx.x) / kWarpgroup - 1;
  const index_t tiles = s.parts * of_a.tiles * of_b.tiles;
  if (threadIdx.x == 0) {
    for (int i = 0; i < Path::STAGES; ++i) {
      init_barrier(ring.full[i], 1);
      init_barrier(ring.empty[i], 2 * kWarpgroup / 32);
    }
    show_barriers();
  }
  __syncthreads();
  if (group < 0) {
    fewer_registers<40>();
    if (threadIdx.x != 0) return;
    RingPlace<Path::STAGES> place;
    for (index_t i = blockIdx.x; i < tiles; i += gridDim.x) {
      const OutputTile tile(i, of_a.tiles, of_b.tiles);
      const unsigned char* from_a = a + of_a.place(tile.part, tile.row, 0);
      const unsigned char* from_b = b + of_b.place(tile.part, tile.column, 0);
      for (index_t block = 0; block < of_a.blocks; ++block, place.next()) {
        auto& stage = ring.stage[place.stage];
        Barrier& full = ring.full[place.stage];
        wait(ring.empty[place.stage], place.parity ^ 1);
        arrive_expecting(full, sizeof(stage));
        bulk_copy(stage.a, from_a + block * sizeof(stage.a), sizeof(stage.a), full);
        bulk_copy(stage.b, from_b + block * sizeof(stage.b), sizeof(stage.b), full);
      }
    }
  } else {
    more_registers<232>();
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    Consumer<Path> consumer{ring, {}, group, thread};
    for (index_t i = blockIdx.x; i < tiles; i += gridDim.x) {
      const OutputTile tile(i, of_a.tiles, of_b.tiles);
      float c[Path::BN / 8][4];
      if constexpr (Path::DIGITS == Precision::Tf32x3) {
        consumer.sum_up_exactly(c, of_a.blocks);
      } else {
        consumer.sum_up(c, of_a.blocks);
      }
      const C to = c_of.part(tile.part);
      PYNET_UNROLL
      for (int j = 0; j < Path::BN / 8; ++j) {
        PYNET_UNROLL
        for (int e = 0; e < 4; e += 2) {
          const SumPlace at(thread, j, e);
          const index_t m = tile.row * Path::BM + group * 64 + at.row;
          const index_t n = tile.column * Path::BN + at.column;
          if (m >= s.M || n >= s.N) continue;
          if (n + 1 < s.N) {
            to.put_pair(m, n, c[j][e], c[j][e + 1]);
          } else {
            to.put(m, n, c[j][e]);
          }
        }
      }
    }
  }
#endif
}

// with(path) of the path for a precision.
template <class With>
auto with_wgmma_path(Precision digits, const With& with) {
  if (digits == Precision::Bf16) return with(Bf16Path{});
  if (digits == Precision::Tf32) return with(Tf32Path{});
  return with(Tf32x3Path{});
}

template <class Path>
struct PackedOperands {
  PackedShape a, b;
  explicit PackedOperands(const ProductShape& s)
      : a(s.M, s.K, Path::BM, Path::DIGITS), b(s.N, s.K, Path::BN, Path::DIGITS) {}
  index_t bytes(const ProductShape& s) const {
    return s.parts * (a.bytes_of_part() + b.bytes_of_part());
  }
};

template <class Path, class A, class B, class C>
void launch_wgmma_product(const char* op, const ProductShape& s, const A& a, const B& b, const C& c,
                          void* scratch) {
  const PackedOperands<Path> packed(s);
  unsigned char* of_a = static_cast<unsigned char*>(scratch);
  unsigned char* of_b = of_a + s.parts * packed.a.bytes_of_part();
  pack_tiles<Path::DIGITS>(op, packed.a, s.parts, of_a, a);
  pack_tiles<Path::DIGITS>(op, packed.b, s.parts, of_b, b);
  const index_t tiles = s.parts * packed.a.tiles * packed.b.tiles;
  const index_t blocks = tiles < processors() ? tiles : processors();
  launch_with_shared(op, wgmma_product_kernel<Path, C>, static_cast<unsigned>(blocks),
                     Path::kThreads, sizeof(Ring<Path>), s, packed.a, packed.b,
                     static_cast<const unsigned char*>(of_a),
                     static_cast<const unsigned char*>(of_b), c);
}

}  // namespace

// Bytes of scratch memory for it: 0 where the device or this build has no such tensor cores, and
// where the product is too small: packing pays when a packed number serves hundreds of products,
// and tiles this large shall still keep half of a GPU busy.
inline std::size_t wgmma_scratch(const ProductShape& s, Precision digits) {
#if defined(__CUDACC__) && !defined(PYNET_CUDA_SM90A)
  return 0;
#else
  if (digits == Precision::Float32 || s.M < 512 || s.N < 512 || s.K < 256) return 0;
  if (capability() != 90) return 0;
  return with_wgmma_path(digits, [&](auto path) -> std::size_t {
    const PackedOperands<decltype(path)> packed(s);
    if (s.parts * packed.a.tiles * packed.b.tiles < 64) return 0;
    return static_cast<std::size_t>(packed.bytes(s));
  });
#endif
}

template <class A, class B, class C>
void run_wgmma_product(const char* op, const ProductShape& s, Precision digits, const A& a,
                       const B& b, const C& c, void* scratch) {
  with_wgmma_path(
      digits, [&](auto path) { launch_wgmma_product<decltype(path)>(op, s, a, b, c, scratch); });
}

}  // namespace pynet::cuda
