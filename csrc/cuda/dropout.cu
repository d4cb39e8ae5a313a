#include "cuda/elements.h"

namespace pynet::cuda {
namespace {

// The four words of a block of Philox4x32-10 (Salmon et al., 2011): cpu/philox.h has eight blocks
// at a time of the same numbers.
PYNET_INLINE void philox(const RandomState& state, std::uint64_t block, std::uint32_t (&word)[4]) {
  std::uint32_t c0 = static_cast<std::uint32_t>(block),
                c1 = static_cast<std::uint32_t>(block >> 32);
  std::uint32_t c2 = state.layer, c3 = state.step;
  std::uint32_t k0 = static_cast<std::uint32_t>(state.seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(state.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(c0) * 0xD2511F53u;
    const std::uint64_t p1 = static_cast<std::uint64_t>(c2) * 0xCD9E8D57u;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  word[0] = c0, word[1] = c1, word[2] = c2, word[3] = c3;
}

// A thread takes the four elements of a block of random numbers, at once where `packs` says that
// the arrays allow it.
constexpr int kWords = 4;
template <class T>
__global__ void dropout_kernel(DropoutArgs<T> args, bool packs) {
  const RandomState state = *args.state;
  // u > ratio for u = (word >> 8) * 2^-24, both sides times 2^24: exact in float.
  const float threshold = *args.ratio * 16777216.0f;
  const index_t blocks = ceil_div(args.n, kWords);
  const index_t threads = static_cast<index_t>(gridDim.x) * blockDim.x;
  for (index_t block = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; block < blocks;
       block += threads) {
    std::uint32_t word[kWords];
    philox(state, static_cast<std::uint64_t>(block), word);
    const index_t first = kWords * block;
    const int count = static_cast<int>(args.n - first < kWords ? args.n - first : kWords);
    const bool whole = packs && count == kWords;
    Pack<T, kWords> x{};
    if (whole) x = load_pack<kWords>(args.x + first);
    Pack<std::uint8_t, kWords> mask;
    PYNET_UNROLL
    for (int k = 0; k < kWords; ++k) {
      if (!whole && k < count) x.lane[k] = args.x[first + k];
      mask.lane[k] = static_cast<float>(word[k] >> 8) > threshold;
      x.lane[k] = x.lane[k] * static_cast<T>(mask.lane[k]) * args.scale;
    }
    if (whole) {
      store_pack(args.mask + first, mask);
      store_pack(args.y + first, x);
    } else {
      PYNET_UNROLL
      for (int k = 0; k < kWords; ++k) {
        if (k >= count) break;
        args.mask[first + k] = mask.lane[k];
        args.y[first + k] = x.lane[k];
      }
    }
  }
}

template <class T>
Work dropout_plan(const DropoutArgs<T>&) {
  return plan_launch();
}
template <class T>
void dropout_run(const DropoutArgs<T>& args, const Tile&) {
  const bool packs =
      is_aligned(args.x, kWords) && is_aligned(args.y, kWords) && is_aligned(args.mask, kWords);
  launch("dropout", dropout_kernel<T>, element_blocks(args.n, kWords), kElementThreads, args,
         packs);
}

template <class T>
Work dropout_backward_plan(const DropoutBackwardArgs<T>&) {
  return plan_launch();
}
template <class T>
void dropout_backward_run(const DropoutBackwardArgs<T>& args, const Tile&) {
  const T scale = args.scale;
  const char* op = "dropout_backward";
  if (args.grad == Grad::Write) {
    for_elements(
        op, args.n,
        [=] __device__(T& dx, T dout, std::uint8_t kept) {
          dx = dout * static_cast<T>(kept) * scale;
        },
        out(args.dx), in(args.dout), in(args.mask));
  } else if (args.grad == Grad::Add) {
    for_elements(
        op, args.n,
        [=] __device__(T& dx, T dout, std::uint8_t kept) {
          dx += dout * static_cast<T>(kept) * scale;
        },
        in_out(args.dx), in(args.dout), in(args.mask));
  }
}

}  // namespace

PYNET_EXPORT(dropout, DropoutArgs)
PYNET_EXPORT(dropout_backward, DropoutBackwardArgs)

}  // namespace pynet::cuda
