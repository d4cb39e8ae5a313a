// Kernels that read each row of an array (N, D) once: from the first load to the last store it
// stays on the multiprocessor, in one of two ways.
//
//   short rows   a thread for each; the rows of a block lie in shared memory, where they come and
//                go as one piece, so that neighbouring threads move neighbouring memory
//   longer ones  a warp or a block for each, which holds its elements in registers
//
// A body is called with the row, by all threads of a block together, and returns the row's term of
// a sum over all rows; threads without a row (`there` is false) take part, and return 0. What a row
// can do is the same in both ways:
//
//   row.largest()     the largest element; NaN wins
//   row.map(f)        x[j] = f(j, x[j])
//   row.sum()         the sum of the elements, in a fixed order
//   row.sum_of(f)     the sum of f(j), likewise
//   row.write(y)      the elements, as they are now, to (N, D) y
//   row.leads         whether this thread is the one that speaks for the row
#pragma once

#include "cuda/divider.h"
#include "cuda/elements.h"
#include "cuda/rows.h"
#include "rules/vmath.h"

namespace pynet::cuda {

constexpr index_t kTiledRow = 64;      // at most so many elements for one thread
constexpr index_t kHeldRow = 8192;     // and for the registers of a block
constexpr int kTileBytes = 16384;      // of shared memory for short rows
constexpr index_t kMostBlocks = 2048;  // beyond which each takes several rows in turn

// How the rows are dealt out, by the shape alone.
struct HeldRows {
  index_t N, D, rows, blocks;  // rows of a block
  int turns;                   // rows that a group of threads takes one after the other

  HeldRows(index_t n, index_t d, std::size_t size) : N(n), D(d), turns(1) {
    if (D <= kTiledRow) {
      const index_t fit = kTileBytes / static_cast<index_t>(size) / stride();
      rows = fit < kReduceThreads ? fit / 4 * 4 : kReduceThreads;  // packs of 16 bytes
    } else {
      const index_t groups = D <= kShortRow ? kBlockWarps : 1;
      turns = static_cast<int>(ceil_div(ceil_div(N, groups), kMostBlocks));
      rows = groups * turns;
    }
    blocks = ceil_div(N, rows);
  }
  bool held() const { return D <= kHeldRow; }
  // In shared memory, odd: neighbouring threads find different banks.
  __host__ __device__ index_t stride() const { return D | 1; }
};

// --- short rows ----------------------------------------------------------------------------------

template <class T>
struct TiledRow {
  static constexpr int W = 16 / static_cast<int>(sizeof(T)), kCapacity = kTileBytes / sizeof(T);
  using Tile = T[kCapacity];

  Tile& tile;
  Divider by_D;
  index_t first, row;  // of the block; of this thread
  int D, stride, elements;
  T* mine;
  bool wide, there, leads;

  PYNET_INLINE TiledRow(Tile& shared, const HeldRows& plan, const Divider& by, bool packs)
      : tile(shared), by_D(by), first(blockIdx.x * plan.rows), wide(packs) {
    const index_t left = plan.N - first, count = left < plan.rows ? left : plan.rows;
    row = first + threadIdx.x;
    D = static_cast<int>(plan.D);
    stride = static_cast<int>(plan.stride());
    elements = static_cast<int>(count) * D;
    there = leads = threadIdx.x < count;
    mine = tile + (there ? static_cast<int>(threadIdx.x) * stride : 0);
  }

  // Element i of the block's piece of memory.
  PYNET_INLINE T& at(int i) const {
    const int n = static_cast<int>(by_D.quotient(static_cast<std::uint32_t>(i)));
    return tile[n * stride + (i - n * D)];
  }
  // All of it, 16 bytes at a time where `memory` is aligned to that.
  template <class Move>
  PYNET_INLINE void move(const Move& each) const {
    const int threads = static_cast<int>(blockDim.x), t = static_cast<int>(threadIdx.x);
    const int whole = wide ? elements / W * W : 0;
    for (int i = t * W; i < whole; i += threads * W) each(i, Pack<T, W>{});
    for (int i = whole + t; i < elements; i += threads) each(i, Pack<T, 1>{});
  }
  PYNET_INLINE void read(const T* x) const {
    const T* from = x + first * D;
    move([&](int i, auto pack) {
      constexpr int count = static_cast<int>(sizeof(pack) / sizeof(T));
      pack = load_pack<count>(from + i);
      PYNET_UNROLL
      for (int k = 0; k < count; ++k) at(i + k) = pack.lane[k];
    });
    __syncthreads();
  }
  PYNET_INLINE void write(T* y) const {
    T* to = y + first * D;
    __syncthreads();
    move([&](int i, auto pack) {
      constexpr int count = static_cast<int>(sizeof(pack) / sizeof(T));
      PYNET_UNROLL
      for (int k = 0; k < count; ++k) pack.lane[k] = at(i + k);
      store_pack(to + i, pack);
    });
    __syncthreads();
  }

  PYNET_INLINE T largest() const {
    T v = there ? mine[0] : T{0};
    for (int j = 1; there && j < D; ++j) v = Larger{}(v, mine[j]);
    return v;
  }
  template <class F>
  PYNET_INLINE void map(const F& f) const {
    for (int j = 0; there && j < D; ++j) mine[j] = f(j, mine[j]);
  }
  PYNET_INLINE T sum() const {
    return sum_of([&](int j) { return mine[j]; });
  }
  template <class F>
  PYNET_INLINE auto sum_of(const F& f) const {
    decltype(f(0)) all = 0;
    for (int j = 0; there && j < D; ++j) all += f(j);
    return all;
  }
};

// --- rows in registers ---------------------------------------------------------------------------

// E elements for each of the threads of WARPS warps. What lies behind a row's end is -inf at first,
// and takes part in map() and sum(): a function must bear it.
template <class T, int WARPS, int E, bool WIDE>
struct RegisterRow {
  static constexpr int W = 16 / static_cast<int>(sizeof(T));
  static constexpr int kLanes = WARPS * static_cast<int>(kWarpSize);
  using Shared = double[WARPS];

  RowJoin<WARPS> join;
  index_t row;
  int D;
  // Neighbouring elements lie with one thread, or with neighbouring threads: the first one of this
  // thread, and from there to the next.
  bool packed;
  int first, step;
  bool there, leads;
  T v[E];

  PYNET_INLINE RegisterRow(Shared& shared, const HeldRows& plan, int turn)
      : join{shared}, D(static_cast<int>(plan.D)), packed(plan.D % W == 0) {
    const int thread = static_cast<int>(threadIdx.x), group = thread / kLanes;
    const int lane = thread % kLanes;
    first = packed ? lane * W : lane;
    step = packed ? 1 : kLanes;
    row = (static_cast<index_t>(blockIdx.x) * plan.turns + turn) * (kBlockWarps / WARPS) + group;
    there = row < plan.N;
    leads = there && lane == 0;
    D = there ? D : 0;
  }

  // Place of element k * W + w of this thread in the row.
  PYNET_INLINE int place(int k, int w) const { return k * kLanes * W + first + w * step; }
  // Calls f(j, element) for the elements that this thread has room for.
  template <class F>
  PYNET_INLINE void each(const F& f) {
    PYNET_UNROLL
    for (int k = 0; k < E / W; ++k) {
      if (k * kLanes * W < D) {  // for all threads of a row or for none
        PYNET_UNROLL
        for (int w = 0; w < W; ++w) f(place(k, w), v[k * W + w]);
      }
    }
  }
  PYNET_INLINE void read(const T* x) {
    const T* from = x + row * D;
    if constexpr (WIDE) {
      PYNET_UNROLL
      for (int k = 0; k < E / W; ++k) {
        Pack<T, W> pack;
        PYNET_UNROLL
        for (int w = 0; w < W; ++w) pack.lane[w] = -kInfinity<T>;
        if (place(k, 0) < D) pack = load_pack<W>(from + place(k, 0));
        PYNET_UNROLL
        for (int w = 0; w < W; ++w) v[k * W + w] = pack.lane[w];
      }
    } else {
      each([&](int j, T& value) { value = j < D ? from[j] : -kInfinity<T>; });
    }
  }
  PYNET_INLINE void write(T* y) {
    T* to = y + row * D;
    if constexpr (WIDE) {
      PYNET_UNROLL
      for (int k = 0; k < E / W; ++k) {
        Pack<T, W> pack;
        PYNET_UNROLL
        for (int w = 0; w < W; ++w) pack.lane[w] = v[k * W + w];
        if (place(k, 0) < D) store_pack(to + place(k, 0), pack);
      }
    } else {
      each([&](int j, T value) {
        if (j < D) to[j] = value;
      });
    }
  }

  PYNET_INLINE T largest() {
    T found = -kInfinity<T>;
    each([&](int, T value) { found = Larger{}(found, value); });
    return join.largest(found);
  }
  template <class F>
  PYNET_INLINE void map(const F& f) {
    each([&](int j, T& value) { value = f(j, value); });
  }
  PYNET_INLINE T sum() {
    T all = 0;
    each([&](int, T value) { all += value; });
    return join.sum(all);
  }
  template <class F>
  PYNET_INLINE auto sum_of(const F& f) const {
    decltype(f(0)) all = 0;
    for (int j = static_cast<int>(threadIdx.x) % kLanes; j < D; j += kLanes) all += f(j);
    return join.sum(all);
  }
};

// --- launches ------------------------------------------------------------------------------------

// Where the sum over the rows goes: of each block to `partial`, or, of the only one, to `result`;
// null, both of them, where there is none.
struct RowTotal {
  double *partial, *result;
  double divisor;
  PYNET_INLINE void take(double term) const {
    if (!partial && !result) return;
    const double sum = block_sum(term);
    if (threadIdx.x > 0) return;
    if (result) {
      *result = sum / divisor;
    } else {
      partial[blockIdx.x] = sum;
    }
  }
};

template <class T, class Body>
__global__ void __launch_bounds__(kReduceThreads)
    tiled_rows_kernel(HeldRows plan, Divider by_D, const T* x, bool wide, RowTotal total,
                      Body body) {
  using Tile = typename TiledRow<T>::Tile;
  PYNET_SHARED(Tile, tile);
  const TiledRow<T> row(tile, plan, by_D, wide);
  row.read(x);
  total.take(body(row));
}

template <int WARPS, int E, bool WIDE, class T, class Body>
__global__ void __launch_bounds__(kReduceThreads, WIDE && sizeof(T) == 4 ? 2 : 1)
    register_rows_kernel(HeldRows plan, const T* x, RowTotal total, Body body) {
  using Row = RegisterRow<T, WARPS, E, WIDE>;
  using Shared = typename Row::Shared;
  PYNET_SHARED(Shared, shared);
  double sum = 0;
  for (int turn = 0; turn < plan.turns; ++turn) {
    Row row(shared, plan, turn);
    row.read(x);
    sum += body(row);
  }
  total.take(sum);
}

// `wide`: x, and what is written, may be moved 16 bytes at a time. For plan.held() only.
template <class T, class Body>
void for_held_rows(const char* op, const HeldRows& plan, const T* x, bool wide,
                   const RowTotal& total, const Body& body) {
  if (plan.N <= 0) return;
  const unsigned blocks = static_cast<unsigned>(plan.blocks);
  if (plan.D <= kTiledRow) {
    return launch(op, tiled_rows_kernel<T, Body>, blocks, kReduceThreads, plan, Divider(plan.D), x,
                  wide, total, body);
  }
  const bool packs = wide && plan.D % 4 == 0;  // of floats: rows of doubles are seldom in a hurry
  const auto with = [&](auto warps, auto elements) {
    constexpr int WARPS = decltype(warps)::value, E = decltype(elements)::value;
    const auto run = [&](auto kernel) {
      launch(op, kernel, blocks, kReduceThreads, plan, x, total, body);
    };
    if constexpr (sizeof(T) == 4) {
      if (packs) return run(register_rows_kernel<WARPS, E, true, T, Body>);
    }
    run(register_rows_kernel<WARPS, E, false, T, Body>);
  };
  if (plan.D <= 128) return with(Number<1>{}, Number<4>{});
  if (plan.D <= kShortRow) return with(Number<1>{}, Number<32>{});
  if (plan.D <= 2048) return with(Number<kBlockWarps>{}, Number<8>{});
  with(Number<kBlockWarps>{}, Number<32>{});
}

}  // namespace pynet::cuda
