// Copies of arrays on the GPU, which a step that is recorded makes again.
#pragma once

#include <cstddef>

#include "cuda/copy.h"

namespace pynet {

// `rows` stretches of `bytes`, which begin so many bytes behind each other. Where the kinds differ
// it is one row, and its elements are converted.
struct Copy {
  char* to;
  const char* from;
  cuda::Kind to_kind, from_kind;
  std::size_t rows, bytes, to_pitch, from_pitch;  // `bytes` are those of `to`
  index_t elements;
};

void copy_recorded(const Copy& copy);

}  // namespace pynet
