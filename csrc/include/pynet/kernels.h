// The one list of all kernels. A line here gives a kernel its place in every table.
#pragma once

#include "pynet/activation.h"
#include "pynet/conv.h"
#include "pynet/elementwise.h"
#include "pynet/gemm.h"
#include "pynet/loss.h"
#include "pynet/norm.h"
#include "pynet/optimizer.h"
#include "pynet/pool.h"
#include "pynet/random.h"
#include "pynet/reduce.h"
#include "pynet/types.h"

// KERNEL(name, argument struct)
#define PYNET_KERNELS(KERNEL) \
  KERNEL(gemm, GemmArgs)      \
  KERNEL(add, AddArgs)        \
  KERNEL(scale, ScaleArgs)

namespace pynet {

// All kernels of one instruction set.
struct KernelTable {
#define PYNET_MEMBER(name, Args) KernelPair<Args> name;
  PYNET_KERNELS(PYNET_MEMBER)
#undef PYNET_MEMBER
};

}  // namespace pynet
