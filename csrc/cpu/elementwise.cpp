#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

template <class T>
Work add_plan(const AddArgs<T>& args) {
  return plan_elements(args.n, 3 * sizeof(T));
}
template <class T>
void add_run(const AddArgs<T>& args, const Tile& tile) {
  for_tile(args.y, args.n, tile, [&](index_t i, auto lanes) {
    lanes.store(args.y + i, lanes.load(args.a + i) + lanes.load(args.b + i));
  });
}

template <class T>
Work scale_plan(const ScaleArgs<T>& args) {
  return plan_elements(args.n, 2 * sizeof(T));
}
template <class T>
void scale_run(const ScaleArgs<T>& args, const Tile& tile) {
  const vec<T> alpha = splat(args.alpha);
  for_tile(args.y, args.n, tile,
           [&](index_t i, auto lanes) { lanes.store(args.y + i, alpha * lanes.load(args.x + i)); });
}

template <class T>
Work clip_plan(const ClipArgs<T>& args) {
  return plan_elements(args.n, 2 * sizeof(T));
}
template <class T>
void clip_run(const ClipArgs<T>& args, const Tile& tile) {
  const vec<T> low = splat(args.low), high = splat(args.high);
  for_tile(args.y, args.n, tile, [&](index_t i, auto lanes) {
    vec<T> x = lanes.load(args.x + i);
    x = x < low ? low : x;  // a comparison with NaN is false
    lanes.store(args.y + i, x > high ? high : x);
  });
}

}  // namespace

PYNET_EXPORT(add, AddArgs)
PYNET_EXPORT(scale, ScaleArgs)
PYNET_EXPORT(clip, ClipArgs)

}  // namespace pynet::PYNET_ISA
