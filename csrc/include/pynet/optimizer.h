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
//   adadelta  lr, decay_rate, eps
//   adam      lr, beta1, beta2, iter; so nadam and amsgrad
//   adamw     lr, beta1, beta2, weight_decay, iter
//   lars      lr, momentum, weight_decay, trust
//   rprop     least, most, shrink, grow
//   average   rate
struct UpdateState {
  double lr;          // or rate
  double a, b, c, d;  // the others, in the order above
  double iter;        // how many updates with this one, from 1
};

// p and the state move in place; s, r and q are what the rule keeps between steps
// (v of momentum, nesterov and lars, h of adagrad and rmsprop, h and u of adadelta, m and v of the
// adams and v_max of amsgrad, sign and step of rprop), or null.
template <class T>
struct UpdateArgs {
  T* p;        // (n)
  const T* g;  // (n)
  T* s;        // (n), or null
  T* r;        // (n), or null
  T* q;        // (n), or null
  index_t n;
  const UpdateState* state;
};

}  // namespace pynet
