// Losses that add up element by element.
#include "cpu/loop.h"
#include "cpu/loss_sum.h"
#include "cpu/rows.h"
#include "rules/vmath.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
index_t loss_tiles(const PairLossArgs<T>& args) {
  return ceil_div(args.n, kChunk);
}

// The sum of body(i, lanes, sum) over a tile, then over the tiles, divided by N.
template <class T, class Body>
PYNET_INLINE void pair_loss(const PairLossArgs<T>& args, const Tile& tile, double divisor,
                            const Body& body) {
  const index_t tiles = loss_tiles(args);
  if (tile.phase == 1) return add_partials(tile, tiles, divisor, args.loss);
  WideSum sum;
  for_tile<T>(args.n, tile, [&](index_t i, auto lanes) { body(i, lanes, sum); });
  leave_partial(tile, tiles, sum.total(), divisor, args.loss);
}

// max(x, 0) - x t + log(1 + exp(-|x|)), its first two terms as |x| (1-t) for x > 0 and |x| t for
// x < 0: nothing cancels, and an infinite x with the right label costs nothing.
template <class T>
Work sigmoid_cross_entropy_plan(const PairLossArgs<T>& args) {
  return plan_loss(loss_tiles(args), static_cast<double>(args.n) * sizeof(T) * sizeof(T) * 0.15);
}
template <class T>
void sigmoid_cross_entropy_run(const PairLossArgs<T>& args, const Tile& tile) {
  const double divisor = static_cast<double>(args.N);
  pair_loss<T>(args, tile, divisor, [&](index_t i, auto lanes, WideSum& sum) {
    const vec<T> x = lanes.load(args.x + i), t = lanes.load(args.t + i);
    lanes.store(args.y + i, sigmoid_of<T>(x));
    const vec<T> wrong = x < 0 ? t : 1 - t, size = -minus_abs<T>(x);
    const vec<T> term = (wrong == 0 ? vec<T>{} : size * wrong) + log1p_exp_minus_abs<T>(x);
    sum.add(fill_rest<T>(lanes, term, 0));
  });
}

template <class T>
Work squared_error_plan(const PairLossArgs<T>& args) {
  return plan_loss(loss_tiles(args), static_cast<double>(args.n) * sizeof(T) * 0.12);
}
template <class T>
void squared_error_run(const PairLossArgs<T>& args, const Tile& tile) {
  const double divisor = 2 * static_cast<double>(args.N);
  pair_loss<T>(args, tile, divisor, [&](index_t i, auto lanes, WideSum& sum) {
    sum.add_square(lanes.load(args.x + i) - lanes.load(args.t + i));
  });
}

template <class T>
Work pair_loss_backward_plan(const PairLossBackwardArgs<T>& args) {
  return plan_elements(args.n, 3 * sizeof(T));
}
template <class T>
void pair_loss_backward_run(const PairLossBackwardArgs<T>& args, const Tile& tile) {
  const T scale = static_cast<T>(args.scale / static_cast<double>(args.N));
  for_tile<T>(args.n, tile, [&](index_t i, auto lanes) {
    lanes.store(args.dx + i, scale * (lanes.load(args.y + i) - lanes.load(args.t + i)));
  });
}

}  // namespace

PYNET_EXPORT(sigmoid_cross_entropy, PairLossArgs)
PYNET_EXPORT(squared_error, PairLossArgs)
PYNET_EXPORT(pair_loss_backward, PairLossBackwardArgs)

}  // namespace pynet::PYNET_ISA
