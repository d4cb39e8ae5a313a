// The memory of a recorded step on the GPU beside its values: the numbers of its calls, its batch
// on the way there, its losses on the way back.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "cuda/runtime/pinned_ring.h"
#include "cuda/step.h"
#include "pynet/recording.h"

namespace pynet::cuda {

// What a replay is given, as the GPU sees it.
struct StepSlot {
  StepNumbers* numbers;  // of every call
  std::int64_t* index;   // of every row
};

class StepMemory {
 public:
  // The calls read their numbers there from now on.
  StepMemory(Recording& recording, index_t rows);
  ~StepMemory();
  StepMemory(const StepMemory&) = delete;
  StepMemory& operator=(const StepMemory&) = delete;

  StepSlot next_slot();
  char* next_batch(std::size_t bytes);  // always as many

  Guard* guard() const { return guard_; }
  int* marks() const { return marks_; }
  StepNumbers* numbers() const { return numbers_; }
  index_t calls() const { return calls_; }
  Outcome* outcome() const { return outcome_; }

  // Where losses lie until they are read, one for each replay.
  static constexpr std::size_t kMostKept = 1024;
  double* kept() const { return kept_; }

 private:
  index_t calls_, rows_;
  void* block_ = nullptr;  // on the GPU
  Guard* guard_ = nullptr;
  int* marks_ = nullptr;
  StepNumbers* numbers_ = nullptr;
  void* mapped_ = nullptr;
  Outcome* outcome_ = nullptr;
  double* kept_ = nullptr;
  std::unique_ptr<PinnedRing> slots_, batches_;
};

}  // namespace pynet::cuda
