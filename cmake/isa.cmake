# The kernels, compiled once per instruction set: same sources, other flags, another namespace.
#
# Link-time optimisation stays off for them, and they include no standard library: either could let
# code for a wide instruction set into the path of a processor that lacks it.

set(PYNET_FLAGS_baseline "")
set(PYNET_FLAGS_avx2 -mavx2 -mfma)
set(PYNET_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512)
# GCC would gather the loads of a loop at its top, where the micro-kernel has no register to spare.
set(PYNET_FLAGS_neon $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)

if(NOT PYNET_ISAS)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(PYNET_ISAS baseline avx2 avx512)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
    set(PYNET_ISAS neon)
  else()
    set(PYNET_ISAS baseline)
  endif()
endif()

file(GLOB PYNET_KERNEL_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/../csrc/cpu/*.cpp)

# The innermost loop is a hundred bytes: where it begins on a line of the cache, it takes two.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set_source_files_properties(csrc/cpu/gemm_micro.cpp PROPERTIES COMPILE_OPTIONS -falign-loops=64)
endif()

function(pynet_add_kernels target)
  set(rows "")
  foreach(isa IN LISTS PYNET_ISAS)
    add_library(pynet_cpu_${isa} OBJECT ${PYNET_KERNEL_SOURCES})
    target_include_directories(pynet_cpu_${isa} PRIVATE csrc csrc/include)
    target_compile_definitions(pynet_cpu_${isa} PRIVATE PYNET_ISA=${isa})
    target_compile_options(pynet_cpu_${isa} PRIVATE
      ${PYNET_FLAGS_${isa}} -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math)
    set_target_properties(pynet_cpu_${isa} PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
    target_link_libraries(pynet_cpu_${isa} PRIVATE pynet_flags)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:pynet_cpu_${isa}>)
    string(APPEND rows " ROW(${isa})")
  endforeach()
  file(CONFIGURE OUTPUT generated/built_isas.h @ONLY CONTENT
       "// The instruction sets of this build, plainest first.\n#define PYNET_BUILT_ISAS(ROW)@rows@\n")
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/generated)
endfunction()
