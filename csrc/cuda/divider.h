// Division of indices by a number that is known before the launch: a multiplication and a shift
// instead of a hundred instructions.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace pynet::cuda {

// n / d for 0 <= n < 2^31, 1 <= d < 2^31: with 2^s the power of two next to d, from above, and
// m = ceil(2^(31+s) / d), n / d = n * m >> (31 + s) (Granlund and Montgomery, 1994).
struct Divider {
  std::uint32_t d, m, shift;

  explicit Divider(index_t by) : d(static_cast<std::uint32_t>(by)), m(0), shift(31) {
    while ((std::uint64_t{1} << (shift - 31)) < d) ++shift;
    m = static_cast<std::uint32_t>(((std::uint64_t{1} << shift) + d - 1) / d);
  }
  __host__ __device__ std::uint32_t quotient(std::uint32_t n) const {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(n) * m >> shift);
  }
};

// i = (plane * rows + row) * columns + column
struct Split {
  int plane, row, column;
  __host__ __device__ Split(index_t i, const Divider& by_columns, const Divider& by_rows) {
    const std::uint32_t n = static_cast<std::uint32_t>(i), line = by_columns.quotient(n);
    const std::uint32_t first = by_rows.quotient(line);
    column = static_cast<int>(n - line * by_columns.d);
    row = static_cast<int>(line - first * by_rows.d);
    plane = static_cast<int>(first);
  }
};

}  // namespace pynet::cuda
