// One function per family adds its ops to the module.
#pragma once

#include "python/array_arg.h"
#include "python/def_op.h"

namespace pynet {

void bind_runtime(py::module_& m);
void bind_memory(py::module_& m);
void bind_gemm(py::module_& m);
void bind_conv(py::module_& m);
void bind_elementwise(py::module_& m);
void bind_pool(py::module_& m);
void bind_norm(py::module_& m);
void bind_resample(py::module_& m);
void bind_dropout(py::module_& m);
void bind_reduce(py::module_& m);
void bind_activation(py::module_& m);
void bind_loss(py::module_& m);
void bind_update(py::module_& m);
void bind_recording(py::module_& m);

}  // namespace pynet
