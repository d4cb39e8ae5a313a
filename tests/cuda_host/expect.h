// What the programs of tests share that go through index arithmetic and kernels by themselves: a
// stream, and a count of what was wrong.
#pragma once

#include <cstdio>

#include "one_stream.h"

namespace pynet::cuda {
namespace {

int g_wrong = 0;

void expect(bool right, const char* what, const char* file, int line) {
  if (right) return;
  if (++g_wrong <= 20) std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
}
#define EXPECT(condition) expect(condition, #condition, __FILE__, __LINE__)

// What main() returns.
int verdict() {
  if (g_wrong > 0) std::fprintf(stderr, "%d wrong\n", g_wrong);
  return g_wrong > 0;
}

}  // namespace
}  // namespace pynet::cuda
