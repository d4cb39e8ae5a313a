// Sums and multiples, element by element.
#pragma once

#include "pynet/types.h"

namespace pynet {

// y = a + b
template <class T>
struct AddArgs {
  T* y;        // (n)
  const T* a;  // (n)
  const T* b;  // (n)
  index_t n;
};

// y = alpha * x
template <class T>
struct ScaleArgs {
  T* y;        // (n)
  const T* x;  // (n)
  index_t n;
  T alpha;
};

// y = x, held between low and high; NaN passes
template <class T>
struct ClipArgs {
  T* y;        // (n)
  const T* x;  // (n)
  index_t n;
  T low, high;
};

}  // namespace pynet
