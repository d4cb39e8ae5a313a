// Collects the kernels of one instruction set.
#include "pynet/kernels.h"

namespace pynet::PYNET_ISA {

#define PYNET_DECLARE(name, Args) void export_##name(KernelPair<Args>* pair);
PYNET_KERNELS(PYNET_DECLARE)
#undef PYNET_DECLARE

void fill_table(KernelTable* table) {
#define PYNET_FILL(name, Args) export_##name(&table->name);
  PYNET_KERNELS(PYNET_FILL)
#undef PYNET_FILL
}

}  // namespace pynet::PYNET_ISA
