// Tensor cores: a warp multiplies two small matrices with one instruction.
//
// Each lane holds a few elements of A, B and C (a fragment). With g = lane / 4 and q = lane % 4, as
// NVIDIA's PTX manual draws it for mma.m16n8k8 (TF32) and mma.m16n8k16 (bf16):
//
//   C 16 x 8    c[0], c[1]: row g, columns 2q and 2q + 1;  c[2], c[3]: the same of row g + 8
//   A 16 x 8    a[0]: (g, q)  a[1]: (g + 8, q)  a[2]: (g, q + 4)  a[3]: (g + 8, q + 4)
//   B 8 x 8     b[0]: (q, g)  b[1]: (q + 4, g)
//
// In bf16 a register holds two neighbouring steps of K: A is 16 x 16, B 16 x 8, and what is q above
// is the pair 2q, 2q + 1; what is q + 4 the pair 2q + 8, 2q + 9. On the executor the lanes show
// each other their fragments and compute the same sums.
#pragma once

#include <cstdint>

#include "cuda/device.h"
#include "cuda/lane.h"

namespace pynet::cuda {
namespace {

// The nearest number with 10 bits behind the point, as tensor cores read floats.
PYNET_INLINE std::uint32_t to_tf32(float x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint32_t rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
  return rounded;
#else
  return (same_bits<std::uint32_t>(x) + 0x1000u) & 0xffffe000u;
#endif
}

// That number, or the one nearest to what it left of x; 0 where it left no number (infinity).
PYNET_INLINE std::uint32_t tf32_part(float x, bool small) {
  const std::uint32_t big = to_tf32(x);
  if (!small) return big;
  const float rest = x - same_bits<float>(big);
  return rest - rest == 0 ? to_tf32(rest) : 0;
}

// Two numbers with 7 bits behind the point, ties to even; `low` in the lower half.
PYNET_INLINE std::uint32_t to_bf16_pair(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  std::uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
#else
  const auto rounded = [](float x) {
    const auto bits = same_bits<std::uint32_t>(x);
    if (x != x) return std::uint32_t{0x7fff};
    return (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
  };
  return rounded(high) << 16 | rounded(low);
#endif
}

#if !defined(__CUDACC__)
struct Fragments {
  std::uint32_t a[4], b[2];
};

// C += A B over all steps of K, from the fragments of all lanes; a_of and b_of say what a lane has.
template <class Element>
void multiply_fragments(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                        int per_register, const Element& element) {
  const Fragments mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const Fragments* lanes[executor::kWarp];
  executor::show_all(reinterpret_cast<std::uintptr_t>(&mine), [&](int lane, std::uint64_t value) {
    lanes[lane] = reinterpret_cast<const Fragments*>(value);
  });
  const int g = executor::lane() / 4, q = executor::lane() % 4;
  for (int i = 0; i < 4; ++i) {
    const int column = 2 * q + i % 2;
    double sum = 0;
    for (int half = 0; half < 2; ++half) {
      for (int k = 0; k < 4; ++k) {
        for (int e = 0; e < per_register; ++e) {
          const std::uint32_t left = lanes[g * 4 + k]->a[2 * half + i / 2];
          const std::uint32_t right = lanes[column * 4 + k]->b[half];
          sum += static_cast<double>(element(left, e)) * static_cast<double>(element(right, e));
        }
      }
    }
    c[i] = executor::cut_to_float(static_cast<double>(c[i]) + sum);
  }
  __syncwarp();  // a fragment is its lane's own memory, until all have read it
}
#endif

// C += A B, 8 steps of K of TF32 numbers.
PYNET_INLINE void mma_tf32(float (&c)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
#if !defined(__CUDACC__)
  multiply_fragments(c, a, b, 1, [](std::uint32_t x, int) { return same_bits<float>(x); });
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

// C += A B, 16 steps of K of bf16 numbers.
PYNET_INLINE void mma_bf16(float (&c)[4], const std::uint32_t (&a)[4],
                           const std::uint32_t (&b)[2]) {
#if !defined(__CUDACC__)
  multiply_fragments(c, a, b, 2, [](std::uint32_t x, int e) {
    return same_bits<float>(e == 0 ? x << 16 : x & 0xffff0000u);
  });
#elif __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

}  // namespace
}  // namespace pynet::cuda
