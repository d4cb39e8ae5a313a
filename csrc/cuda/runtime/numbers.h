// The numbers that kernels read or write through a pointer (learning rate, step count, a loss), for
// calls that are not recorded: in memory of the host that the device sees.
//
//   BorrowedNumbers<SumArgs<T>> numbers(&args);   // args.result now leads to such memory
//   ... launch ...
//   numbers.bring_back();                         // waits; the caller's double has the sum
#pragma once

#include "pynet/recording.h"

namespace pynet::cuda {

// The next of a ring of places for this thread's stream; waits when it comes round.
StepNumbers* numbers_place();

void synchronize();

// Which structs have such pointers, and the place that a kernel writes a number to, or null.
template <class Args>
constexpr bool kHasNumbers = false;
template <class T>
constexpr bool kHasNumbers<UpdateArgs<T>> = true;
template <class T>
constexpr bool kHasNumbers<DropoutArgs<T>> = true;
template <class T>
constexpr bool kHasNumbers<SoftmaxCrossEntropyArgs<T>> = true;
template <class T>
constexpr bool kHasNumbers<PairLossArgs<T>> = true;
template <class T>
constexpr bool kHasNumbers<SumArgs<T>> = true;

template <class Args>
double** result_of(Args&) {
  return nullptr;
}
template <class T>
double** result_of(SoftmaxCrossEntropyArgs<T>& args) {
  return &args.loss;
}
template <class T>
double** result_of(PairLossArgs<T>& args) {
  return &args.loss;
}
template <class T>
double** result_of(SumArgs<T>& args) {
  return &args.result;
}

template <class Args>
class BorrowedNumbers {
 public:
  explicit BorrowedNumbers(Args* args) : args_(args) {
    if (double** result = result_of(*args)) callers_ = *result;
    if constexpr (kHasNumbers<Args>) own_numbers(*args, *numbers_place());
  }
  void bring_back() {
    if (!callers_) return;
    synchronize();
    *callers_ = **result_of(*args_);
  }

 private:
  Args* args_;
  double* callers_ = nullptr;
};

}  // namespace pynet::cuda
