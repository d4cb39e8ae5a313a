#include "cuda/reduce.h"

#include "cuda/planes.h"

namespace pynet::cuda {
namespace {

// --- sums of all elements ------------------------------------------------------------------------

// Block i sums the terms of part i.
template <class T, class Term>
__global__ void sum_parts_kernel(double* partial, const T* x, index_t n, Term term) {
  const index_t length = ceil_div(n, gridDim.x);
  const index_t begin = blockIdx.x * length, end = begin + length < n ? begin + length : n;
  double sum = 0;
  for (index_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    sum += term(static_cast<double>(x[i]));
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void add_partials_kernel(double* result, const double* partial, index_t n,
                                    double divisor) {
  double sum = 0;
  for (index_t i = threadIdx.x; i < n; i += blockDim.x) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *result = sum / divisor;
}

struct Itself {
  PYNET_INLINE double operator()(double v) const { return v; }
};
struct Square {
  PYNET_INLINE double operator()(double v) const { return v * v; }
};

template <class T>
Work plan_sum(const SumArgs<T>& args) {
  return plan_launch(static_cast<std::size_t>(parts_of(args.n)) * sizeof(double));
}
template <class T, class Term>
void run_sum(const char* op, const SumArgs<T>& args, const Tile& tile, Term term) {
  double* partial = static_cast<double*>(tile.shared);
  const index_t parts = parts_of(args.n);
  launch(op, sum_parts_kernel<T, Term>, static_cast<unsigned>(parts), kReduceThreads, partial,
         args.x, args.n, term);
  add_partials(op, args.result, partial, parts, 1);
}

template <class T>
Work sum_plan(const SumArgs<T>& args) {
  return plan_sum(args);
}
template <class T>
void sum_run(const SumArgs<T>& args, const Tile& tile) {
  run_sum("sum", args, tile, Itself{});
}
template <class T>
Work sum_squares_plan(const SumArgs<T>& args) {
  return plan_sum(args);
}
template <class T>
void sum_squares_run(const SumArgs<T>& args, const Tile& tile) {
  run_sum("sum_squares", args, tile, Square{});
}

// --- sums per channel ----------------------------------------------------------------------------

template <class T>
struct AddItself {
  PYNET_INLINE AddItself of(index_t) const { return {}; }
  PYNET_INLINE void operator()(double (&sum)[1], T x) const { sum[0] += static_cast<double>(x); }
};

template <class T>
Work sum_channels_plan(const SumChannelsArgs<T>& args) {
  return plan_launch(ChannelParts(args.N, args.C, args.S).bytes(1));
}
template <class T>
void sum_channels_run(const SumChannelsArgs<T>& args, const Tile& tile) {
  const char* op = "sum_channels";
  const ChannelParts parts(args.N, args.C, args.S);
  double* partial = static_cast<double*>(tile.shared);
  const T* x = args.x;
  T* y = args.y;
  const auto finish = [=] __device__(index_t c, const double (&sum)[1]) {
    y[c] = static_cast<T>(sum[0]);
  };
  if (args.S > 1) {
    sum_planes<1, T>(op, partial, parts, AddItself<T>{}, finish, in(x));
    return finish_channels<1>(op, partial, parts, finish);
  }
  sum_channels<1>(
      op, partial, parts,
      [=] __device__(double (&sum)[1], index_t i, index_t) { sum[0] += static_cast<double>(x[i]); },
      finish);
}

}  // namespace

void add_partials(const char* op, double* result, const double* partial, index_t n,
                  double divisor) {
  launch(op, add_partials_kernel, 1, kReduceThreads, result, partial, n, divisor);
}

PYNET_EXPORT(sum, SumArgs)
PYNET_EXPORT(sum_squares, SumArgs)
PYNET_EXPORT(sum_channels, SumChannelsArgs)

}  // namespace pynet::cuda
