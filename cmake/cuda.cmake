# The optional module _cuda: the ops of _core on a GPU.
#
#   PYNET_CUDA=AUTO  built where nvcc works; otherwise left out, with one line that says so
#   PYNET_CUDA=ON    an error where none works
#   PYNET_CUDA=OFF   never
set(PYNET_CUDA AUTO CACHE STRING "Build the CUDA module: AUTO, ON or OFF")
set_property(CACHE PYNET_CUDA PROPERTY STRINGS AUTO ON OFF)
# Machine code for Turing to Hopper, and PTX that newer GPUs compile when they load it. That PTX, of
# Ampere, is compiled here for its successors as well: no kernel knows them from each other, and one
# PTX for each would take a third of the time more.
set(PYNET_CUDA_ARCHITECTURES "75-real;80;90a-real" CACHE STRING "GPU architectures to build for")
set(PYNET_CUDA_FROM_80 "--generate-code=arch=compute_80,code=[sm_86,sm_89]")
# Products say fma() where they mean it: elsewhere a result is rounded as on the processor.
set(PYNET_CUDA_FLAGS "--extended-lambda --expt-relaxed-constexpr -fmad=false")

# A language is enabled for the whole file, never inside a function.
set(PYNET_HAVE_CUDA OFF)
if(PYNET_BUILD_PYTHON AND PYNET_CUDA STREQUAL "AUTO" AND CMAKE_CROSSCOMPILING)
  message(STATUS "pynet: this build is for another processor, so the module for GPUs is left out")
elseif(PYNET_BUILD_PYTHON AND NOT PYNET_CUDA STREQUAL "OFF")
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)  # or CMake would choose one while it looks at nvcc
    set(CMAKE_CUDA_ARCHITECTURES OFF)
  endif()
  foreach(result CMAKE_CUDA_COMPILER PYNET_CUDA_WORKS)  # what failed before may work by now
    if(NOT ${result})
      unset(${result} CACHE)
    endif()
  endforeach()
  check_language(CUDA)  # compiles something: a broken nvcc counts as none
  if(CMAKE_CUDA_COMPILER)
    enable_language(CUDA)
    # One that is too old or too new for a target, or is not NVIDIA's, counts as none as well.
    include(CheckSourceCompiles)
    set(any_targets ${CMAKE_CUDA_ARCHITECTURES})
    set(CMAKE_CUDA_ARCHITECTURES ${PYNET_CUDA_ARCHITECTURES})
    set(CMAKE_REQUIRED_FLAGS "${PYNET_CUDA_FLAGS}")
    set(CMAKE_REQUIRED_QUIET ON)
    check_source_compiles(CUDA "__global__ void f() {} int main() { return 0; }" PYNET_CUDA_WORKS)
    set(CMAKE_CUDA_ARCHITECTURES ${any_targets})
    unset(CMAKE_REQUIRED_FLAGS)
    unset(CMAKE_REQUIRED_QUIET)
    set(PYNET_HAVE_CUDA ${PYNET_CUDA_WORKS})
  endif()
  if(PYNET_HAVE_CUDA)
    message(STATUS "pynet: the module for GPUs is built too, which takes minutes: PYNET_CUDA=OFF leaves it out")
  elseif(PYNET_CUDA STREQUAL "ON")
    message(FATAL_ERROR "PYNET_CUDA is ON, but no CUDA compiler works for ${PYNET_CUDA_ARCHITECTURES}: "
                        "name nvcc 12 or newer in CUDACXX, or put it on PATH.")
  else()
    message(STATUS "pynet: no CUDA compiler works, so the module for GPUs is left out")
  endif()
endif()

function(pynet_add_cuda_module)
  if(NOT PYNET_HAVE_CUDA)
    return()
  endif()
  include(cmake/cuda_sources.cmake)
  add_library(pynet_cuda_kernels OBJECT ${PYNET_CUDA_KERNELS})
  set_target_properties(pynet_cuda_kernels PROPERTIES
    CUDA_ARCHITECTURES "${PYNET_CUDA_ARCHITECTURES}" CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON
    CUDA_VISIBILITY_PRESET hidden)
  if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13)  # a module of a quarter of the size
    string(APPEND PYNET_CUDA_FLAGS " --compress-mode=size")
  endif()
  separate_arguments(flags NATIVE_COMMAND "${PYNET_CUDA_FLAGS}")
  target_compile_options(pynet_cuda_kernels PRIVATE
    ${flags} -Xcompiler=-Wall,-Wextra
    $<$<BOOL:${PYNET_WERROR}>:-Werror=all-warnings -Xcompiler=-Werror>)
  target_include_directories(pynet_cuda_kernels PRIVATE csrc csrc/include)
  target_compile_definitions(pynet_cuda_kernels PRIVATE PYNET_CUDA_MODULE PYNET_ISA=cuda)
  if("80" IN_LIST PYNET_CUDA_ARCHITECTURES)
    target_compile_options(pynet_cuda_kernels PRIVATE ${PYNET_CUDA_FROM_80})
  endif()
  if(PYNET_CUDA_ARCHITECTURES MATCHES "90a")  # what only Hopper itself can do
    target_compile_definitions(pynet_cuda_kernels PRIVATE PYNET_CUDA_SM90A)
  endif()
  pybind11_add_module(_cuda MODULE NO_EXTRAS ${PYNET_CUDA_RUNTIME} ${PYNET_CUDA_BINDINGS}
    $<TARGET_OBJECTS:pynet_cuda_kernels>)
  set_target_properties(_cuda PROPERTIES
    CUDA_RUNTIME_LIBRARY Static LINKER_LANGUAGE CXX UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
  set_source_files_properties(${PYNET_CUDA_RUNTIME} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  target_include_directories(_cuda PRIVATE csrc csrc/include ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
  target_compile_definitions(_cuda PRIVATE
    PYNET_CUDA_MODULE PYNET_MODULE_NAME=_cuda PYNET_VERSION="${PROJECT_VERSION}")
  target_link_libraries(_cuda PRIVATE Threads::Threads pynet_flags)
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT PYNET_SANITIZE)
    pybind11_strip(_cuda)
  endif()
  install(TARGETS _cuda DESTINATION pynet COMPONENT python)
endfunction()
