// Class numbers and the like in memory of the host: whether they are in range.
#pragma once

#include <type_traits>

#include "python/array_arg.h"

namespace pynet {

// The first element outside of 0 .. limit-1, or -1.
template <class T>
index_t first_outside(const T* elements, index_t n, index_t limit) {
  using U = std::make_unsigned_t<T>;
  const U last = static_cast<U>(limit - 1);
  U outside = 0;  // its top bit; without a branch, so that the compiler makes vectors of it
  for (index_t i = 0; i < n; ++i) {
    outside |= static_cast<U>(elements[i]) | (last - static_cast<U>(elements[i]));
  }
  if (static_cast<T>(outside) >= 0) return -1;
  index_t i = 0;
  while (0 <= elements[i] && elements[i] < limit) ++i;
  return i;
}

// Throws an IndexError that names the first such element; `wraps` where a number below 0 stands for
// one of 2^63 or more.
template <class T>
void expect_in_range(const char* op, const char* name, const T* elements, index_t n, index_t limit,
                     bool wraps) {
  const index_t i = first_outside(elements, n, limit);
  if (i < 0) return;
  const bool wrapped = wraps && elements[i] < 0;
  const std::string got = wrapped ? std::to_string(static_cast<std::uint64_t>(elements[i]))
                                  : std::to_string(elements[i]);
  fail_index(op, name,
             "expected numbers in 0 .. " + std::to_string(limit - 1) + ", got " + got +
                 " as element " + std::to_string(i));
}

}  // namespace pynet
