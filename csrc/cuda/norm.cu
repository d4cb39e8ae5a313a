// Batch normalisation (Ioffe and Szegedy, 2015), with the ReLU behind it if asked.
//
// Three launches: the sums of each channel's parts, what follows from them for each channel, and
// one pass that writes. Sums are taken in double precision.
#include "cuda/channels.h"
#include "cuda/elements.h"
#include "cuda/lane.h"

namespace pynet::cuda {
namespace {

// --- every element with its channel --------------------------------------------------------------

// Calls body(i, c) for the elements i of channel c. Planes lie on the grid's y where they are long;
// otherwise an element's channel takes a division.
template <class Body>
__global__ void planes_kernel(index_t C, index_t S, Body body) {
  const index_t plane = blockIdx.y + static_cast<index_t>(blockIdx.z) * gridDim.y;
  const index_t c = plane % C, first = plane * S;
  for (index_t s = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; s < S;
       s += static_cast<index_t>(gridDim.x) * blockDim.x) {
    body(first + s, c);
  }
}
template <class Body>
void for_channel_elements(const char* op, index_t N, index_t C, index_t S, const Body& body) {
  constexpr index_t kLong = 128, kMostPlanes = 32768;
  const index_t planes = N * C;
  if (S >= kLong && planes <= kMostPlanes) {
    const index_t wanted = ceil_div(S, 4 * kElementThreads);
    launch(op, planes_kernel<Body>,
           dim3(static_cast<unsigned>(wanted), static_cast<unsigned>(planes)), kElementThreads, C,
           S, body);
  } else {
    for_indices(op, planes * S, [=] __device__(index_t i) { body(i, i / S % C); });
  }
}

// --- forward -------------------------------------------------------------------------------------

// Behind the doubles of the parts: y = slope * (x - mean) + offset.
template <class T>
struct ForwardScratch {
  double* partial;
  T *slope, *offset;  // (C)
  ForwardScratch(const ChannelParts& parts, void* memory)
      : partial(static_cast<double*>(memory)),
        slope(reinterpret_cast<T*>(static_cast<char*>(memory) + parts.bytes(2))),
        offset(slope + parts.C) {}
};

template <class T>
Work batch_norm_plan(const BatchNormArgs<T>& args) {
  const ChannelParts parts(args.N, args.C, args.S);
  return plan_launch(parts.bytes(2) + static_cast<std::size_t>(2 * args.C) * sizeof(T));
}

template <class T>
void batch_norm_run(const BatchNormArgs<T>& args, const Tile& tile) {
  const char* op = "batch_norm";
  const ChannelParts parts(args.N, args.C, args.S);
  const ForwardScratch<T> scratch(parts, tile.shared);
  if (args.train) {
    // Of x - x[0,c,0], which keeps the sums small.
    sum_channel_parts<2>(
        op, scratch.partial, parts, [=] __device__(double (&sum)[2], index_t i, index_t c) {
          const double d =
              static_cast<double>(args.x[i]) - static_cast<double>(args.x[c * parts.S]);
          sum[0] += d;
          sum[1] += d * d;
        });
  }
  const double m = static_cast<double>(args.N * args.S);
  const double unbias = args.unbiased && m > 1 ? m / (m - 1) : 1;
  const std::int64_t* stop = stop_word();
  for_channels(op, args.C, [=] __device__(index_t c) {
    double mean, var;
    if (args.train) {
      const double sum = channel_sum<2>(scratch.partial, parts, c, 0);
      const double square = channel_sum<2>(scratch.partial, parts, c, 1);
      mean = static_cast<double>(args.x[c * parts.S]) + sum / m;
      var = (square - sum * (sum / m)) / m;
      var = var < 0 ? 0 : var;
      const auto move = [&](T* running, double value) {
        if (!running || (stop && *stop)) return;
        running[c] = static_cast<T>(args.momentum * static_cast<double>(running[c]) +
                                    (1 - args.momentum) * value);
      };
      move(args.running_mean, mean);
      move(args.running_var, var * unbias);
    } else {
      mean = static_cast<double>(args.running_mean[c]);
      var = static_cast<double>(args.running_var[c]);
    }
    const double std = sqrt(var + args.eps), slope = static_cast<double>(args.gamma[c]) / std;
    args.mean[c] = static_cast<T>(mean);
    args.std[c] = static_cast<T>(std);
    scratch.slope[c] = static_cast<T>(slope);
    // What the mean loses when it is rounded to T is given back here.
    const double lost = mean - static_cast<double>(args.mean[c]);
    scratch.offset[c] = static_cast<T>(static_cast<double>(args.beta[c]) - slope * lost);
  });
  for_channel_elements(op, args.N, args.C, args.S, [=] __device__(index_t i, index_t c) {
    const T y = fma(scratch.slope[c], args.x[i] - args.mean[c], scratch.offset[c]);
    args.y[i] = args.relu ? relu_of<T>(y) : y;
  });
}

// --- backward ------------------------------------------------------------------------------------

// Behind the doubles of the parts: dx = a*(dout - c) + b*(x - mean), c the mean of dout.
template <class T>
struct BackwardScratch {
  double* partial;
  T *a, *b, *c;  // (C)
  BackwardScratch(const ChannelParts& parts, void* memory)
      : partial(static_cast<double*>(memory)),
        a(reinterpret_cast<T*>(static_cast<char*>(memory) + parts.bytes(2))),
        b(a + parts.C),
        c(b + parts.C) {}
};

// dout as it comes, or behind a ReLU that gave y: 0 where y <= 0.
template <class T>
PYNET_INLINE T dout_at(const BatchNormBackwardArgs<T>& args, index_t i) {
  return args.y ? through_relu<T>(args.dout[i], args.y[i]) : args.dout[i];
}

template <class T>
Work batch_norm_backward_plan(const BatchNormBackwardArgs<T>& args) {
  const ChannelParts parts(args.N, args.C, args.S);
  return plan_launch(parts.bytes(2) + static_cast<std::size_t>(3 * args.C) * sizeof(T));
}

template <class T>
void batch_norm_backward_run(const BatchNormBackwardArgs<T>& args, const Tile& tile) {
  const char* op = "batch_norm_backward";
  const ChannelParts parts(args.N, args.C, args.S);
  const BackwardScratch<T> scratch(parts, tile.shared);
  sum_channel_parts<2>(
      op, scratch.partial, parts, [=] __device__(double (&sum)[2], index_t i, index_t c) {
        const double d = static_cast<double>(dout_at(args, i));
        sum[0] += d;
        sum[1] += d * (static_cast<double>(args.x[i]) - static_cast<double>(args.mean[c]));
      });
  const double m = static_cast<double>(args.N * args.S);
  for_channels(op, args.C, [=] __device__(index_t c) {
    const double dout = channel_sum<2>(scratch.partial, parts, c, 0);
    const double product = channel_sum<2>(scratch.partial, parts, c, 1);
    const double std = static_cast<double>(args.std[c]), dgamma = product / std;
    const double slope = static_cast<double>(args.gamma[c]) / std;
    args.dbeta[c] = static_cast<T>(dout);
    args.dgamma[c] = static_cast<T>(dgamma);
    scratch.a[c] = static_cast<T>(slope);
    scratch.b[c] = static_cast<T>(args.train ? -slope * dgamma / (m * std) : 0);
    scratch.c[c] = static_cast<T>(args.train ? dout / m : 0);
  });
  if (args.grad == Grad::Skip) return;
  const bool add = args.grad == Grad::Add;
  for_channel_elements(op, args.N, args.C, args.S, [=] __device__(index_t i, index_t c) {
    const T dout = dout_at(args, i);
    const T dx = args.train ? fma(scratch.b[c], args.x[i] - args.mean[c],
                                  scratch.a[c] * (dout - scratch.c[c]))
                            : scratch.a[c] * dout;
    args.dx[i] = add ? args.dx[i] + dx : dx;
  });
}

}  // namespace

PYNET_EXPORT(batch_norm, BatchNormArgs)
PYNET_EXPORT(batch_norm_backward, BatchNormBackwardArgs)

}  // namespace pynet::cuda
