// The two protocols by which libraries hand each other arrays on a GPU without a copy:
// __cuda_array_interface__ (version 3) and DLPack.
#pragma once

#include <optional>
#include <utility>

#include "cuda/python/device_array.h"

namespace pynet {

py::dict array_interface(const DeviceArray& a);

std::pair<int, int> dlpack_device();  // kDLCUDA, and which one
// A capsule "dltensor" that keeps the memory alive. stream: the consumer's, -1 where it waits for
// nothing; any other makes this thread's stream finish first.
py::capsule to_dlpack(const DeviceArray& a, const py::object& stream, const py::object& max_version,
                      const py::object& dl_device, const py::object& copy);

// The array of another library as ours, in the same memory, which it keeps alive; nothing where the
// object is not on a GPU.
std::optional<DeviceArray> taken_over(const py::object& object);

}  // namespace pynet
