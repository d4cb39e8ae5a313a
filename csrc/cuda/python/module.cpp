// The extension module pynet._cuda: the ops of pynet._core, for arrays in the memory of a GPU. Its
// bindings are those of _core, compiled once more for another kind of array (python/ndarray.h).
#include "cuda/python/bind_device.h"
#include "cuda/python/device_array.h"
#include "cuda/runtime/error.h"
#include "python/bind.h"

namespace py = pybind11;

namespace {

// The class is Python's, so that a program can name it where there is no CUDA.
void set_cuda_error(const pynet::cuda::Error& error) {
  const py::object type = py::module_::import("pynet.devices").attr("CudaError");
  const py::object made = type(error.what(), error.op, static_cast<int>(error.code));
  PyErr_SetObject(type.ptr(), made.ptr());
}

}  // namespace

PYBIND11_MODULE(PYNET_MODULE_NAME, m) {
  pybind11::register_local_exception_translator([](std::exception_ptr exception) {
    try {
      if (exception) std::rethrow_exception(exception);
    } catch (const pynet::cuda::Error& error) {
      set_cuda_error(error);
    } catch (const pynet::cuda::OutOfRange& error) {
      PyErr_SetString(PyExc_IndexError, error.what());
    } catch (const pynet::cuda::OutOfMemory& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
    } catch (const std::bad_alloc&) {
      PyErr_SetString(PyExc_MemoryError, "[pynet] memory: expected room for scratch, got none");
    }
  });
  pynet::bind_device_array(m);
  pynet::bind_device(m);
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
