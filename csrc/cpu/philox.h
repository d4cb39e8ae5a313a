// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
//
// The AVX-512 intrinsics are called with a full mask, because GCC 12 warns of an uninitialised
// variable inside those without one.
#pragma once

#include "cpu/simd.h"
#include "pynet/random.h"

namespace pynet::PYNET_ISA {
namespace {

// A group: one block of four words per 64-bit lane.
constexpr index_t kBlocks = kVectorBytes / 8;
constexpr index_t kGroup = 4 * kBlocks;  // words

// The products of the lower halves of the lanes; whatever is in their upper halves is ignored.
PYNET_INLINE vuint64 multiply_low(vuint64 a, vuint64 b) {
#if defined(__AVX512F__)
  return (vuint64)_mm512_maskz_mul_epu32(0xFF, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (vuint64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
  return (vuint64)_mm_mul_epu32((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
  return (vuint64)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// The first and the second 64 bits of each 128, taken from a and b in turn.
PYNET_INLINE vuint64 interleave_low(vuint64 a, vuint64 b) {
#if defined(__AVX512F__)
  return (vuint64)_mm512_maskz_unpacklo_epi64(0xFF, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (vuint64)_mm256_unpacklo_epi64((__m256i)a, (__m256i)b);
#else
  return vuint64{a[0], b[0]};
#endif
}
PYNET_INLINE vuint64 interleave_high(vuint64 a, vuint64 b) {
#if defined(__AVX512F__)
  return (vuint64)_mm512_maskz_unpackhi_epi64(0xFF, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (vuint64)_mm256_unpackhi_epi64((__m256i)a, (__m256i)b);
#else
  return vuint64{a[1], b[1]};
#endif
}

// The words of the blocks first .. first+kBlocks-1; `first` is a multiple of kBlocks.
PYNET_INLINE void philox_group(const RandomState& state, std::uint64_t first,
                               std::uint32_t (&words)[kGroup]) {
  // Even lanes hold the first half of the blocks and odd lanes the second: then interleaving
  // within 128 bits puts them in order.
  vuint64 c0{};
  for (index_t i = 0; i < kBlocks; ++i) {
    c0[i] = static_cast<std::uint64_t>(i % 2 * (kBlocks / 2) + i / 2);
  }
  c0 += (first & 0xffffffffu);
  vuint64 c1 = vuint64{} + (first >> 32);
  vuint64 c2 = vuint64{} + state.layer, c3 = vuint64{} + state.step;
  const vuint64 m0 = vuint64{} + 0xD2511F53u, m1 = vuint64{} + 0xCD9E8D57u;
  std::uint32_t k0 = static_cast<std::uint32_t>(state.seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(state.seed >> 32);

  // Only the lower half of each lane counts.
  for (int round = 0; round < 10; ++round) {
    const vuint64 p0 = multiply_low(c0, m0), p1 = multiply_low(c2, m1);
    c0 = (p1 >> 32) ^ c1 ^ (vuint64{} + k0);
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ (vuint64{} + k1);
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const vuint64 first_two = (c0 & 0xffffffffu) | (c1 << 32);
  const vuint64 last_two = (c2 & 0xffffffffu) | (c3 << 32);
  const vuint64 in_order[2] = {interleave_low(first_two, last_two),
                               interleave_high(first_two, last_two)};
  __builtin_memcpy(words, in_order, sizeof(words));
}

}  // namespace
}  // namespace pynet::PYNET_ISA
