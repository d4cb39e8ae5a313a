#include "cuda/copy.h"

#include <type_traits>

#include "cuda/elements.h"
#include "cuda/reduce.h"

namespace pynet::cuda {
namespace {

// Calls body(T{}) with the type of a kind.
template <class Body>
void with_type(Kind kind, const Body& body) {
  switch (kind) {
    case Kind::Bool:
      return body(bool{});
    case Kind::UInt8:
      return body(std::uint8_t{});
    case Kind::Int32:
      return body(std::int32_t{});
    case Kind::Int64:
      return body(std::int64_t{});
    case Kind::UInt64:
      return body(std::uint64_t{});
    case Kind::Float32:
      return body(float{});
    case Kind::Float64:
      return body(double{});
  }
}

template <class To, class From>
void cast_as(To* to, const From* from, index_t n) {
  for_elements(
      "cast", n, [] __device__(To& y, From x) { y = static_cast<To>(x); }, out(to), in(from));
}

template <class T>
void fill_as(T* to, T value, index_t n) {
  for_elements("fill", n, [=] __device__(T& y) { y = value; }, out(to));
}

template <class Unit>
__global__ void gather_kernel(Unit* to, const Unit* from, const std::int64_t* index, index_t units,
                              index_t limit) {
  const index_t row = blockIdx.y;
  const std::int64_t wanted = index[row];
  const Unit* source = from + (wanted < 0 ? 0 : wanted < limit ? wanted : limit - 1) * units;
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < units;
       i += static_cast<index_t>(gridDim.x) * blockDim.x) {
    to[row * units + i] = source[i];
  }
}

template <class Unit>
void gather_units(void* to, const void* from, const std::int64_t* index, index_t rows,
                  index_t units, index_t limit) {
  constexpr int kThreads = 128;
  constexpr index_t kMostRows = 65535;  // of a grid's y
  const index_t wanted = ceil_div(units, kThreads);
  for (index_t first = 0; first < rows; first += kMostRows) {
    const index_t count = rows - first < kMostRows ? rows - first : kMostRows;
    launch("gather_rows", gather_kernel<Unit>,
           dim3(static_cast<unsigned>(wanted < 32 ? wanted : 32), static_cast<unsigned>(count)),
           kThreads, static_cast<Unit*>(to) + first * units, static_cast<const Unit*>(from),
           index + first, units, limit);
  }
}

// One block: the least index wins, whichever thread finds it.
template <class Number>
__global__ void check_range_kernel(Report* report, const char* op, const char* argument,
                                   const Number* numbers, index_t n, index_t limit) {
  index_t first = n;
  for (index_t i = threadIdx.x; i < n; i += blockDim.x) {
    const auto number = static_cast<std::int64_t>(numbers[i]);
    if ((number < 0 || number >= limit) && i < first) first = i;
  }
  first = block_least(first);
  if (threadIdx.x == 0 && first < n && !report->op) {
    const auto number = static_cast<std::int64_t>(numbers[first]);
    *report = {op, argument, first, number, limit, std::is_unsigned_v<Number>};
  }
}

}  // namespace

void cast(void* to, Kind to_kind, const void* from, Kind from_kind, index_t n) {
  with_type(to_kind, [&](auto to_zero) {
    with_type(from_kind, [&](auto from_zero) {
      using To = decltype(to_zero);
      using From = decltype(from_zero);
      if constexpr (!std::is_same_v<To, From>) {  // that would be a copy
        cast_as(static_cast<To*>(to), static_cast<const From*>(from), n);
      }
    });
  });
}

void fill(void* to, Kind kind, double value, index_t n) {
  with_type(kind, [&](auto zero) {
    fill_as(static_cast<decltype(zero)*>(to), static_cast<decltype(zero)>(value), n);
  });
}

void gather_rows(void* to, const void* from, const std::int64_t* index, index_t rows, index_t row,
                 index_t limit) {
  if (limit <= 0) return;  // no number is one of a row, which has been reported
  const auto fits = [&](index_t unit) {
    return row % unit == 0 && reinterpret_cast<std::uintptr_t>(to) % unit == 0 &&
           reinterpret_cast<std::uintptr_t>(from) % unit == 0;
  };
  if (fits(sizeof(float4))) {
    gather_units<float4>(to, from, index, rows, row / static_cast<index_t>(sizeof(float4)), limit);
  } else if (fits(sizeof(float))) {
    gather_units<float>(to, from, index, rows, row / static_cast<index_t>(sizeof(float)), limit);
  } else {
    gather_units<char>(to, from, index, rows, row, limit);
  }
}

void check_range(const char* op, const char* argument, const std::int64_t* numbers, index_t n,
                 index_t limit) {
  launch("check_range", check_range_kernel<std::int64_t>, 1, kReduceThreads, report(), op, argument,
         numbers, n, limit);
}
void check_range(const char* op, const char* argument, const std::uint64_t* numbers, index_t n,
                 index_t limit) {
  launch("check_range", check_range_kernel<std::uint64_t>, 1, kReduceThreads, report(), op,
         argument, numbers, n, limit);
}
void check_range(const char* op, const char* argument, const std::int32_t* numbers, index_t n,
                 index_t limit) {
  launch("check_range", check_range_kernel<std::int32_t>, 1, kReduceThreads, report(), op, argument,
         numbers, n, limit);
}

}  // namespace pynet::cuda
