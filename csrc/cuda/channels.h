// Sums over everything but the channel of an array (N, C, S): what batch normalisation and the
// gradients of biases are made of.
//
// The N*S terms of a channel are cut into parts by the shape alone. A block sums a part of one
// channel, or, where S is 1 and the channels lie side by side, of 32 channels; then a warp adds up
// each channel's parts, in an order that follows from their number. A single part needs no second
// launch.
#pragma once

#include "cuda/reduce.h"

namespace pynet::cuda {

struct ChannelParts {
  static constexpr index_t kBlocks = 2048;  // enough for every GPU

  index_t N, C, S;
  index_t parts, length;  // of N*S terms; the length is a multiple of 4

  ChannelParts(index_t n, index_t c, index_t s) : N(n), C(c), S(s) {
    const index_t terms = N * S, groups = S == 1 ? ceil_div(C, 32) : C;
    const index_t most = groups >= kBlocks ? 1 : ceil_div(kBlocks, groups);
    // Where S is 1 only eight threads share a channel.
    const index_t wanted = S > 1 ? ceil_div(terms, 4096) : N <= kMostSummed ? 1 : ceil_div(N, 128);
    parts = wanted < 1 ? 1 : wanted < most ? wanted : most;
    length = ceil_div(ceil_div(terms, parts), 4) * 4;
    parts = terms == 0 ? 1 : ceil_div(terms, length);
  }
  // Doubles of scratch for SUMS sums of each channel.
  std::size_t bytes(int sums) const {
    return static_cast<std::size_t>(parts * C * sums) * sizeof(double);
  }
};

// The sums of a part of a channel: kept, or, where it is the only one, handed to finish(c, sum).
template <int SUMS, class Finish>
PYNET_INLINE void leave_sums(double* partial, const ChannelParts& p, index_t part, index_t c,
                             double (&sum)[SUMS], const Finish& finish) {
  if (p.parts == 1) return finish(c, sum);
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) partial[(part * p.C + c) * SUMS + k] = sum[k];
}

// All sums of channel c, for all lanes of a warp.
template <int SUMS>
PYNET_INLINE void join_parts(const double* partial, const ChannelParts& p, index_t c,
                             double (&sum)[SUMS]) {
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) {
    sum[k] = 0;
    for (index_t part = threadIdx.x % kWarpSize; part < p.parts; part += kWarpSize) {
      sum[k] += partial[(part * p.C + c) * SUMS + k];
    }
    sum[k] = warp_sum(sum[k]);
  }
}

// body is called with the sums, the element's index and its channel, for each term of a part.
template <int SUMS, class Body, class Finish>
__global__ void channel_sums_kernel(double* partial, ChannelParts p, Body body, Finish finish) {
  const index_t c = blockIdx.x, part = blockIdx.y;
  const index_t begin = part * p.length;
  const index_t end = begin + p.length < p.N * p.S ? begin + p.length : p.N * p.S;
  double sum[SUMS] = {};
  for (index_t t = begin + threadIdx.x; t < end; t += blockDim.x) {
    const index_t n = t / p.S, s = t - n * p.S;
    body(sum, (n * p.C + c) * p.S + s, c);
  }
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) sum[k] = block_sum(sum[k]);
  if (threadIdx.x == 0) leave_sums(partial, p, part, c, sum, finish);
}

// The same for S = 1: threads 32 x 8, neighbouring threads have neighbouring channels.
template <int SUMS, class Body, class Finish>
__global__ void column_sums_kernel(double* partial, ChannelParts p, Body body, Finish finish) {
  using Sums = double[8][32 * SUMS];
  PYNET_SHARED(Sums, sums);
  const index_t c = static_cast<index_t>(blockIdx.x) * 32 + threadIdx.x, part = blockIdx.y;
  const index_t begin = part * p.length, end = begin + p.length < p.N ? begin + p.length : p.N;
  double sum[SUMS] = {};
  for (index_t n = begin + threadIdx.y; c < p.C && n < end; n += 8) body(sum, n * p.C + c, c);
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) sums[threadIdx.y][threadIdx.x * SUMS + k] = sum[k];
  __syncthreads();
  if (threadIdx.y > 0 || c >= p.C) return;
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) {
    sum[k] = 0;
    for (int row = 0; row < 8; ++row) sum[k] += sums[row][threadIdx.x * SUMS + k];
  }
  leave_sums(partial, p, part, c, sum, finish);
}

// Eight channels of a block, a warp for each.
template <int SUMS, class Finish>
__global__ void join_parts_kernel(const double* partial, ChannelParts p, Finish finish) {
  const index_t c =
      static_cast<index_t>(blockIdx.x) * (kReduceThreads / kWarpSize) + threadIdx.x / kWarpSize;
  if (c >= p.C) return;
  double sum[SUMS];
  join_parts(partial, p, c, sum);
  if (threadIdx.x % kWarpSize == 0) finish(c, sum);
}
template <int SUMS, class Finish>
void finish_channels(const char* op, const double* partial, const ChannelParts& p,
                     const Finish& finish) {
  if (p.parts == 1) return;
  launch(op, join_parts_kernel<SUMS, Finish>,
         static_cast<unsigned>(ceil_div(p.C, kReduceThreads / kWarpSize)), kReduceThreads, partial,
         p, finish);
}

// finish(c, sum) is called once for each channel.
template <int SUMS, class Body, class Finish>
void sum_channels(const char* op, double* partial, const ChannelParts& p, const Body& body,
                  const Finish& finish) {
  const unsigned parts = static_cast<unsigned>(p.parts);
  if (p.S == 1) {
    launch(op, column_sums_kernel<SUMS, Body, Finish>,
           dim3(static_cast<unsigned>(ceil_div(p.C, 32)), parts), dim3(32, 8), partial, p, body,
           finish);
  } else {
    launch(op, channel_sums_kernel<SUMS, Body, Finish>, dim3(static_cast<unsigned>(p.C), parts),
           kReduceThreads, partial, p, body, finish);
  }
  finish_channels<SUMS>(op, partial, p, finish);
}

// Calls body(c) for every channel.
template <class Body>
__global__ void channels_kernel(index_t C, Body body) {
  const index_t c = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (c < C) body(c);
}
template <class Body>
void for_channels(const char* op, index_t C, const Body& body) {
  launch(op, channels_kernel<Body>, static_cast<unsigned>(ceil_div(C, 128)), 128, C, body);
}

}  // namespace pynet::cuda
