// Activations, element by element. Backward takes the forward's output y.
#pragma once

#include "pynet/types.h"

namespace pynet {

template <class T>
struct ActivationArgs {
  T* y;        // (n)
  const T* x;  // (n)
  index_t n;
};

template <class T>
struct ActivationBackwardArgs {
  T* dx;          // (n)
  const T* dout;  // (n)
  const T* y;     // (n): what forward returned
  index_t n;
  Grad grad;
};

}  // namespace pynet
