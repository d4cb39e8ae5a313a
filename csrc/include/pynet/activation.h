// Activations, element by element. Backward takes the forward's output y, that of the family x.
#pragma once

#include "pynet/types.h"

namespace pynet {

template <class T>
struct ActivationArgs {
  T* y;        // (n)
  const T* x;  // (n)
  index_t n;
};

template <class T>
struct ActivationBackwardArgs {
  T* dx;          // (n)
  const T* dout;  // (n)
  const T* y;     // (n): what forward returned
  index_t n;
  Grad grad;
};

// The members of the family: RULE(name, cost of an element, where copying it costs 1). What they
// compute is in rules/activation.h.
#define PYNET_ACTIVATIONS(RULE) \
  RULE(celu, 3)                 \
  RULE(elu, 3)                  \
  RULE(gaussian, 3)             \
  RULE(gelu, 4)                 \
  RULE(gelu_tanh, 3)            \
  RULE(hard_shrink, 1)          \
  RULE(hard_sigmoid, 1)         \
  RULE(hard_swish, 1)           \
  RULE(hard_tanh, 1)            \
  RULE(identity, 1)             \
  RULE(leaky_relu, 1)           \
  RULE(log_sigmoid, 4)          \
  RULE(mish, 3)                 \
  RULE(sinusoid, 3)             \
  RULE(soft_shrink, 1)          \
  RULE(softplus, 4)             \
  RULE(softsign, 1)             \
  RULE(step, 1)                 \
  RULE(swish, 3)                \
  RULE(tanh_shrink, 3)

#define PYNET_MEMBER(name, cost) name,
enum class Rule : std::int32_t { PYNET_ACTIVATIONS(PYNET_MEMBER) };
#undef PYNET_MEMBER

// y = rule(x) with the rule's numbers alpha and beta
template <class T>
struct RuleArgs {
  T* y;        // (n)
  const T* x;  // (n)
  index_t n;
  Rule rule;
  T alpha, beta;
};

// dx = dout * rule'(x)
template <class T>
struct RuleBackwardArgs {
  T* dx;          // (n)
  const T* dout;  // (n)
  const T* x;     // (n)
  index_t n;
  Rule rule;
  T alpha, beta;
  Grad grad;
};

}  // namespace pynet
