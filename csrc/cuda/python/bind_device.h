#pragma once

#include <pybind11/pybind11.h>

namespace pynet {

void bind_device(pybind11::module_& m);  // the GPU itself: memory, waiting, what it is

}  // namespace pynet
