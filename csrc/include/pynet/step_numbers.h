// What kernels read or write through a pointer, and so may differ from step to step.
#pragma once

#include "pynet/optimizer.h"
#include "pynet/random.h"

namespace pynet {

struct StepNumbers {
  UpdateState update;
  RandomState random;
  float ratio;
  double loss;
};

}  // namespace pynet
