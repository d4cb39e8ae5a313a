// Hopper's tensor cores: four warps, a warpgroup, multiply two matrices that lie in shared memory.
//
// A is 64 x 32 bytes, B is N x 32 bytes: rows of A and columns of B, along K. What the instruction
// is told of each is a descriptor: where it begins and how it lies there. Here rows of 128 bytes,
// of which an instruction takes a quarter, lie one below the other, and in each group of eight the
// eight pieces of 16 bytes are exchanged: piece p of row r is at p ^ (r % 8), so that the same
// piece of eight rows is in all 32 banks. C stays in registers: warp w of the four has the rows 16
// w to 16 w + 15, in tiles of 16 x 8 as in mma.h.
//
// The products go on beside the threads: begin_products, the products, end_products, and when
// wait_for_products<n> returns no more than the newest n such groups are still under way.
#pragma once

#include <cstdint>

#include "cuda/bulk_copy.h"
#include "cuda/device.h"
#if !defined(__CUDACC__)
#include "warpgroup.h"
#endif

namespace pynet::cuda {

constexpr int kRowBytes = 128, kPieceBytes = 16, kPieces = kRowBytes / kPieceBytes;

// Where byte b of row r of a tile lies in it.
__host__ __device__ constexpr int place_in_tile(int row, int b) {
  return row * kRowBytes + ((b / kPieceBytes) ^ (row % kPieces)) * kPieceBytes + b % kPieceBytes;
}

// The descriptor of rows that begin at this address of shared memory, a multiple of 1024, or up to
// 96 bytes behind one. By bits: 0-13 the address, 16-29 unused where the pieces are exchanged,
// 32-45 the bytes from eight rows to the next eight (all without their last four bits), 62-63 which
// exchange, 1 for that of 128 bytes.
__host__ __device__ constexpr std::uint64_t descriptor(std::uint32_t address) {
  constexpr std::uint64_t kEightRows = 8 * kRowBytes;
  return (address & 0x3ffffu) >> 4 | std::uint64_t{1} << 16 | kEightRows >> 4 << 32 |
         std::uint64_t{1} << 62;
}

namespace {

// How many registers a thread of this warpgroup has from here on: what one gives back, another
// takes.
template <int COUNT>
PYNET_INLINE void fewer_registers() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}
template <int COUNT>
PYNET_INLINE void more_registers() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(COUNT));
#endif
}

PYNET_INLINE void begin_products() {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}

PYNET_INLINE void end_products() {
#if !defined(__CUDACC__)
  executor::commit_deferred();
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
#endif
}

template <int NEWEST>
PYNET_INLINE void wait_for_products() {
#if !defined(__CUDACC__)
  executor::wait_deferred(NEWEST);
  __syncwarp();
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(NEWEST) : "memory");
#endif
}

// What the products left in c is read after this: the compiler does not know that they were under
// way.
template <int N>
PYNET_INLINE void settle([[maybe_unused]] float (&c)[N][4]) {
#if defined(__CUDA_ARCH__)
  PYNET_UNROLL
  for (int j = 0; j < N; ++j) {
    asm volatile("" : "+f"(c[j][0]), "+f"(c[j][1]), "+f"(c[j][2]), "+f"(c[j][3])::"memory");
  }
#endif
}

#define PYNET_NAMES_64                                                               \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define PYNET_NAMES_128                                                                    \
  PYNET_NAMES_64                                                                           \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, "     \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, "       \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, " \
  "%111, %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, "   \
  "%125, %126, %127"
#define PYNET_SUMS_8(j)                                                          \
  "+f"(c[j][0]), "+f"(c[j][1]), "+f"(c[j][2]), "+f"(c[j][3]), "+f"(c[j + 1][0]), \
      "+f"(c[j + 1][1]), "+f"(c[j + 1][2]), "+f"(c[j + 1][3])
#define PYNET_SUMS_32(j) \
  PYNET_SUMS_8(j), PYNET_SUMS_8(j + 2), PYNET_SUMS_8(j + 4), PYNET_SUMS_8(j + 6)
#define PYNET_SUMS_64 PYNET_SUMS_32(0), PYNET_SUMS_32(8)
#define PYNET_SUMS_128 PYNET_SUMS_64, PYNET_SUMS_32(16), PYNET_SUMS_32(24)
// `signs`: what the instruction may do with the signs of A and B, and, of bf16, with their rows.
#define PYNET_WGMMA(instruction, names, sums, of_a, of_b, of_add, signs)                  \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " of_add ", 0;\n" instruction " {" names \
               "}, " of_a ", " of_b ", p, " signs ";\n}"                                  \
               : sums                                                                     \
               : "l"(a), "l"(b), "r"(add))

// C = A B, or C += A B with add = 1. A: descriptor of 64 rows, B: of 256 columns; 16 steps of K.
PYNET_INLINE void multiply_bf16(float (&c)[32][4], std::uint64_t a, std::uint64_t b, int add) {
#if !defined(__CUDACC__)
  executor::multiply_later(c, 32, a, b, add, executor::Number::Bf16);
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
  PYNET_WGMMA("wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16", PYNET_NAMES_128,
              PYNET_SUMS_128, "%128", "%129", "%130", "1, 1, 0, 0");
#endif
}

// The same with 8 steps of K of TF32 numbers.
PYNET_INLINE void multiply_tf32(float (&c)[32][4], std::uint64_t a, std::uint64_t b, int add) {
#if !defined(__CUDACC__)
  executor::multiply_later(c, 32, a, b, add, executor::Number::Tf32);
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
  PYNET_WGMMA("wgmma.mma_async.sync.aligned.m64n256k8.f32.tf32.tf32", PYNET_NAMES_128,
              PYNET_SUMS_128, "%128", "%129", "%130", "1, 1");
#endif
}

// And with 128 columns.
PYNET_INLINE void multiply_tf32(float (&c)[16][4], std::uint64_t a, std::uint64_t b, int add) {
#if !defined(__CUDACC__)
  executor::multiply_later(c, 16, a, b, add, executor::Number::Tf32);
#elif defined(__CUDA_ARCH_FEAT_SM90_ALL)
  PYNET_WGMMA("wgmma.mma_async.sync.aligned.m64n128k8.f32.tf32.tf32", PYNET_NAMES_64, PYNET_SUMS_64,
              "%64", "%65", "%66", "1, 1");
#endif
}

#undef PYNET_NAMES_64
#undef PYNET_NAMES_128
#undef PYNET_SUMS_8
#undef PYNET_SUMS_32
#undef PYNET_SUMS_64
#undef PYNET_SUMS_128
#undef PYNET_WGMMA

}  // namespace
}  // namespace pynet::cuda
