// Where the values of a recorded step lie between their making and their last use.
//
// While a step is recorded, freed blocks are handed out again, so one address stands for several
// values. separate() gives each value an address of its own, which nothing lies at; calls that are
// then made one need not care what shares memory with what. place() gives them real places, shared
// by values that are never needed at the same time.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "pynet/recording.h"

namespace pynet {

using Calls = std::vector<std::unique_ptr<RecordedCall>>;

class ValueMemory {
 public:
  // is_held(begin, end): memory that others look at, or that lives on from step to step.
  explicit ValueMemory(std::function<bool(const char*, const char*)> is_held)
      : is_held_(std::move(is_held)) {}

  void separate(Calls& calls);
  std::size_t size(Calls& calls);  // bytes for place(), which then writes its choice into calls
  void place(Calls& calls, char* slab);

 private:
  struct Value {
    std::size_t bytes;
    std::size_t first, last;  // calls
    std::size_t offset;
  };

  bool try_to_separate(Calls& calls);
  bool is_fixed(const char* begin, const char* end) const;

  std::function<bool(const char*, const char*)> is_held_;
  std::vector<std::pair<const char*, const char*>> fixed_;  // ranges whose values stay
  std::vector<Value> values_;
};

}  // namespace pynet
