#include "cuda/elements.h"

namespace pynet::cuda {
namespace {

template <class T>
Work add_plan(const AddArgs<T>&) {
  return plan_launch();
}
template <class T>
void add_run(const AddArgs<T>& args, const Tile&) {
  for_elements(
      "add", args.n, [] __device__(T& y, T a, T b) { y = a + b; }, out(args.y), in(args.a),
      in(args.b));
}

template <class T>
Work scale_plan(const ScaleArgs<T>&) {
  return plan_launch();
}
template <class T>
void scale_run(const ScaleArgs<T>& args, const Tile&) {
  const T alpha = args.alpha;
  for_elements(
      "scale", args.n, [=] __device__(T& y, T x) { y = alpha * x; }, out(args.y), in(args.x));
}

template <class T>
Work clip_plan(const ClipArgs<T>&) {
  return plan_launch();
}
template <class T>
void clip_run(const ClipArgs<T>& args, const Tile&) {
  const T low = args.low, high = args.high;
  for_elements(
      "clip", args.n,
      [=] __device__(T& y, T x) {
        x = x < low ? low : x;  // a comparison with NaN is false
        y = x > high ? high : x;
      },
      out(args.y), in(args.x));
}

}  // namespace

PYNET_EXPORT(add, AddArgs)
PYNET_EXPORT(scale, ScaleArgs)
PYNET_EXPORT(clip, ClipArgs)

}  // namespace pynet::cuda
