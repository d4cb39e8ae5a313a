// Softmax and the losses, fused with their last activation.
#pragma once

#include "pynet/types.h"

namespace pynet {

// Row by row over the last axis: softmax or log-softmax.
template <class T>
struct SoftmaxArgs {
  T* y;        // (N, D)
  const T* x;  // (N, D)
  index_t N, D;
};

template <class T>
struct SoftmaxBackwardArgs {
  T* dx;          // (N, D)
  const T* dout;  // (N, D)
  const T* y;     // (N, D): what forward returned
  index_t N, D;
};

// y = softmax(x), loss = mean over N of -log softmax(x) at the label.
// Labels are class numbers (labels set) or rows of weights (rows set); one of the two is null.
// With dx also what SoftmaxCrossEntropyBackwardArgs makes of y; y may be null then.
template <class T>
struct SoftmaxCrossEntropyArgs {
  T* y;                        // (N, D) probabilities, or null
  double* loss;                // one number
  const T* x;                  // (N, D) scores
  const std::int64_t* labels;  // (N), each in 0 .. D-1, or null
  const T* rows;               // (N, D) one-hot or soft, or null
  index_t N, D;
  T* dx;         // (N, D), or null
  double scale;  // of dx
};

// dx = scale * (y * sum(t) - t) / N
template <class T>
struct SoftmaxCrossEntropyBackwardArgs {
  T* dx;                       // (N, D)
  const T* y;                  // (N, D) probabilities
  const std::int64_t* labels;  // (N), or null
  const T* rows;               // (N, D), or null
  index_t N, D;
  double scale;
};

// sigmoid_cross_entropy: y = sigmoid(x), loss = sum of max(x,0) - x*t + log(1 + exp(-|x|)), over N
// squared_error:         y unused,       loss = sum of (x - t)^2 / 2, over N
template <class T>
struct PairLossArgs {
  T* y;          // (n), or null
  double* loss;  // one number
  const T* x;    // (n)
  const T* t;    // (n)
  index_t n, N;
};

// dx = scale * (y - t) / N, for both
template <class T>
struct PairLossBackwardArgs {
  T* dx;       // (n)
  const T* y;  // (n)
  const T* t;  // (n)
  index_t n, N;
  double scale;
};

}  // namespace pynet
