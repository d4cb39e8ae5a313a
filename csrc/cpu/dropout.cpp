#include "cpu/loop.h"
#include "cpu/philox.h"

namespace pynet::PYNET_ISA {
namespace {

typedef std::uint8_t vbytes32 __attribute__((vector_size(kVectorBytes / 4)));
typedef std::int32_t vint32_half __attribute__((vector_size(kVectorBytes / 2)));
typedef std::uint8_t vbytes64 __attribute__((vector_size(kVectorBytes / 8)));

// One byte per lane of a vector of T.
template <class T>
struct BytesOf {
  typedef vbytes32 type;
};
template <>
struct BytesOf<double> {
  typedef vbytes64 type;
};

// Bytes as numbers.
PYNET_INLINE vfloat numbers(vbytes32 bytes) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  std::int64_t eight;  // GCC 12 would convert them by way of 16 bits
  __builtin_memcpy(&eight, &bytes, sizeof(eight));
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight)));
#else
  return __builtin_convertvector(__builtin_convertvector(bytes, vint32), vfloat);
#endif
}
PYNET_INLINE vdouble numbers(vbytes64 bytes) {
  return __builtin_convertvector(__builtin_convertvector(bytes, vint32_half), vdouble);
}

// The lanes of a and b, which are 0 or 1, as bytes. (GCC 12 would convert them one by one.)
PYNET_INLINE void store_bytes(std::uint8_t* p, vint32 a, vint32 b) {
#if defined(__AVX512F__)
  const __m128i bytes[2] = {_mm512_maskz_cvtepi32_epi8(0xFFFF, (__m512i)a),
                            _mm512_maskz_cvtepi32_epi8(0xFFFF, (__m512i)b)};
#elif defined(__AVX2__)
  const __m256i pairs = _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)a, (__m256i)b), 0xD8);
  const __m128i bytes =
      _mm_packs_epi16(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
#elif defined(__x86_64__)
  const __m128i pairs = _mm_packs_epi32((__m128i)a, (__m128i)b);
  const std::int64_t bytes = _mm_cvtsi128_si64(_mm_packs_epi16(pairs, pairs));
#else
  const vbytes32 bytes[2] = {__builtin_convertvector(a, vbytes32),
                             __builtin_convertvector(b, vbytes32)};
#endif
  __builtin_memcpy(p, &bytes, sizeof(bytes));
}

// 0 or 1 for each lane as numbers.
PYNET_INLINE vfloat kept_numbers(const std::int32_t* p, float) {
  vint32 v;
  __builtin_memcpy(&v, p, sizeof(v));
  return __builtin_convertvector(v, vfloat);
}
PYNET_INLINE vdouble kept_numbers(const std::int32_t* p, double) {
  vint32_half v;
  __builtin_memcpy(&v, p, sizeof(v));
  return __builtin_convertvector(v, vdouble);
}

// --- forward -------------------------------------------------------------------------------------

template <class T>
Work dropout_plan(const DropoutArgs<T>& args) {
  Work work = plan_elements(args.n, 2 * sizeof(T) + 1);
  work.cost = static_cast<double>(args.n) * 0.8;
  return work;
}

template <class T>
void dropout_run(const DropoutArgs<T>& args, const Tile& tile) {
  const RandomState state = *args.state;
  // u > ratio for u = (word >> 8) * 2^-24, both sides times 2^24: exact in float.
  const vfloat threshold = splat(*args.ratio * 16777216.0f);
  const vec<T> scale = splat(args.scale);
  const index_t end = min_of(args.n, (tile.index + 1) * kChunk);
  for (index_t i = tile.index * kChunk; i < end; i += kGroup) {
    std::uint32_t words[kGroup];
    std::int32_t keep[kGroup];
    std::uint8_t mask[kGroup];
    philox_group(state, static_cast<std::uint64_t>(i) / 4, words);
    vint32 kept[2];
    for (int half = 0; half < 2; ++half) {
      vuint32 word;
      __builtin_memcpy(&word, words + half * kLanes<float>, sizeof(word));
      kept[half] = (__builtin_convertvector((vint32)(word >> 8), vfloat) > threshold) & 1;
    }
    __builtin_memcpy(keep, kept, sizeof(kept));
    store_bytes(mask, kept[0], kept[1]);
    const auto body = [&](index_t j, auto lanes) {
      lanes.store(args.y + i + j, lanes.load(args.x + i + j) * kept_numbers(keep + j, T{}) * scale);
    };
    if (i + kGroup <= end) {
      __builtin_memcpy(args.mask + i, mask, kGroup);
      for (index_t j = 0; j < kGroup; j += kLanes<T>) body(j, Whole{});
    } else {
      for (index_t j = 0; j < end - i; ++j) args.mask[i + j] = mask[j];
      for_vectors<T>(0, end - i, body);
    }
  }
}

// --- backward ------------------------------------------------------------------------------------

template <class T>
Work dropout_backward_plan(const DropoutBackwardArgs<T>& args) {
  return plan_elements(args.grad == Grad::Skip ? 0 : args.n, 2 * sizeof(T) + 1);
}

template <class T>
void dropout_backward_run(const DropoutBackwardArgs<T>& args, const Tile& tile) {
  const vec<T> scale = splat(args.scale);
  const bool add = args.grad == Grad::Add;
  const index_t begin = tile.index * kChunk, end = min_of(args.n, begin + kChunk);
  const index_t whole = begin + (end - begin) / kLanes<T> * kLanes<T>;
  const auto body = [&](index_t i, auto lanes, typename BytesOf<T>::type mask) {
    const vec<T> dx = lanes.load(args.dout + i) * numbers(mask) * scale;
    lanes.store(args.dx + i, add ? lanes.load(args.dx + i) + dx : dx);
  };
  typename BytesOf<T>::type mask{};
  for (index_t i = begin; i < whole; i += kLanes<T>) {
    __builtin_memcpy(&mask, args.mask + i, sizeof(mask));
    body(i, Whole{}, mask);
  }
  if (whole < end) {
    mask = mask ^ mask;
    for (index_t i = whole; i < end; ++i) mask[i - whole] = args.mask[i];
    body(whole, Part{end - whole}, mask);
  }
}

}  // namespace

PYNET_EXPORT(dropout, DropoutArgs)
PYNET_EXPORT(dropout_backward, DropoutBackwardArgs)

}  // namespace pynet::PYNET_ISA
