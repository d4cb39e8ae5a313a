#include "cuda/python/recorded_copy.h"

#include <cstring>
#include <memory>

#include "cuda/runtime/error.h"
#include "cuda/runtime/stream.h"
#include "pynet/recording.h"

namespace pynet {
namespace {

void make(const Copy& c) {
  if (c.rows == 0 || c.bytes == 0) return;
  if (c.to_kind != c.from_kind) {
    cuda::cast(c.to, c.to_kind, c.from, c.from_kind, c.elements);
  } else if (c.rows == 1) {
    cuda::check(cudaMemcpyAsync(c.to, c.from, c.bytes, cudaMemcpyDefault, cuda::stream()),
                "cudaMemcpyAsync");
  } else {
    cuda::check(cudaMemcpy2DAsync(c.to, c.to_pitch, c.from, c.from_pitch, c.bytes, c.rows,
                                  cudaMemcpyDefault, cuda::stream()),
                "cudaMemcpy2DAsync");
  }
}

class RecordedCopy final : public RecordedCall {
 public:
  explicit RecordedCopy(const Copy& copy) : copy_(copy) {
    name = "copy";
    bound = {
        [](const void* self, const Tile&) { make(static_cast<const RecordedCopy*>(self)->copy_); },
        this};
    plan();
  }
  // What lies between the rows of `to` stays: that is not only written.
  std::vector<Operand> operands() override {
    const std::size_t read =
        copy_.to_kind == copy_.from_kind
            ? reach(copy_.from_pitch, copy_.bytes)
            : static_cast<std::size_t>(copy_.elements) * cuda::size_of(copy_.from_kind);
    return {{&copy_.from, const_cast<char*>(copy_.from), read, Access::Read},
            {&copy_.to, copy_.to, reach(copy_.to_pitch, copy_.bytes),
             copy_.rows == 1 ? Access::Write : Access::Both}};
  }
  double operations() const override { return 0; }
  void plan() override { work = Work{1, {1}, 0, 0, 0}; }
  void read_numbers_at(StepNumbers&, double*) override {}

 private:
  std::size_t reach(std::size_t pitch, std::size_t bytes) const {
    return (copy_.rows - 1) * pitch + bytes;
  }
  Copy copy_;
};

}  // namespace

void copy_recorded(const Copy& copy) {
  make(copy);
  Recording* recording = Recording::current();
  if (!recording || recording->refreshing() || copy.rows == 0 || copy.bytes == 0) return;
  // A step that stops itself before the update (cuda/step.h) stops kernels, and no copies.
  if (recording->boundary() > 0) recording->note_copy();
  recording->add(std::make_unique<RecordedCopy>(copy));
}

}  // namespace pynet
