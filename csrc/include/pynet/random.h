// Counter-based random numbers: Philox4x32-10 (Salmon et al., 2011), and dropout built on them.
#pragma once

#include "pynet/types.h"

namespace pynet {

// Where a stream of random numbers starts. Element i takes word i%4 of the block with the counter
// (i/4 low, i/4 high, layer, step) under the key `seed`: nothing depends on threads or order.
struct RandomState {
  std::uint64_t seed;
  std::uint32_t layer;
  std::uint32_t step;
};

// mask = u > ratio, y = x * mask * scale
template <class T>
struct DropoutArgs {
  T* y;                // (n)
  std::uint8_t* mask;  // (n)
  const T* x;          // (n)
  index_t n;
  const RandomState* state;
  const float* ratio;  // read at every run: a recorded step sees new values
  T scale;
};

// dx = dout * mask * scale
template <class T>
struct DropoutBackwardArgs {
  T* dx;                     // (n)
  const T* dout;             // (n)
  const std::uint8_t* mask;  // (n)
  index_t n;
  T scale;
  Grad grad;
};

}  // namespace pynet
