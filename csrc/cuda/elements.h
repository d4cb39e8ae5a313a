// The loop of every element-by-element kernel: arrays in, arrays out, a function of one element.
//
//   for_elements("add", n, [=] __device__(T& y, T a, T b) { y = a + b; }, out(y), in(a), in(b));
//
// A thread takes 16 bytes of each array at a time where all of them are aligned to that, and goes
// on by the whole grid: neighbouring threads read neighbouring memory, in the widest loads there
// are.
#pragma once

#include <cstdint>

#include "cuda/device.h"

namespace pynet::cuda {

// A number that the compiler knows.
template <int N>
struct Number {
  static constexpr int value = N;
};

// --- packs: the elements of one load or store ----------------------------------------------------

template <class T, int W>
struct alignas(sizeof(T) * W) Pack {
  T lane[W];
};
template <int W, class T>
PYNET_INLINE Pack<T, W> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, W>*>(p);
}
template <int W, class T>
PYNET_INLINE void store_pack(T* p, const Pack<T, W>& pack) {
  *reinterpret_cast<Pack<T, W>*>(p) = pack;
}

// Whether so many elements from p on may be one load; so for null.
template <class T>
bool is_aligned(const T* p, int elements) {
  const std::size_t bytes = sizeof(T) * static_cast<std::size_t>(elements);
  return reinterpret_cast<std::uintptr_t>(p) % bytes == 0;
}

// --- the grid ------------------------------------------------------------------------------------

constexpr unsigned kElementThreads = 256;  // of a block

// Blocks for n elements, W to a thread: one turn for each thread of all but gigantic arrays, so
// that a multiprocessor takes the next block as soon as it has room.
inline dim3 element_blocks(index_t n, int W) {
  const index_t wanted = ceil_div(ceil_div(n, W), kElementThreads), most = index_t{1} << 20;
  return dim3(static_cast<unsigned>(wanted < most ? wanted : most));
}

// --- ports: how an array takes part --------------------------------------------------------------

// W elements of an array, in registers while the function sees them; one by one where they may not
// be moved together.
template <class T, int W, bool ALIGNED, bool READ, bool WRITE>
struct Slot {
  T* place;
  Pack<T, W> pack;
  PYNET_INLINE Slot(T* p) : place(p) {
    if constexpr (READ && ALIGNED) pack = load_pack<W>(p);
    if constexpr (READ && !ALIGNED) {
      PYNET_UNROLL
      for (int k = 0; k < W; ++k) pack.lane[k] = p[k];
    }
  }
  PYNET_INLINE void close() const {
    if constexpr (WRITE && ALIGNED) store_pack(place, pack);
    if constexpr (WRITE && !ALIGNED) {
      PYNET_UNROLL
      for (int k = 0; k < W; ++k) place[k] = pack.lane[k];
    }
  }
};

template <class T, bool READ, bool WRITE>
struct Port {
  using type = T;
  T* p;
  template <int W, bool ALIGNED = true>
  PYNET_INLINE Slot<T, W, ALIGNED, READ, WRITE> open(index_t i) const {
    return Slot<T, W, ALIGNED, READ, WRITE>(p + i);
  }
};
template <class T>
Port<T, true, false> in(const T* p) {
  return {const_cast<T*>(p)};
}
template <class T>
Port<T, false, true> out(T* p) {
  return {p};
}
template <class T>
Port<T, true, true> in_out(T* p) {
  return {p};
}

// --- the loop ------------------------------------------------------------------------------------

template <int W, class F, class... S>
PYNET_INLINE void call_on(const F& f, S... slot) {
  PYNET_UNROLL
  for (int k = 0; k < W; ++k) f(slot.pack.lane[k]...);
  (slot.close(), ...);
}

// What one of the threads takes of n elements: packs of W at begin, begin + step, ... below end,
// and one of the few elements behind the packs, `single`, which is n for none.
struct Share {
  index_t begin, step, end, single;
  __host__ __device__ Share(index_t n, int W, index_t thread, index_t threads)
      : begin(thread * W), step(threads * W), end(n / W * W) {
    single = thread < n - end ? end + thread : n;
  }
};

template <int W, class F, class... P>
__global__ void elements_kernel(index_t n, F f, P... port) {
  const Share mine(n, W, static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x,
                   static_cast<index_t>(gridDim.x) * blockDim.x);
  for (index_t i = mine.begin; i < mine.end; i += mine.step) {
    call_on<W>(f, port.template open<W>(i)...);
  }
  if (W > 1 && mine.single < n) call_on<1>(f, port.template open<1>(mine.single)...);
}

// Calls body(i) for i = 0 .. n-1: for what is no element by itself, a window or a pixel.
template <class Body>
__global__ void indices_kernel(index_t n, Body body) {
  const index_t threads = static_cast<index_t>(gridDim.x) * blockDim.x;
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += threads) {
    body(i);
  }
}
template <class Body>
void for_indices(const char* op, index_t n, const Body& body) {
  if (n <= 0) return;
  launch(op, indices_kernel<Body>, element_blocks(n, 1), kElementThreads, n, body);
}

constexpr std::size_t largest(std::size_t a) { return a; }
template <class... Rest>
constexpr std::size_t largest(std::size_t a, std::size_t b, Rest... rest) {
  return largest(a > b ? a : b, rest...);
}

// As many elements at a time as the largest kind has in 16 bytes.
template <class F, class First, class... P>
void for_elements(const char* op, index_t n, const F& f, First first, P... port) {
  if (n <= 0) return;
  constexpr int W =
      16 / static_cast<int>(largest(sizeof(typename First::type), sizeof(typename P::type)...));
  const dim3 grid = element_blocks(n, W);
  if (is_aligned(first.p, W) && (is_aligned(port.p, W) && ...)) {
    launch(op, elements_kernel<W, F, First, P...>, grid, kElementThreads, n, f, first, port...);
  } else {
    launch(op, elements_kernel<1, F, First, P...>, grid, kElementThreads, n, f, first, port...);
  }
}

}  // namespace pynet::cuda
