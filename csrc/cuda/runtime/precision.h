// How many digits of float32 a product reads: all of them, or those that tensor cores take.
#pragma once

#include <string>

namespace pynet::cuda {

enum class Precision { Float32, Tf32x3, Tf32, Bf16 };

Precision precision();
std::string precision_name();
// By name: "float32", "tf32x3", "tf32", "bfloat16"; std::invalid_argument for another one, or on a
// device without tensor cores for it (compute capability below 8.0).
void set_precision(const std::string& name);

}  // namespace pynet::cuda
