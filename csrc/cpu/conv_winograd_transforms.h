// The transforms of rules/winograd.h on tiles of vectors: of channels, and of filters.
#pragma once

#include "rules/winograd.h"

namespace pynet::PYNET_ISA {
namespace {

// A one-dimensional transform applied to the columns, then to the rows: element (i, j) comes from
// load(i, j), and goes to store(i, j, value).
template <class T, class Transform, class Load, class Store>
PYNET_INLINE void transform_tile(const Load& load, const Store& store) {
  constexpr int IN = Transform::kIn, OUT = Transform::kOut;
  vec<T> half[OUT][IN];
#pragma GCC unroll 1
  for (int j = 0; j < IN; ++j) {
    vec<T> column[IN], t[OUT];
#pragma GCC unroll 6
    for (int i = 0; i < IN; ++i) column[i] = load(i, j);
    Transform::apply(column, t);
#pragma GCC unroll 6
    for (int i = 0; i < OUT; ++i) half[i][j] = t[i];
  }
#pragma GCC unroll 1
  for (int i = 0; i < OUT; ++i) {
    vec<T> row[IN], t[OUT];
#pragma GCC unroll 6
    for (int j = 0; j < IN; ++j) row[j] = half[i][j];
    Transform::apply(row, t);
#pragma GCC unroll 6
    for (int j = 0; j < OUT; ++j) store(i, j, t[j]);
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
