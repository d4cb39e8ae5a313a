# What the module _cuda is made of; also read by tests/cuda_host.
set(csrc ${CMAKE_CURRENT_LIST_DIR}/../csrc)
file(GLOB PYNET_CUDA_KERNELS CONFIGURE_DEPENDS ${csrc}/cuda/*.cu)
set(PYNET_CUDA_RUNTIME
  ${csrc}/cuda/runtime/device.cpp
  ${csrc}/cuda/runtime/device_info.cpp
  ${csrc}/cuda/runtime/dispatch.cpp
  ${csrc}/cuda/runtime/error.cpp
  ${csrc}/cuda/runtime/launch.cpp
  ${csrc}/cuda/runtime/precision.cpp
  ${csrc}/runtime/fuse_calls.cpp
  ${csrc}/runtime/memory_pool.cpp
  ${csrc}/runtime/recording.cpp
  ${csrc}/runtime/settings.cpp
  ${csrc}/runtime/thread_count.cpp
  ${csrc}/runtime/thread_team.cpp
  ${csrc}/runtime/value_memory.cpp)
set(PYNET_CUDA_BINDINGS
  ${csrc}/cuda/python/module.cpp
  ${csrc}/cuda/python/bind_device.cpp
  ${csrc}/cuda/python/bind_device_array.cpp
  ${csrc}/cuda/python/bind_recording.cpp
  ${csrc}/cuda/python/device_array.cpp
  ${csrc}/cuda/python/exchange.cpp
  ${csrc}/python/array_arg.cpp
  ${csrc}/python/def_op.cpp
  ${csrc}/python/bind_gemm.cpp
  ${csrc}/python/bind_conv.cpp
  ${csrc}/python/bind_activation.cpp
  ${csrc}/python/bind_elementwise.cpp
  ${csrc}/python/bind_pool.cpp
  ${csrc}/python/bind_norm.cpp
  ${csrc}/python/bind_resample.cpp
  ${csrc}/python/bind_dropout.cpp
  ${csrc}/python/bind_reduce.cpp
  ${csrc}/python/bind_loss.cpp
  ${csrc}/python/bind_update.cpp
  ${csrc}/python/bind_memory.cpp)
