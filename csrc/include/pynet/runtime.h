// What surrounds the kernels: the choice of instruction set, threads, memory, and launch().
//
// Ordinary C++17, never compiled per instruction set. A C++ program trains with this header and
// kernels.h alone:
//
//   GemmArgs<float> args = {...};
//   launch(kernels().gemm, args);
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "pynet/kernels.h"
#include "pynet/recording.h"

namespace pynet {

// --- instruction set -----------------------------------------------------------------------------

// The kernels of the instruction set in use. The first call chooses: PYNET_ISA if it is set
// (std::invalid_argument if this build or this processor lacks it), else the best that was tested.
const KernelTable& kernels();

std::string isa();                // its name: "baseline", "avx2", "avx512" or "neon"
std::vector<std::string> isas();  // all that this build and this processor have, plainest first
void set_isa(const std::string& name);  // std::invalid_argument if it is not one of isas()

// --- how convolution is computed -----------------------------------------------------------------

// Whether convolutions in float32 may take Winograd's way: yes, unless PYNET_WINOGRAD is 0. Who
// fills argument structs without the bindings says it there.
bool winograd();
void set_winograd(bool on);

// --- threads -------------------------------------------------------------------------------------

struct ThreadChoice {
  int threads;
  std::string reason;  // "PYNET_NUM_THREADS", "cgroup quota of 2.5 processors", ...
};

ThreadChoice default_threads();  // from the environment, affinity, cgroup quota and physical cores
int num_threads();
void set_num_threads(int n);  // 0: the default again; std::invalid_argument outside 0 .. 1024

// --- memory --------------------------------------------------------------------------------------

struct MemoryStats {
  std::size_t in_use;                // bytes handed out
  std::size_t cached;                // bytes kept for the next caller
  std::size_t peak;                  // the largest in_use so far
  std::uint64_t system_allocations;  // how often the system was asked
};

// Blocks of 64-byte aligned memory from a cache of size classes; std::bad_alloc when there is none.
// With PYNET_POOL=0, and in sanitizer builds, every call goes to the system.
void* pool_allocate(std::size_t bytes);
void pool_free(void* block) noexcept;
MemoryStats memory();
bool caching();                         // whether freed blocks are kept
std::size_t release_memory() noexcept;  // gives the cached blocks back; returns how many bytes

// --- launch --------------------------------------------------------------------------------------

// Runs all phases of a kernel on the team. The one place through which every kernel call goes.
void launch(const Work& work, const BoundKernel& kernel);

template <class Args>
void launch(const Kernel<Args>& kernel, const Args& args, const Work& work) {
  struct Call {
    const Kernel<Args>* kernel;
    const Args* args;
  } call{&kernel, &args};
  launch(work, BoundKernel{[](const void* self, const Tile& tile) {
                             const Call& c = *static_cast<const Call*>(self);
                             c.kernel->run(*c.args, tile);
                           },
                           &call});
}

template <template <class> class Args>
const Kernel<Args<float>>& pick(const KernelPair<Args>& pair, const Args<float>&) {
  return pair.f32;
}
template <template <class> class Args>
const Kernel<Args<double>>& pick(const KernelPair<Args>& pair, const Args<double>&) {
  return pair.f64;
}

template <template <class> class Args, class T>
void launch(const KernelPair<Args>& pair, const Args<T>& args) {
  const Kernel<Args<T>>& kernel = pick<Args>(pair, args);
  const Work work = kernel.plan(args);
  if (Recording* recording = Recording::current()) {
    if (!recording->take(pair, kernel, args, work)) return;
  }
  launch(kernel, args, work);
}

}  // namespace pynet
