// Optimizer updates: each is one rule over a range of parameters.
#pragma once

#include "pynet/types.h"

namespace pynet {

// The numbers that change from step to step, read through a pointer at every run.
//   sgd       lr
//   momentum  lr, momentum
//   nesterov  lr, momentum
//   adagrad   lr
//   rmsprop   lr, decay_rate
//   adam      lr, beta1, beta2, iter
struct UpdateState {
  double lr;
  double a;     // momentum, decay_rate or beta1
  double b;     // beta2
  double iter;  // how many updates with this one, from 1
};

// p and the state move in place; s and r are what the rule keeps between steps
// (v of momentum and nesterov, h of adagrad and rmsprop, m and v of adam), or null.
template <class T>
struct UpdateArgs {
  T* p;        // (n)
  const T* g;  // (n)
  T* s;        // (n), or null
  T* r;        // (n), or null
  index_t n;
  const UpdateState* state;
};

}  // namespace pynet
