#include "rules/optimizer.h"

#include "cpu/loop.h"

namespace pynet::PYNET_ISA {
namespace {

// Applies a rule to the vectors of a tile; STATES says how many of s, r and q there are.
template <int STATES, class T, class Rule>
PYNET_INLINE void update_range(const UpdateArgs<T>& args, const Tile& tile, const Rule& rule) {
  // Copies: whatever is stored might be the pointers in args, as far as the compiler knows.
  const T* to_g = args.g;
  T *to_p = args.p, *to_s = args.s, *to_r = args.r, *to_q = args.q;
  for_tile<T>(args.n, tile, [=](index_t i, auto lanes) {
    vec<T> p = lanes.load(to_p + i), s{}, r{}, q{};
    if constexpr (STATES > 0) s = lanes.load(to_s + i);
    if constexpr (STATES > 1) r = lanes.load(to_r + i);
    if constexpr (STATES > 2) q = lanes.load(to_q + i);
    rule(p, lanes.load(to_g + i), s, r, q);
    lanes.store(to_p + i, p);
    if constexpr (STATES > 0) lanes.store(to_s + i, s);
    if constexpr (STATES > 1) lanes.store(to_r + i, r);
    if constexpr (STATES > 2) lanes.store(to_q + i, q);
  });
}

}  // namespace

// The kernel NAME_update of NAME_rule with so many arrays of state.
#define PYNET_UPDATE(NAME, STATES)                                      \
  namespace {                                                           \
  template <class T>                                                    \
  Work NAME##_update_plan(const UpdateArgs<T>& args) {                  \
    return plan_elements(args.n, (3 + 2 * STATES) * sizeof(T));         \
  }                                                                     \
  template <class T>                                                    \
  void NAME##_update_run(const UpdateArgs<T>& args, const Tile& tile) { \
    update_range<STATES>(args, tile, NAME##_rule<T>(*args.state));      \
  }                                                                     \
  }                                                                     \
  PYNET_EXPORT(NAME##_update, UpdateArgs)

PYNET_UPDATE(sgd, 0)
PYNET_UPDATE(momentum, 1)
PYNET_UPDATE(nesterov, 1)
PYNET_UPDATE(lars, 1)
PYNET_UPDATE(rprop, 2)
PYNET_UPDATE(adagrad, 1)
PYNET_UPDATE(rmsprop, 1)
PYNET_UPDATE(adadelta, 2)
PYNET_UPDATE(adam, 2)
PYNET_UPDATE(adamw, 2)
PYNET_UPDATE(nadam, 2)
PYNET_UPDATE(amsgrad, 3)
PYNET_UPDATE(average, 0)
#undef PYNET_UPDATE

}  // namespace pynet::PYNET_ISA
