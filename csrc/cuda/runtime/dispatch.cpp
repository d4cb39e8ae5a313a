// The table of kernels: one, for every GPU.
#include "pynet/runtime.h"

namespace pynet {
namespace cuda {

#define PYNET_DECLARE(name, Args) void export_##name(KernelPair<Args>* pair);
PYNET_KERNELS(PYNET_DECLARE)
#undef PYNET_DECLARE

}  // namespace cuda

const KernelTable& kernels() {
  static const KernelTable table = [] {
    KernelTable made;
#define PYNET_FILL(name, Args) cuda::export_##name(&made.name);
    PYNET_KERNELS(PYNET_FILL)
#undef PYNET_FILL
    return made;
  }();
  return table;
}

}  // namespace pynet
