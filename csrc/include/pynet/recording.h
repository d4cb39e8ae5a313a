// A training step written down: the kernel calls that one run of it made, to be made again at once,
// without Python, checks or allocation between them.
//
//   Recording recording;
//   recording.start();               // on this thread every launch() is written down, and runs
//   ... one step ...
//   recording.stop();
//   recording.play(0, recording.size());
//
// The calls keep their pointers. Memory that the pool handed out meanwhile stays the recording's
// (runtime/arena.h); all other arrays are held by whoever plays it, and foreign() tells of those
// that nobody holds.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "pynet/operands.h"
#include "pynet/step_numbers.h"

namespace pynet {

class Arena;
class Scratch;

// Copies what the pointers of a call lead to.
template <class Args>
void take_numbers(const Args&, StepNumbers&) {}
template <class T>
void take_numbers(const UpdateArgs<T>& args, StepNumbers& own) {
  own.update = *args.state;
}
template <class T>
void take_numbers(const DropoutArgs<T>& args, StepNumbers& own) {
  own.random = *args.state;
  own.ratio = *args.ratio;
}

// Lets the pointers of a call lead to numbers at another place, and its result to `result`.
template <class Args>
void lead_numbers(Args&, StepNumbers&, double*) {}
template <class T>
void lead_numbers(UpdateArgs<T>& args, StepNumbers& at, double*) {
  args.state = &at.update;
}
template <class T>
void lead_numbers(DropoutArgs<T>& args, StepNumbers& at, double*) {
  args.state = &at.random;
  args.ratio = &at.ratio;
}
template <class T>
void lead_numbers(SoftmaxCrossEntropyArgs<T>& args, StepNumbers&, double* result) {
  args.loss = result;
}
template <class T>
void lead_numbers(PairLossArgs<T>& args, StepNumbers&, double* result) {
  args.loss = result;
}
template <class T>
void lead_numbers(SumArgs<T>& args, StepNumbers&, double* result) {
  args.result = result;
}

template <class Args>
void own_numbers(Args& args, StepNumbers& own) {
  take_numbers(args, own);
  lead_numbers(args, own, &own.loss);
}

// An array of a call: where its pointer is kept, and what it points to.
struct Operand {
  void* field;
  char* data;
  std::size_t bytes;
  Access access;

  void move_to(char* place) const { std::memcpy(field, &place, sizeof(place)); }
};

// One kernel call, without its types.
class RecordedCall {
 public:
  virtual ~RecordedCall() = default;
  virtual std::vector<Operand> operands() = 0;
  virtual double operations() const = 0;
  virtual void plan() = 0;  // anew, after a change of the arguments
  virtual void read_numbers_at(StepNumbers& place, double* result) = 0;

  const void* kernel = nullptr;  // its place in the KernelTable
  std::string name;
  int label = 0;  // given by Recording::set_label
  Work work{};
  StepNumbers numbers{};
  BoundKernel bound{};
  double seconds = 0;  // the shortest time so far; 0: not measured
};

template <class Args>
class RecordedCallOf final : public RecordedCall {
 public:
  RecordedCallOf(const Kernel<Args>& of, const Args& given) : kernel_functions(of), args(given) {
    own_numbers(args, numbers);
    bound = {[](const void* self, const Tile& tile) {
               const RecordedCallOf& call = *static_cast<const RecordedCallOf*>(self);
               call.kernel_functions.run(call.args, tile);
             },
             this};
  }
  std::vector<Operand> operands() override {
    std::vector<Operand> found;
    pynet::operands(args, [&](void* field, index_t bytes, Access access) {
      Operand operand{field, nullptr, static_cast<std::size_t>(bytes), access};
      std::memcpy(&operand.data, field, sizeof(operand.data));
      found.push_back(operand);
    });
    return found;
  }
  double operations() const override { return pynet::operations(args); }
  void plan() override { work = kernel_functions.plan(args); }
  void read_numbers_at(StepNumbers& place, double* result) override {
    lead_numbers(args, place, result);
  }

  Kernel<Args> kernel_functions;
  Args args;
};

class Recording {
 public:
  Recording();
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  // That of this thread between start() or refresh() and stop(), or null.
  static Recording* current();

  void start();
  // Until stop(), launches on this thread are not run: each hands its numbers (learning rate, step
  // count) to the next call from `first` on, which must be of the same kernel.
  void refresh(std::size_t first);
  void stop();
  bool complete() const { return complete_; }  // whether refresh() met the calls it expected

  // For launch(): whether the call is to be run.
  template <template <class> class Args, class T>
  bool take(const KernelPair<Args>& pair, const Kernel<Args<T>>& kernel, const Args<T>& args,
            const Work& work) {
    if (refreshing_) {
      StepNumbers numbers{};
      take_numbers(args, numbers);
      refresh_next(&pair, numbers);
      return false;
    }
    auto call = std::make_unique<RecordedCallOf<Args<T>>>(kernel, args);
    call->kernel = &pair;
    call->work = work;
    add(std::move(call));
    return true;
  }

  // A call of what is in no table: copies on a GPU. It has its name already.
  void add(std::unique_ptr<RecordedCall> call);
  bool refreshing() const { return refreshing_; }

  void set_label(int label) { label_ = label; }
  // Tells that the next call works on a copy that no kernel made: of another layout or data type.
  void note_copy();
  std::size_t first_copy() const { return first_copy_; }  // the call; size() or more: none
  void hold(const void* data, std::size_t bytes);         // memory that outlives the recording
  // The first call that reads or writes memory which neither the arena nor hold() knows; size() if
  // there is none.
  std::size_t foreign() const;

  // The calls recorded so far and those to come are played apart: none becomes one with another.
  void set_boundary() { boundary_ = calls_.size(); }
  std::size_t boundary() const { return boundary_; }

  // Makes calls one where a kernel does both, and gives the values between them places of their
  // own, by lifetime (fuse_calls.cpp, value_memory.cpp). What held memory holds stays
  // there. Before the first play, and only where foreign() and first_copy() found nothing.
  void optimize();

  // Takes the scratch memory that any of the calls needs: a play takes none after that.
  void reserve();

  // Held memory that the calls read as their input: play() may be given another place for it.
  void set_input(const void* data, std::size_t bytes);
  bool input_moves() const { return input_moves_; }  // after optimize(): no call writes to it

  // Whether instruction set and algorithms are those that it was made with.
  bool holds() const;

  // Makes the calls first .. last-1 again, with the input where it was, or at `input`, which must
  // outlive the calls. False, and nothing done, where another thread is at it or another
  // instruction set, or another algorithm, has been chosen.
  bool play(std::size_t first, std::size_t last, const void* input = nullptr);

  std::size_t size() const { return calls_.size(); }
  RecordedCall& call(std::size_t i) { return *calls_[i]; }
  std::size_t bytes() const;  // of the arena

  std::vector<std::unique_ptr<RecordedCall>>& calls() { return calls_; }

 private:
  void find_input();
  void move_input(const char* place);
  bool is_held(const char* begin, const char* end) const;
  void refresh_next(const void* kernel, const StepNumbers& numbers);

  std::vector<std::unique_ptr<RecordedCall>> calls_;
  struct Range {
    const char* begin;
    const char* end;
  };
  std::vector<Range> held_;
  struct InputField {
    Operand operand;
    std::ptrdiff_t offset;  // of what it leads to, in the input
  };
  Range input_{nullptr, nullptr};
  std::vector<InputField> input_fields_;
  const char* input_place_ = nullptr;  // where they lead now
  bool input_moves_ = false;
  Arena* arena_;
  std::unique_ptr<Scratch> scratch_;
  void* slab_ = nullptr;  // the values, after optimize()
  std::size_t slab_bytes_ = 0, boundary_ = 0;
  const KernelTable* table_;
  bool winograd_;
  Arena* arena_before_ = nullptr;
  Recording* before_ = nullptr;
  int label_ = 0;
  bool refreshing_ = false, complete_ = true;
  std::size_t next_ = 0;
  std::size_t first_copy_ = static_cast<std::size_t>(-1);
  int plays_ = 0;
  std::atomic<bool> busy_{false};
};

}  // namespace pynet
