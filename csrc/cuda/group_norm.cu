// Group normalisation: over the channels of a group and their pixels, sample by sample. With one
// group and one pixel per channel it is layer normalisation. Sums are taken in double precision.
#include "cuda/channels.h"
#include "cuda/lane.h"
#include "cuda/rows.h"

namespace pynet::cuda {
namespace {

// A row is what is normalised together: one group of one sample.
template <class T>
Work group_norm_plan(const GroupNormArgs<T>&) {
  return plan_launch();
}
template <class T>
void group_norm_run(const GroupNormArgs<T>& args, const Tile&) {
  const index_t S = args.S, channels = args.C / args.groups, D = channels * S;
  for_rows("group_norm", args.N * args.groups, D,
           [=] __device__(const auto& thread, const auto& join) {
             const T* x = args.x + thread.row * D;
             T* y = args.y + thread.row * D;
             const index_t c0 = thread.row % args.groups * channels;
             const double size = static_cast<double>(D);
             double sum = 0;
             for (index_t i = thread.lane; i < D; i += thread.kLanes) {
               sum += static_cast<double>(x[i]);
             }
             const double mean = join.sum(sum) / size;
             double squares = 0;
             for (index_t i = thread.lane; i < D; i += thread.kLanes) {
               const double d = static_cast<double>(x[i]) - mean;
               squares += d * d;
             }
             const double std = sqrt(join.sum(squares) / size + args.eps);
             const T middle = static_cast<T>(mean), slope = static_cast<T>(1 / std);
             // What the mean loses when it is rounded to T is given back here.
             const T rest = static_cast<T>((static_cast<double>(middle) - mean) / std);
             if (thread.lane == 0) {
               args.mean[thread.row] = middle;
               args.std[thread.row] = static_cast<T>(std);
             }
             for (index_t i = thread.lane; i < D; i += thread.kLanes) {
               const index_t c = c0 + i / S;
               y[i] = fma(args.gamma[c], fma(x[i] - middle, slope, rest), args.beta[c]);
             }
           });
}

template <class T>
Work group_norm_backward_plan(const GroupNormBackwardArgs<T>& args) {
  return plan_launch(ChannelParts(args.N, args.C, args.S).bytes(2));
}
template <class T>
void group_norm_backward_run(const GroupNormBackwardArgs<T>& args, const Tile& tile) {
  const char* op = "group_norm_backward";
  const index_t S = args.S, channels = args.C / args.groups, D = channels * S;
  const ChannelParts parts(args.N, args.C, S);
  double* partial = static_cast<double*>(tile.shared);
  sum_channels<2>(
      op, partial, parts,
      [=] __device__(double (&sum)[2], index_t i, index_t) {
        const index_t row = i / D;
        const double d = static_cast<double>(args.dout[i]);
        const double xc = static_cast<double>(args.x[i]) - static_cast<double>(args.mean[row]);
        sum[0] += d;
        sum[1] += d * xc / static_cast<double>(args.std[row]);
      },
      [=] __device__(index_t c, const double (&sum)[2]) {
        args.dbeta[c] = static_cast<T>(sum[0]);
        args.dgamma[c] = static_cast<T>(sum[1]);
      });
  if (args.grad == Grad::Skip) return;
  const bool add = args.grad == Grad::Add;
  for_rows(op, args.N * args.groups, D, [=] __device__(const auto& thread, const auto& join) {
    const index_t at = thread.row * D, c0 = thread.row % args.groups * channels;
    const T *x = args.x + at, *dout = args.dout + at;
    const T middle = args.mean[thread.row];
    const double mean = static_cast<double>(middle), size = static_cast<double>(D);
    double sum_d = 0, sum_d_xc = 0;  // of d = gamma * dout, and of d * (x - mean)
    for (index_t i = thread.lane; i < D; i += thread.kLanes) {
      const double d = static_cast<double>(args.gamma[c0 + i / S]) * static_cast<double>(dout[i]);
      sum_d += d;
      sum_d_xc += d * (static_cast<double>(x[i]) - mean);
    }
    sum_d = join.sum(sum_d);
    sum_d_xc = join.sum(sum_d_xc);
    const double slope = 1 / static_cast<double>(args.std[thread.row]);
    const T a = static_cast<T>(slope), c = static_cast<T>(sum_d / size);
    const T b = static_cast<T>(-slope * slope * slope * sum_d_xc / size);
    for (index_t i = thread.lane; i < D; i += thread.kLanes) {
      const T d = fma(b, x[i] - middle, a * (args.gamma[c0 + i / S] * dout[i] - c));
      args.dx[at + i] = add ? args.dx[at + i] + d : d;
    }
  });
}

}  // namespace

PYNET_EXPORT(group_norm, GroupNormArgs)
PYNET_EXPORT(group_norm_backward, GroupNormBackwardArgs)

}  // namespace pynet::cuda
