// Products of a warpgroup on the executor, from what NVIDIA's PTX manual says of wgmma.mma_async
// and of its matrix descriptors: nothing here knows how the kernels lay out their tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "executor.h"

namespace executor {

enum class Number { Bf16, Tf32 };  // of 2 and of 4 bytes

// A matrix in shared memory as an instruction reads it: rows of 32 bytes, along K.
class SharedMatrix {
 public:
  SharedMatrix(std::uint64_t descriptor, Number kind)
      : start_(offset(descriptor)),
        leading_(offset(descriptor >> 16)),
        stride_(offset(descriptor >> 32)),
        // No exchange of pieces, or one that repeats every 8 rows of 128, 64, 32 bytes.
        exchanged_(static_cast<int>((4 - (descriptor >> 62)) % 4)),
        kind_(kind) {
    if (descriptor >> 49 & 7) throw std::logic_error("a descriptor with a base offset");
  }

  // Row `row`, all its steps of K.
  void read(int row, float* steps) const {
    const std::uint32_t r = static_cast<std::uint32_t>(row);
    for (std::uint32_t piece = 0; piece < 2; ++piece) {
      std::uint32_t address = start_ + r / 8 * stride_;
      if (exchanged_ == 0) {
        address += r % 8 * 16 + piece * leading_;
      } else {
        address += r % 8 * (16u << exchanged_) + piece * 16;
        address ^= (address >> 7 & ((1u << exchanged_) - 1)) << 4;
      }
      const void* from = shared_memory(address, 16);
      if (kind_ == Number::Bf16) {
        std::uint16_t bits[8];
        std::memcpy(bits, from, 16);
        for (const std::uint16_t b : bits) *steps++ = of_bits(std::uint32_t{b} << 16);
      } else {
        std::uint32_t bits[4];
        std::memcpy(bits, from, 16);
        for (const std::uint32_t b : bits) *steps++ = of_bits(b & 0xffffe000u);
      }
    }
  }

 private:
  static std::uint32_t offset(std::uint64_t field) {
    return static_cast<std::uint32_t>(field & 0x3fff) << 4;
  }
  static float of_bits(std::uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof(x));
    return x;
  }
  std::uint32_t start_, leading_, stride_;
  int exchanged_;
  Number kind_;
};

// What a lane hands to the tensor core.
struct Handed {
  float (*c)[4];
  std::uint64_t a, b;
  int add;
};

// sums[n] += x * row[n]: nearly all that the executor does in a product, so compiled for speed.
__attribute__((optimize("O3"), no_profile_instrument_function)) inline void add_row(
    double* sums, double x, const double* row, int columns) {
  for (int n = 0; n < columns; ++n) sums[n] += x * row[n];
}

// The 16 rows of C of one warp, by its first lane: C (16, 8 * tiles) = or += A B.
inline void multiply_warp(const std::vector<Handed>& lanes, int tiles, int warp, Number kind) {
  const int steps = kind == Number::Bf16 ? 16 : 8, columns = tiles * 8;
  const SharedMatrix a(lanes[0].a, kind), b(lanes[0].b, kind);
  std::vector<double> right(static_cast<std::size_t>(columns * steps));
  float line[16];
  for (int n = 0; n < columns; ++n) {
    b.read(n, line);
    for (int k = 0; k < steps; ++k) right[static_cast<std::size_t>(k * columns + n)] = line[k];
  }
  std::vector<double> sums(static_cast<std::size_t>(columns));
  for (int row = 0; row < 16; ++row) {
    a.read(warp * 16 + row, line);
    sums.assign(sums.size(), 0);
    for (int k = 0; k < steps; ++k)
      add_row(sums.data(), line[k], &right[static_cast<std::size_t>(k * columns)], columns);
    for (int n = 0; n < columns; ++n) {
      const Handed& lane = lanes[static_cast<std::size_t>(row % 8 * 4 + n % 8 / 2)];
      float& place = lane.c[n / 8][row / 8 * 2 + n % 2];
      const double before = lane.add ? static_cast<double>(place) : 0;
      place = cut_to_float(before + sums[static_cast<std::size_t>(n)]);
    }
  }
}

// All lanes of the warp come here; the product is done when they wait for it.
inline void multiply_later(float (*c)[4], int tiles, std::uint64_t a, std::uint64_t b, int add,
                           Number kind) {
  const Handed mine{c, a, b, add};
  std::vector<Handed> lanes(kWarp);
  show_all(reinterpret_cast<std::uintptr_t>(&mine), [&](int lane, std::uint64_t value) {
    const Handed& of = *reinterpret_cast<const Handed*>(value);
    if (of.a != a || of.b != b || of.add != add) {
      throw std::logic_error("lanes of a warpgroup that want different products");
    }
    lanes[static_cast<std::size_t>(lane)] = of;
  });
  const int warp = static_cast<int>(threadIdx.x) / kWarp % 4;
  if (lane() == 0) defer([=] { multiply_warp(lanes, tiles, warp, kind); });
  __syncwarp();  // `mine` is read by the others until here
}

}  // namespace executor
