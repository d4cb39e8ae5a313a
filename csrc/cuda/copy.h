// What arrays on the GPU need besides the ops: other data types, one value everywhere, rows by
// number, and a look at whether numbers are in range.
#pragma once

#include "pynet/types.h"

namespace pynet::cuda {

// The data types of arrays.
enum class Kind : std::int32_t { Bool, UInt8, Int32, Int64, UInt64, Float32, Float64 };

constexpr std::size_t size_of(Kind kind) {
  switch (kind) {
    case Kind::Bool:
    case Kind::UInt8:
      return 1;
    case Kind::Int32:
    case Kind::Float32:
      return 4;
    default:
      return 8;
  }
}

// to[i] = from[i], converted to another data type.
void cast(void* to, Kind to_kind, const void* from, Kind from_kind, index_t n);
void fill(void* to, Kind kind, double value, index_t n);

// Row i of `to` is row index[i] of `from`; rows of `row` bytes, a multiple of 4 where it can be.
// The nearest one is taken for a number that is not in 0 .. limit-1: check_range() reports it.
void gather_rows(void* to, const void* from, const std::int64_t* index, index_t rows, index_t row,
                 index_t limit);

// Reports, for the next synchronize(), the first of the numbers that is not in 0 .. limit-1. op and
// argument are names that live as long as the process.
void check_range(const char* op, const char* argument, const std::int64_t* numbers, index_t n,
                 index_t limit);
void check_range(const char* op, const char* argument, const std::uint64_t* numbers, index_t n,
                 index_t limit);
void check_range(const char* op, const char* argument, const std::int32_t* numbers, index_t n,
                 index_t limit);

}  // namespace pynet::cuda
