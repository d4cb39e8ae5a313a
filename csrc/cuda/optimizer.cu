// Optimizer updates: one launch over the whole range of parameters.
#include "rules/optimizer.h"

#include <new>

#include "cuda/elements.h"
#include "cuda/reduce.h"

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

// What make() returns, made by one thread for its block: the powers in the rules of Adam and its
// relatives take longer than an element does, and the state record may lie in the host's memory.
template <class Make>
PYNET_INLINE auto made_once(const Make& make) {
  using Made = decltype(make());
  struct alignas(Made) Room {
    unsigned char bytes[sizeof(Made)];
  };
  PYNET_SHARED(Room, room);
  if (threadIdx.x == 0) new (room.bytes) Made(make());
  __syncthreads();
  return *reinterpret_cast<const Made*>(room.bytes);
}

// The rule takes its numbers (learning rate, step count) from the state record, which lies where a
// recorded step changes it from replay to replay.
template <int W, int STATES, class T, class Make>
__global__ void update_kernel(UpdateArgs<T> args, Make make, const std::int64_t* stop) {
  if (stop && *stop) return;
  const auto rule = make(*args.state, T{});
  const Share mine(args.n, W, static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x,
                   static_cast<index_t>(gridDim.x) * blockDim.x);
  for (index_t i = mine.begin; i < mine.end; i += mine.step) update_at<W, STATES>(args, i, rule);
  if (W > 1 && mine.single < args.n) update_at<1, STATES>(args, mine.single, rule);
}

// As many blocks of a large array as a large GPU holds at a time: each makes its rule once.
constexpr unsigned kMostUpdateBlocks = 1024;
inline dim3 update_blocks(index_t n, int W) {
  const unsigned blocks = element_blocks(n, W).x;
  return dim3(blocks < kMostUpdateBlocks ? blocks : kMostUpdateBlocks);
}

template <int STATES, class T, class Make>
void update(const char* op, const UpdateArgs<T>& args, Make make) {
  if (args.n <= 0) return;
  constexpr int W = 16 / static_cast<int>(sizeof(T));
  const bool aligned = is_aligned(args.p, W) && is_aligned(args.g, W) && is_aligned(args.s, W) &&
                       is_aligned(args.r, W) && is_aligned(args.q, W);
  const dim3 grid = update_blocks(args.n, W);
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
      return made_once([&] { return NAME##_rule<T>(state); });        \
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
namespace {

// squares[i] of p, then of g: block i sums part i of both.
template <class T>
__global__ void squares_kernel(double* squares, const T* p, const T* g, index_t n) {
  const index_t length = ceil_div(n, gridDim.x);
  const index_t begin = blockIdx.x * length, end = begin + length < n ? begin + length : n;
  double of_p = 0, of_g = 0;
  for (index_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
    const double value = static_cast<double>(p[i]), slope = static_cast<double>(g[i]);
    of_p += value * value;
    of_g += slope * slope;
  }
  of_p = block_sum(of_p);
  of_g = block_sum(of_g);
  if (threadIdx.x > 0) return;
  squares[blockIdx.x] = of_p;
  squares[gridDim.x + blockIdx.x] = of_g;
}

// Every block adds the parts up for itself, all in the same order.
struct lars_maker {
  const double* squares;
  index_t parts;
  PYNET_INLINE double norm(const double* of_parts) const {
    double sum = 0;
    for (index_t i = threadIdx.x; i < parts; i += blockDim.x) sum += of_parts[i];
    return sqrt(block_sum(sum));
  }
  template <class T>
  PYNET_INLINE auto operator()(const UpdateState& state, T) const {
    static_assert(kElementThreads == kReduceThreads, "block_sum adds up a whole block");
    const double size = norm(squares), slope = norm(squares + parts);
    return lars_rule<T>(trusted(state, size, slope));
  }
};

template <class T>
Work lars_update_plan(const UpdateArgs<T>& args) {
  return plan_launch(2 * static_cast<std::size_t>(parts_of(args.n)) * sizeof(double));
}
template <class T>
void lars_update_run(const UpdateArgs<T>& args, const Tile& tile) {
  const char* op = "lars_update";
  double* squares = static_cast<double*>(tile.shared);
  const index_t parts = parts_of(args.n);
  launch(op, squares_kernel<T>, static_cast<unsigned>(parts), kReduceThreads, squares,
         static_cast<const T*>(args.p), args.g, args.n);
  update<1>(op, args, lars_maker{squares, parts});
}

}  // namespace
PYNET_EXPORT(lars_update, UpdateArgs)

}  // namespace pynet::cuda
