// What a replay of a recorded step does beside its kernels: it takes over its batch and the numbers
// that change from step to step, looks at the labels, and stops before the update where a number is
// not finite. All on the GPU, so that nobody waits for it between one step and the next.
#pragma once

#include "cuda/runtime/stream.h"
#include "pynet/step_numbers.h"
#include "pynet/types.h"

namespace pynet::cuda {

// Which replay is under way, and whether one was stopped: what changes parameters or statistics
// does nothing from then on (stop_word()). Memory of the GPU.
struct Guard {
  std::int64_t stop;
  std::int64_t replay;
  double* kept;  // where the loss of this replay goes, or null
};

// The first replay that was stopped, in memory of the host that the GPU sees.
struct Outcome {
  std::int64_t replay;  // from 1; 0: none
  Report report;        // the label that was out of range; without an op: a number is not finite
  double loss;          // of the last replay
};

// The rows index[0], index[1], ... of an array, or with null as they come.
struct Rows {
  char* to;
  const char* from;  // null: nothing is copied
  index_t bytes;     // of a row; a multiple of 4
};

struct StepBegin {
  StepNumbers* numbers;
  const StepNumbers* given;  // memory of the host that the GPU sees
  index_t calls;             // that have such numbers
  Guard* guard;
  std::int64_t replay;
  double* kept;
  index_t rows;
  const std::int64_t* index;  // as `given`
  Rows x, t;
  std::int64_t* labels;             // (rows), or null
  const std::int64_t* from_labels;  // copied to them by the index; null: they are there
  index_t classes;
  bool wraps;  // a label below 0 stands for one of 2^63 or more
  Outcome* outcome;
};
void begin_step(const StepBegin& begin);

// Whether the loss and all gradients are finite; keeps the loss. `marks`: room for kMostMarks.
constexpr unsigned kMostMarks = 128;
template <class T>
void check_step(const T* grads, index_t n, const double* loss, int* marks, Guard* guard,
                Outcome* outcome);

}  // namespace pynet::cuda
