// Runs CUDA kernels on the CPU, so that they are tested where there is no GPU.
//
// Included before a .cu file that a C++ compiler reads. The blocks of a launch run one after the
// other, in random order. Each thread of a block is a fiber; at a barrier or a shuffle it gives
// way, and who goes on is drawn at random too, so that a missing barrier shows as a wrong result in
// one of a few runs. Under AddressSanitizer each block's shared memory is a heap block of its own
// size, and every array one of its own: an index that is off by one is a report with the kernel's
// line. Under ThreadSanitizer fibers count as threads that only barriers put in order: a missing
// barrier is a data race, and so are two blocks at one place. A barrier that some threads never
// reach is a BarrierError.
//
// What a GPU does beside its threads takes its time here too: a bulk copy happens at a moment drawn
// at random, a product of a warpgroup when it is waited for.
//
// Shared memory is filled with 0xFF bytes, NaN as floats, before a block begins. Warps are 32
// threads that run in no particular order between two of their meetings: stricter than a GPU.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

struct alignas(16) float4 {
  float x, y, z, w;
};

namespace executor {

// Threads of a block that wait for each other in vain.
struct BarrierError : std::logic_error {
  using std::logic_error::logic_error;
};

// The thread that runs now.
struct Position {
  dim3 thread, block, block_size, grid_size;
};
extern thread_local const Position* t_position;

constexpr int kWarp = 32;

// What a stream was told to do, instead of doing it.
struct Graph {
  std::vector<std::function<void()>> work;
};
struct Event {
  double seconds = 0;  // when the work before it was done
};
struct Stream {
  bool capturing = false;
  std::vector<std::function<void()>> captured;
};

// Does the work, or lets a stream that is being captured remember it.
void in_order(Stream* stream, std::function<void()> work);

// Calls `kernel` once for every thread of the grid.
void launch(const char* name, dim3 grid, dim3 block, Stream* stream, std::function<void()> kernel);

// How many launches and blocks there were so far; and where the random orders begin.
std::uint64_t launches();
void set_seed(std::uint64_t seed);

// For the threads of a kernel.
void block_barrier();
void warp_barrier(unsigned mask);
void* shared(const void* tag, std::size_t bytes, std::size_t align);
// Puts `value` where the lanes of the warp see it, and returns that of `lane` once all have.
std::uint64_t exchange(unsigned mask, std::uint64_t value, int lane);
// The same of a whole warp: `see(lane, value)` is called with what each lane puts there.
void show_all(std::uint64_t value, const std::function<void(int, std::uint64_t)>& see);
int lane();

// Shared memory as a window of addresses, which begin at 1024 as on a GPU; std::logic_error for
// what lies outside of it.
std::uint32_t shared_address(const void* place);
void* shared_memory(std::uint32_t address, std::size_t bytes);

// mbarriers, known by where they are. A phase is over when all have arrived and all bytes have.
void init_barrier(const void* barrier, int arrivals);
void expect_bytes(const void* barrier, std::size_t bytes);
void arrive_at(const void* barrier);
void wait_for_phase(const void* barrier, unsigned parity);
// Work of the copy engine, after which so many bytes have come to the barrier.
void copy_later(const void* barrier, std::size_t bytes, std::function<void()> copy);

// Work of the running thread, done as late as it may be: when no more than `newest` groups are
// left.
void defer(std::function<void()> work);
void commit_deferred();
void wait_deferred(std::size_t newest);

template <class T>
T exchanged(unsigned mask, T value, int from) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 64 bits");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = exchange(mask, bits, from);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// Tensor cores cut off what a float has no room for.
inline float cut_to_float(double x) {
  const float near = static_cast<float>(x);
  return std::fabs(static_cast<double>(near)) > std::fabs(x) ? std::nextafter(near, 0.0f) : near;
}

}  // namespace executor

#define threadIdx (executor::t_position->thread)
#define blockIdx (executor::t_position->block)
#define blockDim (executor::t_position->block_size)
#define gridDim (executor::t_position->grid_size)

#define PYNET_SHARED(Type, name)    \
  static const char name##_tag = 0; \
  Type& name = *static_cast<Type*>(executor::shared(&name##_tag, sizeof(Type), alignof(Type)))

inline void __syncthreads() { executor::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { executor::warp_barrier(mask); }
template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return executor::exchanged(mask, value, lane);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return executor::exchanged(mask, value, executor::lane() ^ lanes);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int by) {
  const int from = executor::lane() + by;
  return executor::exchanged(mask, value, from < executor::kWarp ? from : executor::lane());
}
