// The vocabulary shared by every kernel, header and binding: plain data only.
//
// These headers are compiled once per instruction set with different compiler flags, so they hold
// nothing that could be emitted as a function: no member functions, no templates of functions, no
// standard library. (An inline function compiled twice lets the linker keep the AVX-512 copy for
// everybody.)
#pragma once

#include <cstddef>
#include <cstdint>

namespace pynet {

using index_t = std::int64_t;

// What an input-gradient kernel does with its output: the first layer skips it, a value used once
// is written, a value used twice is added to.
enum class Grad : std::int32_t { Skip, Write, Add };

constexpr int kMaxPhases = 4;

// How a kernel wants to be run. `tiles` and both scratch sizes follow from the shapes alone, so
// that the bits of the result do not depend on the number of threads.
struct Work {
  int phases;                 // executed one after the other
  index_t tiles[kMaxPhases];  // tiles of each phase, independent of each other
  std::size_t shared;         // bytes of scratch seen by all tiles and all phases
  std::size_t local;          // bytes of scratch of each thread; undefined between tiles
  double cost;  // rough nanoseconds on one core: decides how many threads are worth it
};

// One tile of one phase, and the memory it may use.
struct Tile {
  int phase;
  index_t index;
  void* shared;
  void* local;
};

// A kernel for one data type on one instruction set.
template <class Args>
struct Kernel {
  Work (*plan)(const Args& args);
  void (*run)(const Args& args, const Tile& tile);
};

// A kernel bound to its arguments, without its types.
struct BoundKernel {
  void (*run)(const void* self, const Tile& tile);
  const void* self;
};

// The same kernel for both data types.
template <template <class> class Args>
struct KernelPair {
  Kernel<Args<float>> f32;
  Kernel<Args<double>> f64;
};

}  // namespace pynet
