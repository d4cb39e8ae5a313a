// Sums over everything but the channel of an array (N, C, S): what batch normalisation and the
// gradients of biases are made of.
//
// The N*S terms of a channel are cut into parts by the shape alone. A block sums a part of one
// channel, or, where S is 1 and the channels lie side by side, of 32 channels; then each channel's
// parts are added in their order.
#pragma once

#include "cuda/reduce.h"

namespace pynet::cuda {

struct ChannelParts {
  index_t N, C, S;
  index_t parts, length;  // of N*S terms

  ChannelParts(index_t n, index_t c, index_t s) : N(n), C(c), S(s) {
    const index_t terms = N * S, most = C >= 1024 ? 1 : ceil_div(1024, C);
    const index_t wanted = ceil_div(terms, 2048);
    parts = wanted < 1 ? 1 : wanted < most ? wanted : most;
    length = ceil_div(terms, parts);
    parts = terms == 0 ? 1 : ceil_div(terms, length);
  }
  // Doubles of scratch for SUMS sums of each channel.
  std::size_t bytes(int sums) const {
    return static_cast<std::size_t>(parts * C * sums) * sizeof(double);
  }
};

// partial[(part * C + c) * SUMS + k] = the sum of what body adds for the terms of the part. body is
// called with the sums, the element's index and its channel. Where there is one part, Sum may be
// the type of the result.
template <int SUMS, class Sum, class Body>
__global__ void channel_sums_kernel(Sum* partial, ChannelParts p, Body body) {
  const index_t c = blockIdx.x, part = blockIdx.y;
  const index_t begin = part * p.length;
  const index_t end = begin + p.length < p.N * p.S ? begin + p.length : p.N * p.S;
  double sum[SUMS] = {};
  for (index_t t = begin + threadIdx.x; t < end; t += blockDim.x) {
    const index_t n = t / p.S, s = t - n * p.S;
    body(sum, (n * p.C + c) * p.S + s, c);
  }
  PYNET_UNROLL
  for (int k = 0; k < SUMS; ++k) {
    const double all = block_sum(sum[k]);
    if (threadIdx.x == 0) partial[(part * p.C + c) * SUMS + k] = static_cast<Sum>(all);
  }
}

// The same for S = 1: threads 32 x 8, neighbouring threads have neighbouring channels.
template <int SUMS, class Sum, class Body>
__global__ void column_sums_kernel(Sum* partial, ChannelParts p, Body body) {
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
    double all = 0;
    for (int row = 0; row < 8; ++row) all += sums[row][threadIdx.x * SUMS + k];
    partial[(part * p.C + c) * SUMS + k] = static_cast<Sum>(all);
  }
}

template <int SUMS, class Sum, class Body>
void sum_channel_parts(const char* op, Sum* partial, const ChannelParts& p, const Body& body) {
  const unsigned parts = static_cast<unsigned>(p.parts);
  if (p.S == 1) {
    launch(op, column_sums_kernel<SUMS, Sum, Body>,
           dim3(static_cast<unsigned>(ceil_div(p.C, 32)), parts), dim3(32, 8), partial, p, body);
  } else {
    launch(op, channel_sums_kernel<SUMS, Sum, Body>, dim3(static_cast<unsigned>(p.C), parts),
           kReduceThreads, partial, p, body);
  }
}

// Sum k of channel c, its parts in their order.
template <int SUMS>
PYNET_INLINE double channel_sum(const double* partial, const ChannelParts& p, index_t c, int k) {
  double sum = 0;
  for (index_t part = 0; part < p.parts; ++part) sum += partial[(part * p.C + c) * SUMS + k];
  return sum;
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
