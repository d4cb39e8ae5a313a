// Rows of an operand on their way into the L2 cache before a tile packs them: the processor does
// not foresee a few columns of one row after another.
#pragma once

#include "cpu/simd.h"

namespace pynet::PYNET_ISA {
namespace {

// The rows that are packed next, a few of them with each micro-kernel.
template <class T>
struct Ahead {
  const T* from = nullptr;
  index_t row = 0, rows = 0, cols = 0;  // cols of each row
  index_t piece = 0;                    // rows at a time

  PYNET_INLINE void fetch() {
    const index_t n = min_of(piece, rows);
    for (index_t k = 0; k < n; ++k, from += row) {
      for (index_t j = 0; j < cols; j += kLine<T>) __builtin_prefetch(from + j, 0, 2);
      __builtin_prefetch(from + cols - 1, 0, 2);
    }
    rows -= n;
  }
};

}  // namespace
}  // namespace pynet::PYNET_ISA
