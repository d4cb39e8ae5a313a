#include "rules/optimizer.h"

#include "cpu/loop.h"
#include "cpu/wide.h"

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

// --- LARS ----------------------------------------------------------------------------------------
// Phase 0 sums the squares of p and of g in chunks, phase 1 adds the sums up to this parameter's
// numbers, phase 2 moves it by them.
namespace {

struct LarsScratch {
  UpdateState* numbers;
  double *p_squares, *g_squares;  // of each chunk
  index_t chunks;
  PYNET_INLINE LarsScratch(index_t n, void* scratch)
      : numbers(static_cast<UpdateState*>(scratch)), chunks(ceil_div(n, kChunk)) {
    p_squares = reinterpret_cast<double*>(numbers + 1);
    g_squares = p_squares + chunks;
  }
};

// The sum of term(vector i) over n elements.
template <class Term>
PYNET_INLINE double sum_over(index_t n, const Term& term) {
  vdouble sums[4] = {};
  for_wide(n, sums, [&](index_t i, vdouble& sum, auto lanes) { sum += term(i, lanes); });
  return sum_of(sums);
}
template <class T>
PYNET_INLINE double squares(const T* x, index_t n) {
  return sum_over(n, [=](index_t i, auto lanes) {
    const vdouble v = lanes.load(x + i);
    return v * v;
  });
}
PYNET_INLINE double norm_of(const double* of_chunks, index_t chunks) {
  const double sum =
      sum_over(chunks, [=](index_t i, auto lanes) { return lanes.load(of_chunks + i); });
  return first_lane(sqrt(splat(sum)));
}

template <class T>
Work lars_update_plan(const UpdateArgs<T>& args) {
  const index_t chunks = ceil_div(args.n, kChunk);
  const std::size_t sums = 2 * static_cast<std::size_t>(chunks) * sizeof(double);
  Work work = plan_elements(args.n, 7 * sizeof(T));
  work.phases = 3;
  work.tiles[1] = 1, work.tiles[2] = chunks;
  work.shared = sizeof(UpdateState) + sums;
  return work;
}
template <class T>
void lars_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const LarsScratch at(args.n, tile.shared);
  if (tile.phase == 0) {
    const index_t begin = tile.index * kChunk, n = min_of(kChunk, args.n - begin);
    at.p_squares[tile.index] = squares(args.p + begin, n);
    at.g_squares[tile.index] = squares(args.g + begin, n);
  } else if (tile.phase == 1) {
    *at.numbers =
        trusted(*args.state, norm_of(at.p_squares, at.chunks), norm_of(at.g_squares, at.chunks));
  } else {
    update_range<1>(args, tile, lars_rule<T>(*at.numbers));
  }
}

}  // namespace
PYNET_EXPORT(lars_update, UpdateArgs)

}  // namespace pynet::PYNET_ISA
