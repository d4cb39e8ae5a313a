// Batch normalisation (Ioffe and Szegedy, 2015), per column of (N, C) or per channel of (N, C, S),
// group normalisation (Wu and He, 2018) and local response normalisation (Krizhevsky et al., 2012).
#pragma once

#include "pynet/types.h"

namespace pynet {

// Training: mean, std = sqrt(var + eps) of the batch are written, the running values (if given)
// move by r = momentum*r + (1-momentum)*batch value.
// Test: mean and std are taken from the running values and written too.
// y = gamma * (x - mean) / std + beta, with relu the larger of that and 0
template <class T>
struct BatchNormArgs {
  T* y;             // (N, C, S)
  T* mean;          // (C)
  T* std;           // (C)
  T* running_mean;  // (C), or null
  T* running_var;   // (C), or null
  const T* x;       // (N, C, S)
  const T* gamma;   // (C)
  const T* beta;    // (C)
  index_t N, C, S;  // S = H*W, or 1
  double momentum, eps;
  bool train, unbiased, relu;
};

// xn = (x - mean)/std; dbeta = sum dout; dgamma = sum dout*xn;
// training: dx = gamma/std * (dout - dbeta/m - xn*dgamma/m), m = N*S; test: dx = gamma/std * dout.
// With y, what a forward with relu returned, dout counts as 0 where y <= 0.
template <class T>
struct BatchNormBackwardArgs {
  T* dx;           // (N, C, S)
  T* dgamma;       // (C)
  T* dbeta;        // (C)
  const T* dout;   // (N, C, S)
  const T* x;      // (N, C, S)
  const T* gamma;  // (C)
  const T* mean;   // (C)
  const T* std;    // (C)
  index_t N, C, S;
  bool train;
  Grad grad;   // for dx; dgamma and dbeta are always written
  const T* y;  // (N, C, S), or null
};

// mean, std = sqrt(var + eps) of each group of C/groups channels of each sample are written;
// y = gamma * (x - mean) / std + beta
template <class T>
struct GroupNormArgs {
  T* y;            // (N, C, S)
  T* mean;         // (N, groups)
  T* std;          // (N, groups)
  const T* x;      // (N, C, S)
  const T* gamma;  // (C)
  const T* beta;   // (C)
  index_t N, C, S, groups;
  double eps;
};

// xn = (x - mean)/std; dbeta = sum dout; dgamma = sum dout*xn; with d = gamma*dout and means over
// a sample's group: dx = (d - mean(d) - xn*mean(d*xn)) / std
template <class T>
struct GroupNormBackwardArgs {
  T* dx;           // (N, C, S)
  T* dgamma;       // (C)
  T* dbeta;        // (C)
  const T* dout;   // (N, C, S)
  const T* x;      // (N, C, S)
  const T* gamma;  // (C)
  const T* mean;   // (N, groups)
  const T* std;    // (N, groups)
  index_t N, C, S, groups;
  Grad grad;  // for dx; dgamma and dbeta are always written
};

// scale = k + alpha * the sum of x^2 over the channels c - n/2 .. c + (n-1)/2; y = x * scale^-beta
template <class T>
struct LocalResponseNormArgs {
  T* y;        // (N, C, S)
  T* scale;    // (N, C, S)
  const T* x;  // (N, C, S)
  index_t N, C, S, n;
  T k, alpha, beta;
};

// dx = dout*scale^-beta - 2*alpha*beta*x * the sum of dout*y/scale over the channels whose sums
// hold this one, c - (n-1)/2 .. c + n/2
template <class T>
struct LocalResponseNormBackwardArgs {
  T* dx;           // (N, C, S)
  const T* dout;   // (N, C, S)
  const T* x;      // (N, C, S)
  const T* y;      // (N, C, S)
  const T* scale;  // (N, C, S)
  index_t N, C, S, n;
  T alpha, beta;
  Grad grad;
};

}  // namespace pynet
