// Matrix product: C = alpha * op(A) op(B) + beta * C + bias, then ReLU; of a gradient what a ReLU
// lets through.
#include "cuda/lane.h"
#include "cuda/product.h"
#include "cuda/product_wgmma.h"
#include "pynet/runtime.h"

namespace pynet::cuda {
namespace {

template <class T>
struct ProductStore {
  T* C;
  const T *bias, *y;
  index_t row_step, batch;
  T alpha, beta;
  bool relu;
  ColumnSums<T> beside;
  __device__ ProductStore part(index_t i) const {
    ProductStore of = *this;
    of.C += i * batch;
    if (y) of.y += i * batch;
    return of;
  }
  __device__ void put(index_t m, index_t n, T sum) const {
    T* place = C + m * row_step + n;
    *place = finished(sum, place, n);
  }
  __device__ bool packs() const {
    return row_step * sizeof(T) % 16 == 0 && reinterpret_cast<std::uintptr_t>(C) % 16 == 0;
  }
  template <int W>
  __device__ void put_pack(index_t m, index_t n, Pack<T, W> sum) const {
    T* place = C + m * row_step + n;
    PYNET_UNROLL
    for (int i = 0; i < W; ++i) sum.lane[i] = finished(sum.lane[i], place + i, n + i);
    store_pack(place, sum);
  }
  __device__ void put_pair(index_t m, index_t n, T sum, T next) const {
    T* place = C + m * row_step + n;
    const Pack<T, 2> pair{finished(sum, place, n), finished(next, place + 1, n + 1)};
    if (reinterpret_cast<std::uintptr_t>(place) % sizeof(pair) == 0) {
      store_pack(place, pair);
    } else {
      place[0] = pair.lane[0];
      place[1] = pair.lane[1];
    }
  }
  __device__ T finished(T sum, const T* place, index_t n) const {
    T c = alpha * sum;
    if (beta != 0) c += beta * *place;
    if (bias) c += bias[n];
    if (relu) c = relu_of<T>(c);
    return y ? through_relu<T>(c, y[place - C]) : c;
  }
};

template <class T>
ProductShape shape_of(const GemmArgs<T>& args) {
  return {args.M, args.N, args.K, args.batch};
}

template <class T>
Work gemm_plan(const GemmArgs<T>& args) {
  std::size_t scratch = product_scratch<T>(shape_of(args));
  if constexpr (sizeof(T) == 4) {
    const std::size_t packed = wgmma_scratch(shape_of(args), precision());
    if (packed > scratch) scratch = packed;
  }
  return plan_launch(scratch);
}
// By a launch of their own, as tensor cores leave no blocks for them.
template <class T>
void sum_columns(const ColumnSums<T>& of, const Tile& tile) {
  const SumChannelsArgs<T> args{of.y, of.x, of.N, of.C, 1};
  pick<SumChannelsArgs>(kernels().sum_channels, args).run(args, tile);
}

template <class T>
void gemm_run(const GemmArgs<T>& args, const Tile& tile) {
  const MatrixLines<T> A{args.A, args.A_row, args.A_col, args.A_batch};
  const MatrixLines<T> B{args.B, args.B_col, args.B_row, args.B_batch};
  ProductStore<T> C{args.C,     args.bias,    args.y,
                    args.C_row, args.C_batch, args.alpha,
                    args.beta,  args.relu,    {args.sums, args.B, args.K, args.N}};
  if constexpr (sizeof(T) == 4) {
    const Precision digits = precision();
    if (args.sums && digits != Precision::Float32) sum_columns(C.beside, tile);
    const std::size_t packed = wgmma_scratch(shape_of(args), digits);
    // In a recorded step, scratch memory may have been planned for another precision.
    if (packed > 0 && packed <= static_cast<std::size_t>(tile.index)) {
      return run_wgmma_product("gemm", shape_of(args), digits, A, B, C, tile.shared);
    }
  }
  run_product<T>("gemm", shape_of(args), A, B, C, tile.shared);
}

}  // namespace

PYNET_EXPORT(gemm, GemmArgs)

}  // namespace pynet::cuda
