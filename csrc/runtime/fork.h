// Handlers around fork(), where the system has it.
#pragma once

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace pynet {

inline void at_fork(void (*before)(), void (*parent)(), void (*child)()) {
#if !defined(_WIN32)
  pthread_atfork(before, parent, child);
#else
  (void)before, (void)parent, (void)child;
#endif
}

}  // namespace pynet
