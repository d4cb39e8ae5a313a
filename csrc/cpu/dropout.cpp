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
  return __builtin_convertvector(__builtin_convertvector(bytes, vint32), vfloat);
}
PYNET_INLINE vdouble numbers(vbytes64 bytes) {
  return __builtin_convertvector(__builtin_convertvector(bytes, vint32_half), vdouble);
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
  const float threshold = *args.ratio * 16777216.0f;
  const vec<T> scale = splat(args.scale);
  const index_t end = min_of(args.n, (tile.index + 1) * kChunk);
  for (index_t i = tile.index * kChunk; i < end; i += kGroup) {
    std::uint32_t words[kGroup];
    std::uint8_t keep[kGroup];
    philox_group(state, static_cast<std::uint64_t>(i) / 4, words);
    for (index_t j = 0; j < kGroup; ++j) {
      keep[j] = static_cast<float>(words[j] >> 8) > threshold;
    }
    const index_t size = min_of(kGroup, end - i);
    if (size == kGroup) {
      __builtin_memcpy(args.mask + i, keep, kGroup);
    } else {
      for (index_t j = 0; j < size; ++j) args.mask[i + j] = keep[j];
    }
    for_vectors<T>(0, size, [&](index_t j, auto lanes) {
      typename BytesOf<T>::type bytes;
      __builtin_memcpy(&bytes, keep + j, sizeof(bytes));
      lanes.store(args.y + i + j, lanes.load(args.x + i + j) * numbers(bytes) * scale);
    });
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
