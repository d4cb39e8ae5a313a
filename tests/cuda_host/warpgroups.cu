// Packed tiles, their place in shared memory, and the products of warpgroups: every index of small
// shapes, and whole products of small integers, whose sums are exact.
#include <algorithm>
#include <set>
#include <tuple>
#include <vector>

#include "cuda/product_wgmma.h"
#include "expect.h"

namespace pynet::cuda {

int processors() { return 3; }
int capability() { return 90; }

namespace {

// --- a tile in shared memory ---------------------------------------------------------------------

// Each byte of a tile has a place of its own, and those of a piece stay together.
void places_in_a_tile() {
  constexpr int kRows = 256;
  std::vector<int> times(kRows * kRowBytes);
  for (int row = 0; row < kRows; ++row)
    for (int b = 0; b < kRowBytes; ++b) {
      const int place = place_in_tile(row, b);
      ++times.at(static_cast<std::size_t>(place));
      EXPECT(place / kRowBytes == row && place % kPieceBytes == b % kPieceBytes);
    }
  EXPECT(std::count(times.begin(), times.end(), 1) == kRows * kRowBytes);
  // The same piece of eight rows, which a tensor core reads at once, lies in all 32 banks.
  for (int row = 0; row < kRows; row += 8)
    for (int piece = 0; piece < kPieces; ++piece) {
      std::set<int> banks;
      for (int r = 0; r < 8; ++r)
        for (int b = 0; b < kPieceBytes; b += 4)
          banks.insert(place_in_tile(row + r, piece * kPieceBytes + b) / 4 % 32);
      EXPECT(banks.size() == 32);
    }
}

// Descriptors of all addresses where rows may begin, and of the quarters of a row.
void descriptors() {
  for (std::uint32_t address = 1024; address < (227u << 10); address += 1024)
    for (std::uint32_t quarter = 0; quarter < 128; quarter += 32) {
      const std::uint64_t d = descriptor(address) + (quarter >> 4);
      EXPECT(d == descriptor(address + quarter));
      EXPECT((d & 0x3fff) == (address + quarter) / 16 && (d >> 32 & 0x3fff) == 1024 / 16);
      EXPECT(d >> 46 == 1u << 16 && (d >> 14 & 3) == 0);
    }
}

// Of the lanes of a warp that use shared memory at once: the most words in one bank.
template <class Word>
int words_in_a_bank(const Word& word) {
  std::set<int> words[32];
  std::size_t most = 0;
  for (int lane = 0; lane < 32; ++lane) {
    std::set<int>& bank = words[word(lane) % 32];
    bank.insert(word(lane));
    most = std::max(most, bank.size());
  }
  return static_cast<int>(most);
}

// What the threads of a block read and write while they pack.
void packing(Precision digits) {
  const int steps = steps_in_row(digits), width = steps + 1;
  for (const bool along : {false, true}) {
    std::set<std::pair<int, int>> read;
    for (int i = 0; i < kPackRows * steps; ++i) {
      const ReadPlace at(i, steps, along);
      read.insert({at.row, at.step});
      EXPECT(at.row < kPackRows && at.step < steps);
    }
    EXPECT(static_cast<int>(read.size()) == kPackRows * steps);
    for (int i = 0; i < kPackRows * steps; i += 32) {
      EXPECT(words_in_a_bank([&](int lane) {
               const ReadPlace at(i + lane, steps, along);
               return at.row * width + at.step;
             }) <= 2);
    }
  }
  for (int i = 0; i < kPackRows * kPieces; ++i) {
    const WritePlace at(i);
    EXPECT(place_in_tile(at.row, at.piece * kPieceBytes) == i * kPieceBytes);
  }
  const int numbers = steps * kPieceBytes / kRowBytes;  // in a piece
  for (int i = 0; i < kPackRows * kPieces; i += 32)
    for (int e = 0; e < numbers; ++e) {
      EXPECT(words_in_a_bank([&](int lane) {
               const WritePlace at(i + lane);
               return at.row * width + at.piece * numbers % steps + e;
             }) <= 2);
    }
}

// --- tiles and stages ----------------------------------------------------------------------------

void tiles() {
  for (index_t parts = 1; parts < 3; ++parts)
    for (const index_t rows : {1, 2, 15, 16, 17, 40})
      for (const index_t columns : {1, 3, 16, 33}) {
        std::set<std::tuple<index_t, index_t, index_t>> seen;
        for (index_t i = 0; i < parts * rows * columns; ++i) {
          const OutputTile at(i, rows, columns);
          EXPECT(at.part >= 0 && at.part < parts && at.row >= 0 && at.row < rows);
          EXPECT(at.column >= 0 && at.column < columns);
          seen.insert({at.part, at.row, at.column});
        }
        EXPECT(static_cast<index_t>(seen.size()) == parts * rows * columns);
      }
  std::set<std::pair<int, int>> sums;
  for (int thread = 0; thread < kWarpgroup; ++thread)
    for (int j = 0; j < 32; ++j)
      for (int e = 0; e < 4; ++e) {
        const SumPlace at(thread, j, e);
        sums.insert({at.row, at.column});
        EXPECT(at.row < 64 && at.column < 256);
      }
  EXPECT(sums.size() == 64 * 256);
  RingPlace<3> place;
  for (int i = 0; i < 20; ++i, place.next()) {
    EXPECT(place.stage == i % 3 && place.parity == static_cast<std::uint32_t>(i / 3 % 2));
  }
}

// Packed tiles lie one behind the other.
void packed_shapes() {
  for (const Precision digits : {Precision::Bf16, Precision::Tf32, Precision::Tf32x3})
    for (const index_t count : {1, 127, 128, 129, 700})
      for (const index_t K : {1, 16, 17, 63, 64, 65, 500}) {
        const PackedShape s(count, K, 128, digits);
        EXPECT(s.tiles * 128 >= count && (s.tiles - 1) * 128 < count);
        EXPECT(s.blocks * steps_in_row(digits) >= K && (s.blocks - 1) * steps_in_row(digits) < K);
        index_t next = 0;
        for (index_t part = 0; part < 2; ++part)
          for (index_t tile = 0; tile < s.tiles; ++tile)
            for (index_t block = 0; block < s.blocks; ++block, next += s.tile_bytes())
              EXPECT(s.place(part, tile, block) == next);
        EXPECT(next == 2 * s.bytes_of_part());
      }
}

// --- products ------------------------------------------------------------------------------------

struct Store {
  float* p;
  index_t rows, columns;
  Store part(index_t i) const { return {p + i * rows * columns, rows, columns}; }
  void put(index_t m, index_t n, float sum) const { p[m * columns + n] = sum; }
  void put_pair(index_t m, index_t n, float sum, float next) const {
    put(m, n, sum);
    put(m, n + 1, next);
  }
};

std::vector<float> numbers(index_t n, int seed) {
  std::vector<float> made(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < made.size(); ++i)
    made[i] = static_cast<float>((i * 7 + static_cast<std::size_t>(seed)) % 5) - 2;
  return made;
}

void product(const ProductShape& s, Precision digits, bool along) {
  const std::vector<float> a = numbers(s.parts * s.M * s.K, 1), b = numbers(s.parts * s.K * s.N, 3);
  std::vector<float> c(static_cast<std::size_t>(s.parts * s.M * s.N), -1000);
  const MatrixLines<float> A{a.data(), along ? s.K : 1, along ? 1 : s.M, s.M * s.K};
  const MatrixLines<float> B{b.data(), along ? s.K : 1, along ? 1 : s.N, s.K * s.N};
  const index_t bytes = with_wgmma_path(
      digits, [&](auto path) { return PackedOperands<decltype(path)>(s).bytes(s); });
  void* scratch = ::operator new(static_cast<std::size_t>(bytes), std::align_val_t(16));
  std::memset(scratch, 0xff, static_cast<std::size_t>(bytes));
  run_wgmma_product("product", s, digits, A, B, Store{c.data(), s.M, s.N}, scratch);
  ::operator delete(scratch, std::align_val_t(16));
  for (index_t part = 0; part < s.parts; ++part)
    for (index_t m = 0; m < s.M; ++m)
      for (index_t n = 0; n < s.N; ++n) {
        const MatrixLines<float> left = A.part(part), right = B.part(part);
        float sum = 0;
        for (index_t k = 0; k < s.K; ++k)
          sum += *left.find(left.line(m), k) * *right.find(right.line(n), k);
        EXPECT(c[static_cast<std::size_t>((part * s.M + m) * s.N + n)] == sum);
      }
}

// More steps than the ring has stages, more tiles than there are processors, edges on all sides.
void products(Precision digits) {
  const int steps = steps_in_row(digits);
  product({130, 258, 7 * steps + 3, 1}, digits, true);
  product({127, 255, 3 * steps - 1, 2}, digits, false);
  product({1, 1, 1, 1}, digits, true);
}

// A product where it is worth it, and on no smaller shape.
void sizes() {
  EXPECT(wgmma_scratch({2048, 1024, 256, 1}, Precision::Float32) == 0);
  EXPECT(wgmma_scratch({2048, 1024, 255, 1}, Precision::Bf16) == 0);
  EXPECT(wgmma_scratch({1920, 1024, 256, 1}, Precision::Bf16) == 0);
  EXPECT(wgmma_scratch({2048, 1024, 256, 1}, Precision::Bf16) == (2048 + 1024) * 256 * 2);
  EXPECT(wgmma_scratch({2048, 1024, 256, 1}, Precision::Tf32) == (2048 + 1024) * 256 * 4);
  EXPECT(wgmma_scratch({1024, 1024, 256, 1}, Precision::Tf32x3) == (1024 + 1024) * 256 * 8);
  EXPECT(wgmma_scratch({512, 512, 256, 8}, Precision::Bf16) == 8 * (512 + 512) * 256 * 2);
  EXPECT(wgmma_scratch({511, 4096, 256, 8}, Precision::Bf16) == 0);
}

}  // namespace
}  // namespace pynet::cuda

int main() {
  using namespace pynet::cuda;
  places_in_a_tile();
  descriptors();
  tiles();
  packed_shapes();
  sizes();
  for (const Precision digits : {Precision::Bf16, Precision::Tf32, Precision::Tf32x3}) {
    packing(digits);
    products(digits);
  }
  return verdict();
}
