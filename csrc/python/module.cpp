// The extension module pynet._core.
#include "python/bind.h"

PYBIND11_MODULE(_core, m) {
  // What an op allocates beside its outputs; those name themselves.
  pybind11::register_local_exception_translator([](std::exception_ptr exception) {
    try {
      if (exception) std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
      PyErr_SetString(PyExc_MemoryError, "[pynet] memory: expected room for scratch, got none");
    }
  });
  pynet::bind_runtime(m);
  pynet::bind_memory(m);
  pynet::bind_gemm(m);
  pynet::bind_conv(m);
  pynet::bind_elementwise(m);
  pynet::bind_pool(m);
  pynet::bind_norm(m);
  pynet::bind_resample(m);
  pynet::bind_dropout(m);
  pynet::bind_reduce(m);
  pynet::bind_activation(m);
  pynet::bind_loss(m);
  pynet::bind_update(m);
  pynet::bind_recording(m);
}
