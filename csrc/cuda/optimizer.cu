// Optimizer updates: one launch over the whole range of parameters.
#include "rules/optimizer.h"

#include "cuda/elements.h"

namespace pynet::cuda {
namespace {

// Applies a rule to W elements from i on; STATES says how many of s, r and q there are.
template <int W, int STATES, class T, class Rule>
PYNET_INLINE void update_at(const UpdateArgs<T>& args, index_t i, const Rule& rule) {
  using P = Pack<T, W>;
  P p = load_pack<W>(args.p + i), s{}, r{}, q{};
  const P g = load_pack<W>(args.g + i);
  if constexpr (STATES > 0) s = load_pack<W>(args.s + i);
  if constexpr (STATES > 1) r = load_pack<W>(args.r + i);
  if constexpr (STATES > 2) q = load_pack<W>(args.q + i);
  PYNET_UNROLL
  for (int k = 0; k < W; ++k) rule(p.lane[k], g.lane[k], s.lane[k], r.lane[k], q.lane[k]);
  store_pack(args.p + i, p);
  if constexpr (STATES > 0) store_pack(args.s + i, s);
  if constexpr (STATES > 1) store_pack(args.r + i, r);
  if constexpr (STATES > 2) store_pack(args.q + i, q);
}

// The rule takes its numbers (learning rate, step count) from the state record, which lies where a
// recorded step changes it from replay to replay.
template <int W, int STATES, class T, class Make>
__global__ void update_kernel(UpdateArgs<T> args, Make make, const std::int64_t* stop) {
  if (stop && *stop) return;
  const auto rule = make(*args.state, T{});
  const index_t thread = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const index_t threads = static_cast<index_t>(gridDim.x) * blockDim.x;
  const index_t whole = args.n / W * W;
  for (index_t i = thread * W; i < whole; i += threads * W) update_at<W, STATES>(args, i, rule);
  if (W > 1 && thread < args.n - whole) update_at<1, STATES>(args, whole + thread, rule);
}

template <int STATES, class T, class Make>
void update(const char* op, const UpdateArgs<T>& args, Make make) {
  if (args.n <= 0) return;
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  const bool aligned = is_aligned(args.p, W) && is_aligned(args.g, W) && is_aligned(args.s, W) &&
                       is_aligned(args.r, W) && is_aligned(args.q, W);
  const dim3 grid = element_blocks(args.n, W);
  if (aligned) {
    launch(op, update_kernel<W, STATES, T, Make>, grid, kElementThreads, args, make, stop_word());
  } else {
    launch(op, update_kernel<1, STATES, T, Make>, grid, kElementThreads, args, make, stop_word());
  }
}

}  // namespace

// The kernel NAME_update of NAME_rule with so many arrays of state.
#define PYNET_UPDATE(NAME, STATES)                                    \
  namespace {                                                         \
  struct NAME##_maker {                                               \
    template <class T>                                                \
    PYNET_INLINE auto operator()(const UpdateState& state, T) const { \
      return NAME##_rule<T>(state);                                   \
    }                                                                 \
  };                                                                  \
  template <class T>                                                  \
  Work NAME##_update_plan(const UpdateArgs<T>&) {                     \
    return plan_launch();                                             \
  }                                                                   \
  template <class T>                                                  \
  void NAME##_update_run(const UpdateArgs<T>& args, const Tile&) {    \
    update<STATES>(#NAME "_update", args, NAME##_maker{});            \
  }                                                                   \
  }                                                                   \
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

}  // namespace pynet::cuda
