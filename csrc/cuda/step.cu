#include "cuda/step.h"

#include "cuda/elements.h"
#include "cuda/reduce.h"

namespace pynet::cuda {
namespace {

template <class Unit>
PYNET_INLINE void copy_row(const Rows& rows, index_t to, index_t from) {
  const index_t units = rows.bytes / static_cast<index_t>(sizeof(Unit));
  const Unit* source = reinterpret_cast<const Unit*>(rows.from) + from * units;
  Unit* target = reinterpret_cast<Unit*>(rows.to) + to * units;
  for (index_t i = threadIdx.x; i < units; i += blockDim.x) target[i] = source[i];
}

PYNET_INLINE void take_labels(const StepBegin& b) {
  index_t first = b.rows;
  for (index_t i = threadIdx.x; i < b.rows; i += kReduceThreads) {
    if (b.from_labels) b.labels[i] = b.from_labels[b.index[i]];
    const std::int64_t label = b.labels[i];
    if ((label < 0 || label >= b.classes) && i < first) first = i;
  }
  first = block_least(first);
  if (threadIdx.x > 0 || first == b.rows || b.guard->stop) return;
  b.guard->stop = 1;
  b.outcome->report = {"step", "t", first, b.labels[first], b.classes, b.wraps};
  b.outcome->replay = b.replay;
}

// Block 0 takes numbers and labels, each of the others a row of the batch.
template <class Unit>
__global__ void begin_step_kernel(StepBegin b) {
  if (blockIdx.x > 0) {
    const index_t row = blockIdx.x - 1, from = b.index[row];
    copy_row<Unit>(b.x, row, from);
    if (b.t.from) copy_row<float>(b.t, row, from);
    return;
  }
  for (index_t i = threadIdx.x; i < b.calls; i += kReduceThreads) b.numbers[i] = b.given[i];
  if (threadIdx.x == 0) {
    b.guard->replay = b.replay;
    b.guard->kept = b.kept;
  }
  if (b.labels) take_labels(b);
}

// marks[block] = 1 where one of the block's gradients is not finite.
template <class T>
__global__ void mark_kernel(int* marks, const T* grads, index_t n) {
  double wrong = 0;
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += static_cast<index_t>(gridDim.x) * blockDim.x) {
    if (grads[i] - grads[i] != 0) wrong = 1;  // of inf and NaN that is NaN
  }
  wrong = block_sum(wrong);
  if (threadIdx.x == 0) marks[blockIdx.x] = wrong != 0;
}

__global__ void check_step_kernel(const int* marks, int count, const double* loss, Guard* guard,
                                  Outcome* outcome) {
  double wrong = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
    wrong += marks[i];
  }
  wrong = block_sum(wrong);
  if (threadIdx.x > 0) return;
  if (guard->kept) *guard->kept = *loss;
  if ((wrong == 0 && *loss - *loss == 0) || guard->stop) return;
  guard->stop = 1;
  outcome->report.op = nullptr;
  outcome->replay = guard->replay;
}

}  // namespace

void begin_step(const StepBegin& b) {
  const unsigned rows = b.x.from ? static_cast<unsigned>(b.rows) : 0;
  constexpr index_t kWide = static_cast<index_t>(sizeof(float4));
  const bool wide = b.x.bytes % kWide == 0 &&
                    is_aligned(reinterpret_cast<const float*>(b.x.to), 4) &&
                    is_aligned(reinterpret_cast<const float*>(b.x.from), 4);
  if (wide) {
    launch("step", begin_step_kernel<float4>, 1 + rows, kReduceThreads, b);
  } else {
    launch("step", begin_step_kernel<float>, 1 + rows, kReduceThreads, b);
  }
}

template <class T>
void check_step(const T* grads, index_t n, const double* loss, int* marks, Guard* guard,
                Outcome* outcome) {
  const index_t wanted = ceil_div(n, 4 * kReduceThreads);
  const unsigned blocks = wanted < kMostMarks ? static_cast<unsigned>(wanted) : kMostMarks;
  launch("step", mark_kernel<T>, blocks, kReduceThreads, marks, grads, n);
  launch("step", check_step_kernel, 1, kReduceThreads, marks, static_cast<int>(blocks), loss, guard,
         outcome);
}
template void check_step(const float*, index_t, const double*, int*, Guard*, Outcome*);
template void check_step(const double*, index_t, const double*, int*, Guard*, Outcome*);

}  // namespace pynet::cuda
