// Calls of a recorded step that one kernel can make: fewer passes over memory, the same bits.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "pynet/recording.h"

namespace pynet {

// Every value must have an address of its own (value_memory.h). Calls on both sides of *boundary
// are not made one; it moves with them.
void fuse_calls(std::vector<std::unique_ptr<RecordedCall>>& calls, std::size_t* boundary);

}  // namespace pynet
