// What the GPU's kernels ask of sizes beyond the checks that all bindings make.
#pragma once

#include <stdexcept>
#include <string>

namespace pynet::cuda {

// Throws "[op] text" unless it is right. Python sees a ValueError.
inline void require(bool right, const char* op, const char* text) {
  if (!right) throw std::length_error(std::string("[") + op + "] " + text);
}

}  // namespace pynet::cuda
