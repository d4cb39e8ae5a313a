// How a loss adds up: in double, in an order that follows from the shape.
#pragma once

#include "cpu/wide.h"

namespace pynet::PYNET_ISA {
namespace {

// Phase 0 leaves one partial sum for each tile, phase 1 adds them; a single tile needs no phase 1.
PYNET_INLINE Work plan_loss(index_t tiles, double cost) {
  if (tiles == 1) return Work{1, {1}, 0, 0, cost};
  return Work{2, {tiles, 1}, static_cast<std::size_t>(tiles) * sizeof(double), 0, cost};
}

PYNET_INLINE void leave_partial(const Tile& tile, index_t tiles, double sum, double divisor,
                                double* loss) {
  if (tiles == 1) {
    *loss = sum / divisor;
  } else {
    static_cast<double*>(tile.shared)[tile.index] = sum;
  }
}

PYNET_INLINE void add_partials(const Tile& tile, index_t tiles, double divisor, double* loss) {
  const double* partial = static_cast<const double*>(tile.shared);
  double sum = 0;
  for (index_t i = 0; i < tiles; ++i) sum += partial[i];
  *loss = sum / divisor;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
