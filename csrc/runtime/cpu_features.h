// What the processor underneath can execute.
#pragma once

#include <string>
#include <vector>

namespace pynet {

// True when the processor and the operating system can run kernels built for this instruction set.
bool cpu_has(const std::string& isa);

}  // namespace pynet
