// Batch normalisation (Ioffe and Szegedy, 2015), per column of (N, C) or per channel of (N, C, S).
#pragma once

#include "pynet/types.h"

namespace pynet {

// Training: mean, std = sqrt(var + eps) of the batch are written, the running values (if given)
// move by r = momentum*r + (1-momentum)*batch value.
// Test: mean and std are taken from the running values and written too.
// y = gamma * (x - mean) / std + beta
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
  bool train, unbiased;
};

// xn = (x - mean)/std; dbeta = sum dout; dgamma = sum dout*xn;
// training: dx = gamma/std * (dout - dbeta/m - xn*dgamma/m), m = N*S; test: dx = gamma/std * dout
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
  Grad grad;  // for dx; dgamma and dbeta are always written
};

}  // namespace pynet
