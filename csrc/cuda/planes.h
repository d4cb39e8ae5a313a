// The planes of an array (N, C, S), S > 1, channel by channel: sums over them, and maps whose
// numbers are those of the channel.
//
// A block takes a part of one channel (channels.h), 16 bytes of each array at a time where S is a
// multiple of that; several such loads of a thread are on their way at once. Maps begin with the
// parts that the sums have read last: they may still be in the cache.
#pragma once

#include "cuda/channels.h"
#include "cuda/divider.h"
#include "cuda/elements.h"
#include "cuda/runtime/require.h"

namespace pynet::cuda {

// The packs of W terms of a part.
struct PlaneWalk {
  index_t C;
  int W, packs, length, all;  // packs of a plane, of a part, of a channel
  Divider by_packs;

  PlaneWalk(const ChannelParts& p, int w)
      : C(p.C),
        W(w),
        packs(static_cast<int>(p.S / w)),
        length(static_cast<int>(p.length / w)),
        all(static_cast<int>(p.N * p.S / w)),
        by_packs(p.S / w) {}
  __host__ __device__ int end(int part) const {
    const index_t behind = (static_cast<index_t>(part) + 1) * length;
    return behind < all ? static_cast<int>(behind) : all;
  }
  // The first element of pack t of channel c.
  __host__ __device__ index_t element(int t, index_t c) const {
    const int n = static_cast<int>(by_packs.quotient(static_cast<std::uint32_t>(t)));
    return ((n * C + c) * packs + (t - n * packs)) * W;
  }
};

// A bit for each element, W to a byte: what one pass found out, for the next one.
template <int W, bool WRITE>
struct BitSlot {
  std::uint8_t* place;
  struct {
    bool lane[W];
  } pack;
  PYNET_INLINE BitSlot(std::uint8_t* p) : place(p) {
    const unsigned byte = WRITE ? 0 : *place;
    PYNET_UNROLL
    for (int k = 0; k < W; ++k) pack.lane[k] = byte >> k & 1;
  }
  PYNET_INLINE void close() const {
    if constexpr (WRITE) {
      unsigned byte = 0;
      PYNET_UNROLL
      for (int k = 0; k < W; ++k) byte |= static_cast<unsigned>(pack.lane[k]) << k;
      *place = static_cast<std::uint8_t>(byte);
    }
  }
};
template <bool WRITE>
struct BitPort {
  std::uint8_t* p;
  template <int W, bool ALIGNED = true>
  PYNET_INLINE BitSlot<W, WRITE> open(index_t i) const {
    return BitSlot<W, WRITE>(p + i / W);
  }
};

template <int W, int SUMS, class Body, class... S>
PYNET_INLINE void add_pack(double (&sum)[SUMS], const Body& body, S... slot) {
  PYNET_UNROLL
  for (int k = 0; k < W; ++k) body(sum, slot.pack.lane[k]...);
  (slot.close(), ...);
}

// body.of(c) is what adds to the sums of channel c, given an element of each array.
template <int SUMS, int W, bool ALIGNED, class Body, class Finish, class... P>
__global__ void __launch_bounds__(kReduceThreads)
    plane_sums_kernel(double* partial, ChannelParts p, PlaneWalk walk, Body body, Finish finish,
                      P... port) {
  const int c = static_cast<int>(blockIdx.x), part = static_cast<int>(blockIdx.y);
  const auto add = body.of(c);
  const int end = walk.end(part);
  double sum[SUMS] = {};
  PYNET_UNROLL_BY(4)
  for (int t = part * walk.length + static_cast<int>(threadIdx.x); t < end; t += kReduceThreads) {
    add_pack<W>(sum, add, port.template open<W, ALIGNED>(walk.element(t, c))...);
  }
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) sum[k] = block_sum(sum[k]);
  if (threadIdx.x == 0) leave_sums(partial, p, part, c, sum, finish);
}

// make.of(c, leads) is the function of the elements of channel c; `leads` for one block of each.
template <int W, bool ALIGNED, class Make, class... P>
__global__ void __launch_bounds__(kReduceThreads)
    plane_map_kernel(PlaneWalk walk, Make make, P... port) {
  const int c = static_cast<int>(blockIdx.x);
  const int part = static_cast<int>(gridDim.y - 1 - blockIdx.y);
  const auto f = make.of(c, part == 0);
  const int end = walk.end(part);
  PYNET_UNROLL_BY(2)
  for (int t = part * walk.length + static_cast<int>(threadIdx.x); t < end; t += kReduceThreads) {
    call_on<W>(f, port.template open<W, ALIGNED>(walk.element(t, c))...);
  }
}

// Terms to a pack: 16 bytes of them, where planes are a multiple of that.
template <class T>
int pack_terms(index_t S) {
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  return S % W == 0 ? W : 1;
}

inline void require_countable(const char* op, const ChannelParts& p) {
  require(p.N * p.S < (index_t{1} << 31), op,
          "x: expected fewer than 2^31 elements in a channel, got more");
}

// Calls with(W, aligned) as numbers of the compiler, for arrays of T at these addresses.
template <class T, class With, class... P>
void with_packs(const ChannelParts& p, const With& with, const P&... port) {
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  if (pack_terms<T>(p.S) == 1) return with(Number<1>{}, Number<1>{});
  if ((is_aligned(port.p, W) && ...)) return with(Number<W>{}, Number<1>{});
  with(Number<W>{}, Number<0>{});
}

template <int SUMS, class T, class Body, class Finish, class... P>
void sum_planes(const char* op, double* partial, const ChannelParts& p, const Body& body,
                const Finish& finish, const P&... port) {
  require_countable(op, p);
  const dim3 grid(static_cast<unsigned>(p.C), static_cast<unsigned>(p.parts));
  with_packs<T>(
      p,
      [&](auto width, auto aligned) {
        constexpr int W = decltype(width)::value;
        constexpr bool ALIGNED = decltype(aligned)::value;
        launch(op, plane_sums_kernel<SUMS, W, ALIGNED, Body, Finish, P...>, grid, kReduceThreads,
               partial, p, PlaneWalk(p, W), body, finish, port...);
      },
      port...);
}

// Without `write` what is made of each channel is all.
template <class T, class Make, class... P>
void map_planes(const char* op, const ChannelParts& p, const Make& make, bool write,
                const P&... port) {
  require_countable(op, p);
  const dim3 grid(static_cast<unsigned>(p.C), static_cast<unsigned>(p.parts));
  with_packs<T>(
      p,
      [&](auto width, auto aligned) {
        constexpr int W = decltype(width)::value;
        constexpr bool ALIGNED = decltype(aligned)::value;
        PlaneWalk walk(p, W);
        walk.all = write ? walk.all : 0;
        launch(op, plane_map_kernel<W, ALIGNED, Make, P...>, grid, kReduceThreads, walk, make,
               port...);
      },
      port...);
}

}  // namespace pynet::cuda
