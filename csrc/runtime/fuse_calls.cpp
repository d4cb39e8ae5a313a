#include "runtime/fuse_calls.h"

#include <utility>

#include "pynet/runtime.h"

namespace pynet {
namespace {

using Calls = std::vector<std::unique_ptr<RecordedCall>>;

// The arguments of call i, if it is this kernel in this data type; else null.
template <template <class> class Args, class T>
Args<T>* match(Calls& calls, std::size_t i, const KernelPair<Args>& kernel) {
  if (i >= calls.size() || calls[i]->kernel != &kernel) return nullptr;
  auto* call = dynamic_cast<RecordedCallOf<Args<T>>*>(calls[i].get());
  return call ? &call->args : nullptr;
}

// How many calls use the value at this address.
std::size_t uses(Calls& calls, const void* value) {
  std::size_t count = 0;
  for (const auto& call : calls) {
    for (const Operand& operand : call->operands()) count += operand.data == value;
  }
  return count;
}

// y = f(x), then relu(y): f does both. Nobody else may look at what f made.
template <class Args, class T>
bool take_relu_in(Calls& calls, Args* args, T* y, const ActivationArgs<T>* relu) {
  if (!args || !relu || args->relu || relu->x != y || uses(calls, y) != 2) return false;
  args->y = relu->y;
  args->relu = true;
  return true;
}

// Whether C is n elements without a gap.
template <class T>
bool is_whole(const GemmArgs<T>& gemm, index_t n) {
  return gemm.C_row == gemm.N && n == gemm.batch * gemm.M * gemm.N;
}

// One attempt at calls i and i + 1; true where call i now does both, *second where i + 1 does.
template <class T>
bool fuse_forward(Calls& calls, std::size_t i) {
  const KernelTable& table = kernels();
  const auto* relu = match<ActivationArgs, T>(calls, i + 1, table.relu);
  if (!relu) return false;
  if (auto* conv = match<Conv2dArgs, T>(calls, i, table.conv2d)) {
    return take_relu_in(calls, conv, conv->y, relu);
  }
  if (auto* norm = match<BatchNormArgs, T>(calls, i, table.batch_norm)) {
    return take_relu_in(calls, norm, norm->y, relu);
  }
  auto* gemm = match<GemmArgs, T>(calls, i, table.gemm);
  if (!gemm || gemm->relu || relu->x != gemm->C || !is_whole(*gemm, relu->n) ||
      uses(calls, gemm->C) != 2) {
    return false;
  }
  gemm->C = relu->y;
  gemm->relu = true;
  return true;
}

// The forward call that made a winner's place `arg`.
template <class T>
const MaxPool2dArgs<T>* pooling_of(Calls& calls, const std::int32_t* arg) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto* pool = match<MaxPool2dArgs, T>(calls, i, kernels().max_pool2d);
    if (pool && pool->arg == arg) return pool;
  }
  return nullptr;
}

bool side_by_side(const PoolShape& s) {
  return s.stride_h == s.FH && s.stride_w == s.FW && s.pad_h == 0 && s.pad_w == 0;
}

// conv2d, then max_pool2d over windows side by side: of what was pooled nothing is kept. Nobody
// else may look at it, which is so once the gradient of relu comes with that of the pooling.
template <class T>
std::unique_ptr<RecordedCall> conv_with_pooling(Calls& calls, std::size_t i) {
  const auto* conv = match<Conv2dArgs, T>(calls, i, kernels().conv2d);
  const auto* pool = match<MaxPool2dArgs, T>(calls, i + 1, kernels().max_pool2d);
  if (!conv || !pool || pool->x != conv->y || !side_by_side(pool->s) || uses(calls, conv->y) != 2) {
    return nullptr;
  }
  Conv2dMaxPool2dArgs<T> args{};
  args.y = pool->y, args.arg = pool->arg;
  args.x = conv->x, args.W = conv->W, args.b = conv->b;
  args.s = conv->s, args.pool = pool->s;
  args.relu = conv->relu, args.winograd = conv->winograd;
  const auto& kernel = kernels().conv2d_max_pool2d;
  auto call = std::make_unique<RecordedCallOf<Conv2dMaxPool2dArgs<T>>>(
      pick<Conv2dMaxPool2dArgs>(kernel, args), args);
  call->kernel = &kernel;
  call->label = calls[i]->label;
  call->name = calls[i]->name + " + " + calls[i + 1]->name;
  call->plan();
  return call;
}

// max_pool2d_backward, then relu_backward: what was pooled was relu's output, so that its sign at
// a winner is that of the pooled value.
template <class T>
bool fuse_pooling_backward(Calls& calls, std::size_t i) {
  auto* back = match<MaxPool2dBackwardArgs, T>(calls, i, kernels().max_pool2d_backward);
  const auto* relu = match<ActivationBackwardArgs, T>(calls, i + 1, kernels().relu_backward);
  if (!back || !relu || back->y || back->grad != Grad::Write || relu->grad != Grad::Write ||
      relu->dout != back->dx || uses(calls, back->dx) != 2) {
    return false;
  }
  const MaxPool2dArgs<T>* pool = pooling_of<T>(calls, back->arg);
  if (!pool || pool->x != relu->y) return false;
  back->y = pool->y;
  back->dx = relu->dx;
  return true;
}

// Whether products of the backward pass take more along: on a GPU each call less is a launch less,
// and relu_backward a pass over the gradient; on a CPU sums are stored in a dozen places, each of
// which would have to know of it.
#if defined(PYNET_CUDA_MODULE)
constexpr bool kGradientsTogether = true;
#else
constexpr bool kGradientsTogether = false;
#endif

// The gradient of a layer's weights, then that of its biases.
template <class T>
bool fuse_bias_gradient(Calls& calls, std::size_t i) {
  auto* gemm = match<GemmArgs, T>(calls, i, kernels().gemm);
  const auto* sum = match<SumChannelsArgs, T>(calls, i + 1, kernels().sum_channels);
  if (!kGradientsTogether || !gemm || !sum || gemm->sums || sum->x != gemm->B || gemm->batch != 1 ||
      gemm->B_row != gemm->N || gemm->B_col != 1 || sum->S != 1 || sum->N != gemm->K ||
      sum->C != gemm->N || gemm->K > kMostSummed) {
    return false;
  }
  gemm->sums = sum->y;
  return true;
}

// The gradient of the input of a layer, then relu_backward of the ReLU in front of it. Nobody else
// may look at the gradient.
template <class T>
bool fuse_relu_backward(Calls& calls, std::size_t i) {
  const auto* relu = match<ActivationBackwardArgs, T>(calls, i + 1, kernels().relu_backward);
  if (!kGradientsTogether || !relu || uses(calls, relu->dout) != 2) return false;
  if (auto* conv = match<Conv2dDxArgs, T>(calls, i, kernels().conv2d_dx)) {
    if (conv->dx != relu->dout || conv->grad != Grad::Write || conv->y ||
        relu->n != operand::image(conv->s)) {
      return false;
    }
    conv->y = relu->y;
    conv->dx = relu->dx;
    conv->grad = relu->grad;
    return true;
  }
  auto* gemm = match<GemmArgs, T>(calls, i, kernels().gemm);
  if (!gemm || gemm->C != relu->dout || gemm->beta != 0 || gemm->y || !is_whole(*gemm, relu->n) ||
      relu->grad != Grad::Write) {
    return false;
  }
  gemm->y = relu->y;
  gemm->C = relu->dx;
  return true;
}

// relu_backward, then batch_norm_backward of the normalisation in front of it.
template <class T>
bool fuse_norm_backward(Calls& calls, std::size_t i) {
  const auto* relu = match<ActivationBackwardArgs, T>(calls, i, kernels().relu_backward);
  auto* back = match<BatchNormBackwardArgs, T>(calls, i + 1, kernels().batch_norm_backward);
  if (!relu || !back || back->y || relu->grad != Grad::Write || back->dout != relu->dx ||
      uses(calls, relu->dx) != 2) {
    return false;
  }
  back->y = relu->y;
  back->dout = relu->dout;
  return true;
}

// softmax_cross_entropy, then its gradient: the scores are read once, and the probabilities are
// not kept where nobody else looks at them.
template <class T>
bool fuse_loss_with_gradient(Calls& calls, std::size_t i) {
  auto* loss = match<SoftmaxCrossEntropyArgs, T>(calls, i, kernels().softmax_cross_entropy);
  const auto* back = match<SoftmaxCrossEntropyBackwardArgs, T>(
      calls, i + 1, kernels().softmax_cross_entropy_backward);
  if (!loss || !back || loss->dx || back->y != loss->y || back->labels != loss->labels ||
      back->rows != loss->rows) {
    return false;
  }
  if (uses(calls, loss->y) == 2) loss->y = nullptr;
  loss->dx = back->dx;
  loss->scale = back->scale;
  return true;
}

// Calls i and i + 1, both before the boundary or both behind it.
using Fuse = bool (*)(Calls& calls, std::size_t i);

void fuse_pairs(Calls& calls, std::size_t* boundary, Fuse fuse) {
  for (std::size_t i = 0; i + 1 < calls.size();) {
    const std::size_t before = calls.size();
    if (i + 1 == *boundary || !fuse(calls, i)) {
      ++i;
      continue;
    }
    if (i < *boundary) *boundary -= before - calls.size();
  }
}

// Call `stays` does what both did.
void join(Calls& calls, std::size_t i, std::size_t stays) {
  calls[stays]->name = calls[i]->name + " + " + calls[i + 1]->name;
  calls[stays]->plan();
  calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(stays == i ? i + 1 : i));
}

template <class T>
bool fuse_once(Calls& calls, std::size_t i) {
  if (fuse_forward<T>(calls, i) || fuse_pooling_backward<T>(calls, i) ||
      fuse_relu_backward<T>(calls, i) || fuse_bias_gradient<T>(calls, i) ||
      fuse_loss_with_gradient<T>(calls, i)) {
    join(calls, i, i);
    return true;
  }
  if (!fuse_norm_backward<T>(calls, i)) return false;
  join(calls, i, i + 1);
  return true;
}

template <class T>
bool fuse_conv_with_pooling(Calls& calls, std::size_t i) {
  std::unique_ptr<RecordedCall> call = conv_with_pooling<T>(calls, i);
  if (!call) return false;
  calls[i] = std::move(call);
  calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(i + 1));
  return true;
}

}  // namespace

void fuse_calls(Calls& calls, std::size_t* boundary) {
  fuse_pairs(calls, boundary, [](Calls& all, std::size_t i) {
    return fuse_once<float>(all, i) || fuse_once<double>(all, i);
  });
  fuse_pairs(calls, boundary, [](Calls& all, std::size_t i) {
    return fuse_conv_with_pooling<float>(all, i) || fuse_conv_with_pooling<double>(all, i);
  });
}

}  // namespace pynet
