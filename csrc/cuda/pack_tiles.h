// Operands packed for Hopper's tensor cores: copies with fewer digits, laid out tile by tile as
// shared memory wants them (wgmma.h), so that the product brings each tile with one bulk copy.
//
//   A, row by row            packed
//   +-----+-----+            +-------------+-------------+-----
//   | 0 0 | 0 1 |            | tile 0 0    | tile 0 1    | tile 1 0 ...     a tile: rows of 128
//   bytes
//   +-----+-----+     ->     +-------------+-------------+-----
//   | 1 0 | 1 1 |            edges are filled up with zeros
//   +-----+-----+
//
// B is packed column by column, as if it were transposed. A row of a tile, 128 bytes, holds
//
//   Bf16     64 steps of K
//   Tf32     32 steps
//   Tf32x3   16 steps, and behind them what TF32 left of them
//
// The BLIS library packs for the caches of a processor in the same way, as cpu/pack.h does.
#pragma once

#include "cuda/mma.h"
#include "cuda/product_tile.h"
#include "cuda/runtime/precision.h"
#include "cuda/wgmma.h"

namespace pynet::cuda {

// Steps of K in a row of 128 bytes.
__host__ __device__ constexpr int steps_in_row(Precision digits) {
  return digits == Precision::Bf16 ? 64 : digits == Precision::Tf32 ? 32 : 16;
}

// Packed tiles: `height` rows each, for `count` rows and K steps, of each of the parts.
struct PackedShape {
  index_t count, K, height, tiles, blocks;  // tiles: below each other; blocks: along K
  PackedShape(index_t rows, index_t steps, int tile_height, Precision digits)
      : count(rows),
        K(steps),
        height(tile_height),
        tiles(ceil_div(rows, tile_height)),
        blocks(ceil_div(steps, steps_in_row(digits))) {}
  __host__ __device__ index_t tile_bytes() const { return height * kRowBytes; }
  __host__ __device__ index_t bytes_of_part() const { return tiles * blocks * tile_bytes(); }
  // Where a tile begins.
  __host__ __device__ index_t place(index_t part, index_t tile, index_t block) const {
    return part * bytes_of_part() + (tile * blocks + block) * tile_bytes();
  }
};

// A block packs 64 rows of a tile: it reads them in the order in which they lie in memory, and
// writes them from shared memory in the order of the tile.
constexpr int kPackRows = 64, kPackThreads = 256;

// Element i of those 64 rows, in the order of reading.
struct ReadPlace {
  int row, step;
  __host__ __device__ constexpr ReadPlace(int i, int steps, bool along)
      : row(along ? i / steps : i % kPackRows), step(along ? i % steps : i / kPackRows) {}
};
// Piece i of 16 bytes, in the order of writing.
struct WritePlace {
  int row, piece;
  __host__ __device__ constexpr explicit WritePlace(int i)
      : row(i / kPieces), piece((i % kPieces) ^ (row % kPieces)) {}
};

namespace {

struct alignas(kPieceBytes) Piece {
  std::uint32_t word[4];
};

// Piece `piece` of a row from its numbers.
template <Precision DIGITS>
PYNET_INLINE Piece piece_of(const float* row, int piece) {
  Piece made;
  PYNET_UNROLL
  for (int i = 0; i < 4; ++i) {
    if (DIGITS == Precision::Bf16) {
      made.word[i] = to_bf16_pair(row[piece * 8 + 2 * i], row[piece * 8 + 2 * i + 1]);
    } else if (DIGITS == Precision::Tf32) {
      made.word[i] = to_tf32(row[piece * 4 + i]);
    } else {
      made.word[i] = tf32_part(row[piece % 4 * 4 + i], piece >= 4);
    }
  }
  return made;
}

template <Precision DIGITS, class Lines>
__global__ void __launch_bounds__(kPackThreads)
    pack_tiles_kernel(PackedShape to, unsigned char* packed, Lines of) {
  constexpr int kSteps = steps_in_row(DIGITS);
  struct Rows {
    float row[kPackRows][kSteps + 1];  // one more: a column lies in all banks
  };
  PYNET_SHARED(Rows, s);
  const int t = static_cast<int>(threadIdx.x);
  const index_t strips = to.tiles * to.height / kPackRows, number = blockIdx.x / to.blocks;
  const index_t block = blockIdx.x - number * to.blocks, part = number / strips;
  const index_t first = (number - part * strips) * kPackRows;
  const Lines lines = of.part(part);
  const bool along = lines.along_k();
  constexpr int kEach = kPackRows * kSteps / kPackThreads;
  float read[kEach];  // all under way before the first is stored
  PYNET_UNROLL
  for (int i = 0; i < kEach; ++i) {
    const ReadPlace at(t + i * kPackThreads, kSteps, along);
    const index_t line = first + at.row, k = block * kSteps + at.step;
    read[i] = line < to.count && k < to.K ? value_at(lines.find(lines.line(line), k)) : 0.0f;
  }
  PYNET_UNROLL
  for (int i = 0; i < kEach; ++i) {
    const ReadPlace at(t + i * kPackThreads, kSteps, along);
    s.row[at.row][at.step] = read[i];
  }
  __syncthreads();
  const index_t tile = first / to.height;
  Piece* out = reinterpret_cast<Piece*>(packed + to.place(part, tile, block) +
                                        (first - tile * to.height) * kRowBytes);
  PYNET_UNROLL
  for (int i = t; i < kPackRows * kPieces; i += kPackThreads) {
    const WritePlace at(i);
    out[i] = piece_of<DIGITS>(s.row[at.row], at.piece);
  }
}

template <Precision DIGITS, class Lines>
void pack_tiles(const char* op, const PackedShape& to, index_t parts, unsigned char* packed,
                const Lines& of) {
  const index_t blocks = parts * (to.tiles * to.height / kPackRows) * to.blocks;
  launch(op, pack_tiles_kernel<DIGITS, Lines>, static_cast<unsigned>(blocks), kPackThreads, to,
         packed, of);
}

}  // namespace
}  // namespace pynet::cuda
