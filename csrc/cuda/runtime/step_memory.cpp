#include "cuda/runtime/step_memory.h"

#include <new>

#include "cuda/runtime/device.h"
#include "pynet/runtime.h"
#include "runtime/arena.h"

namespace pynet::cuda {
namespace {

constexpr std::size_t kSlots = 64;  // small ones, so that the processor may be far ahead
constexpr std::size_t kBatches = PinnedRing::kStretches;

std::size_t count(index_t n) { return static_cast<std::size_t>(n); }

}  // namespace

StepMemory::StepMemory(Recording& recording, index_t rows)
    : calls_(static_cast<index_t>(recording.size())), rows_(rows) {
  const std::size_t numbers = count(calls_) * sizeof(StepNumbers);
  block_ = scratch_allocate(sizeof(Guard) + kMostMarks * sizeof(int) + numbers);
  char* place = static_cast<char*>(block_);
  guard_ = reinterpret_cast<Guard*>(place);
  numbers_ = reinterpret_cast<StepNumbers*>(place + sizeof(Guard));
  marks_ = reinterpret_cast<int*>(place + sizeof(Guard) + numbers);
  check(cudaMemsetAsync(guard_, 0, sizeof(Guard), stream()), "cudaMemsetAsync");
  check(cudaHostAlloc(&mapped_, sizeof(Outcome) + kMostKept * sizeof(double), cudaHostAllocMapped),
        "cudaHostAlloc");
  outcome_ = new (mapped_) Outcome{};
  kept_ = reinterpret_cast<double*>(outcome_ + 1);
  slots_ = std::make_unique<PinnedRing>(numbers + count(rows_) * sizeof(std::int64_t), kSlots);
  for (index_t i = 0; i < calls_; ++i) {
    recording.call(count(i)).read_numbers_at(numbers_[i], &outcome_->loss);
  }
}

StepMemory::~StepMemory() {
  pool_free(block_);
  cudaFreeHost(mapped_);
}

StepSlot StepMemory::next_slot() {
  char* slot = slots_->next();
  return {reinterpret_cast<StepNumbers*>(slot),
          reinterpret_cast<std::int64_t*>(slot + count(calls_) * sizeof(StepNumbers))};
}

char* StepMemory::next_batch(std::size_t bytes) {
  if (!batches_) batches_ = std::make_unique<PinnedRing>(bytes, kBatches);
  return batches_->next();
}

}  // namespace pynet::cuda
