// The tiles of products: who copies and computes what, and products of small integers by each tile.
#include <algorithm>
#include <set>
#include <tuple>
#include <type_traits>
#include <vector>

#include "cuda/product.h"
#include "expect.h"

namespace pynet::cuda {

int processors() { return 2; }

namespace {

// --- tiles ---------------------------------------------------------------------------------------

// How often each of the pairs (row, column) of a tile is met.
class Met {
 public:
  Met(int rows, int columns)
      : columns_(columns), times_(static_cast<std::size_t>(rows * columns)) {}
  void at(int row, int column) { ++times_.at(static_cast<std::size_t>(row * columns_ + column)); }
  bool each_once() const {
    return std::all_of(times_.begin(), times_.end(), [](int n) { return n == 1; });
  }

 private:
  int columns_;
  std::vector<int> times_;
};

// A strip as tensor cores are fed.
template <class Tile>
void places_in_a_strip() {
  for (const bool along : {false, true}) {
    Met of_a(Tile::BM, Tile::BK);
    for (int t = 0; t < Tile::kThreads; ++t)
      for (int i = 0; i < Tile::kOfA; ++i)
        of_a.at(Tile::a_row(t, i, along), Tile::a_step(t, i, along));
    EXPECT(of_a.each_once());
  }
  Met of_b(Tile::BK, Tile::BN);
  for (int t = 0; t < Tile::kThreads; ++t)
    for (int i = 0; i < Tile::kOfB; ++i) of_b.at(Tile::b_step(t, i), Tile::b_column(t));
  EXPECT(of_b.each_once());
}

// Each element of a strip is copied once, by an address that goes on by the same steps for every
// thread; and the writes of a warp meet no bank twice where they go along K.
template <class T, int LINES, int BK, int THREADS, int RUN, int W>
void deal() {
  using Way = Deal<LINES, BK, THREADS, RUN, W>;
  constexpr int kWide = static_cast<int>(sizeof(Strip<T, LINES, BK>::at[0]) / sizeof(T));
  constexpr int kAtOnce = 128 / static_cast<int>(sizeof(T));  // lanes that write together
  Met met(BK, LINES);
  for (int i = 0; i < Way::kTurns; ++i) {
    std::set<int> banks;
    for (int t = 0; t < THREADS; ++t) {
      const int line = Way::line(t, i), step = Way::step(t, i);
      EXPECT(line == Way::line(t, 0) + Way::line(0, i));
      EXPECT(step == Way::step(t, 0) + Way::step(0, i));
      EXPECT(line == Way::line(t, i % Way::kLines));
      EXPECT((step * kWide + line) * static_cast<int>(sizeof(T)) % (W > 1 ? 16 : 4) == 0);
      for (int e = 0; e < W; ++e) met.at(step, line + e);
      if (t % kAtOnce == 0) banks.clear();
      EXPECT(RUN == 1 || banks.insert((step * kWide + line) % kAtOnce).second);
    }
  }
  EXPECT(met.each_once());
}

// Reads of 16 bytes: what half a warp asks for is at most one pack in each of 8 groups of banks,
// and lanes share their packs by twos, so that it is read at once.
template <class Address>
void reads_of_a_warp(const Address& address) {
  for (int half = 0; half < 2; ++half) {
    std::set<int> packs, banks;
    bool by_ones = true, by_twos = true;
    for (int lane = 16 * half; lane < 16 * half + 16; ++lane) {
      const int at = address(lane);
      EXPECT(at % 16 == 0);
      packs.insert(at / 16);
      banks.insert(at / 16 % 8);
      by_ones = by_ones && at == address(lane ^ 1);
      by_twos = by_twos && at == address(lane ^ 2);
    }
    EXPECT(packs.size() == banks.size() && (by_ones || by_twos));
  }
}

template <class T, class Tile>
void lanes_of_a_tile() {
  constexpr int BM = Tile::BM, BN = Tile::BN, BK = Tile::BK, kThreads = Tile::kThreads;
  deal<T, BM, BK, kThreads, kRun, 1>();
  deal<T, BM, BK, kThreads, 1, 1>();
  deal<T, BM, BK, kThreads, 1, Tile::kPack>();
  deal<T, BN, BK, kThreads, kRun, 1>();
  deal<T, BN, BK, kThreads, 1, 1>();
  deal<T, BN, BK, kThreads, 1, Tile::kPack>();
  Met of_c(Tile::kSlices * BM, BN);
  for (int t = 0; t < kThreads; ++t)
    for (int i = 0; i < Tile::TM; ++i)
      for (int j = 0; j < Tile::TN; ++j) {
        EXPECT(Tile::row(t, i) == Tile::row(t, 0) + Tile::row(0, i));
        EXPECT(Tile::column(t, j) == Tile::column(t, 0) + Tile::column(0, j));
        of_c.at(Tile::slice(t) * BM + Tile::row(t, i), Tile::column(t, j));
      }
  EXPECT(of_c.each_once());
  constexpr int kSize = static_cast<int>(sizeof(T));
  for (int warp = 0; warp < kThreads / 32; ++warp) {
    const auto step = [&](int lane) { return Tile::slice(32 * warp + lane) * Tile::kSteps; };
    reads_of_a_warp([&](int lane) {
      return (step(lane) * (BM + Tile::kPack) + Tile::row(32 * warp + lane, 0)) * kSize;
    });
    reads_of_a_warp([&](int lane) {
      return (step(lane) * (BN + Tile::kPack) + Tile::column(32 * warp + lane, 0)) * kSize;
    });
  }
}

// Every tile of every part is one block's, and the chunks are the steps of K in order.
template <class Tile>
void blocks_of_a_product() {
  for (const index_t M : {1, 31, 32, 33, 64, 65, 128, 129, 300})
    for (const index_t N : {1, 32, 63, 64, 65, 257})
      for (const index_t K : {1, 15, 16, 17, 511, 512, 513, 5000})
        for (index_t parts = 1; parts < 4; ++parts) {
          const ProductShape s{M, N, K, parts};
          const index_t chunks = chunks_of(s), depth = depth_of(K, chunks, Tile::BK);
          EXPECT(chunks >= 1 && depth % Tile::BK == 0 && chunks * depth >= K);
          const index_t tiles = ceil_div(M, Tile::BM) * ceil_div(N, Tile::BN);
          std::set<std::tuple<index_t, index_t, index_t>> seen;
          for (index_t block = 0; block < parts * tiles; ++block) {
            const BlockPlace at(s, Tile::BM, Tile::BN, depth, block, 0);
            EXPECT(at.m0 % Tile::BM == 0 && at.m0 < M && at.n0 % Tile::BN == 0 && at.n0 < N);
            EXPECT(at.part >= 0 && at.part < parts);
            seen.insert({at.part, at.m0, at.n0});
          }
          EXPECT(static_cast<index_t>(seen.size()) == parts * tiles);
          index_t next = 0;
          for (index_t chunk = 0; chunk < chunks; ++chunk) {
            const BlockPlace at(s, Tile::BM, Tile::BN, depth, 0, chunk);
            EXPECT(at.begin == next || at.begin >= K);
            next = std::max(next, at.end);
          }
          EXPECT(next == K);
        }
}

// Which tile an H100 would want, and that no other GPU is asked.
template <class Tile>
void choice(index_t M, index_t K, index_t N) {
  const ProductShape s{M, N, K, 1};
  bool right = false;
  using Matrix = MatrixLines<float>;
  with_tile<float, Matrix, Matrix>(
      s, chunks_of(s), [&](auto tile) { right = std::is_same<decltype(tile), Tile>::value; });
  EXPECT(right);
}

void choices() {
  choice<LargeTile>(8192, 8192, 8192);
  choice<LargeTile>(4096, 4096, 4096);
  choice<LargeTile>(2048, 2048, 2048);
  choice<HalfTile>(1024, 1024, 1024);
  choice<MediumTile>(512, 512, 512);
  choice<WideTile>(30, 25, 57600);
  choice<SmallTile>(100, 784, 50);
  choice<SmallTile>(100, 50, 10);
  choice<SmallTile>(784, 100, 50);
  EXPECT(chunks_of({100, 50, 784, 1}) == 1);
  EXPECT(chunks_of({30, 25, 57600, 1}) > 16);
}

// --- products ------------------------------------------------------------------------------------

// Matrices (parts, rows, columns) of small integers: every sum is exact.
template <class T>
struct Store {
  T* p;
  index_t rows, columns;
  Store part(index_t i) const { return {p + i * rows * columns, rows, columns}; }
  void put(index_t m, index_t n, T sum) const { p[m * columns + n] = sum; }
  bool packs() const { return columns % 4 == 0 && reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }
  template <int W>
  void put_pack(index_t m, index_t n, const Pack<T, W>& sum) const {
    EXPECT(n % W == 0);
    store_pack(p + m * columns + n, sum);
  }
};

// Lines of a matrix that are found one by one, as those of an image.
template <class T, bool ALONG>
struct Found : MatrixLines<T> {
  explicit Found(const MatrixLines<T>& of) : MatrixLines<T>(of) {}
  Found part(index_t i) const { return Found(MatrixLines<T>::part(i)); }
  static constexpr bool along_k() { return ALONG; }
};

// Which of A and B have neighbouring steps of K side by side.
struct Layout {
  bool a_along_k, b_along_k;
};

// run(shape, grid, depth, partial, A, B, C) is to launch the product.
template <class T, class Tile, class Run>
void product(const ProductShape& s, index_t chunks, Layout layout, const Run& run) {
  const auto numbers = [](index_t n, int seed) {
    std::vector<T> made(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < made.size(); ++i)
      made[i] = static_cast<T>((i * 7 + static_cast<std::size_t>(seed)) % 5) - 2;
    return made;
  };
  const std::vector<T> a = numbers(s.parts * s.M * s.K, 1), b = numbers(s.parts * s.K * s.N, 3);
  std::vector<T> c(static_cast<std::size_t>(s.parts * s.M * s.N)), partial;
  partial.resize(c.size() * static_cast<std::size_t>(chunks));
  const auto lines = [&](const std::vector<T>& of, index_t count, bool along) {
    return MatrixLines<T>{of.data(), along ? s.K : 1, along ? 1 : count, count * s.K};
  };
  const MatrixLines<T> A = lines(a, s.M, layout.a_along_k), B = lines(b, s.N, layout.b_along_k);
  const Store<T> C{c.data(), s.M, s.N};
  const index_t blocks = s.parts * ceil_div(s.M, Tile::BM) * ceil_div(s.N, Tile::BN);
  T* const of_chunks = chunks == 1 ? nullptr : partial.data();
  run(s, dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(chunks)),
      depth_of(s.K, chunks, Tile::BK), of_chunks, A, B, C);
  if (of_chunks) {
    launch("add_chunks", add_chunks_kernel<T, Store<T>>, 2, 32, s, chunks,
           static_cast<const T*>(of_chunks), C);
  }
  for (index_t part = 0; part < s.parts; ++part)
    for (index_t m = 0; m < s.M; ++m)
      for (index_t n = 0; n < s.N; ++n) {
        const T *row = A.part(part).line(m), *column = B.part(part).line(n);
        T sum = 0;
        for (index_t k = 0; k < s.K; ++k) sum += *A.find(row, k) * *B.find(column, k);
        EXPECT(c[static_cast<std::size_t>((part * s.M + m) * s.N + n)] == sum);
      }
}

template <class T, class Tile, class Run>
void products(const Run& run) {
  constexpr index_t BM = Tile::BM, BN = Tile::BN, BK = Tile::BK;
  product<T, Tile>({BM + 1, BN - 1, 2 * BK + 3, 2}, 1, {true, false}, run);
  product<T, Tile>({BM - 1, BN + 1, 5 * BK - 1, 1}, 3, {false, true}, run);
  product<T, Tile>({BM + 4, BN + 8, 3 * BK, 1}, 1, {false, false}, run);  // in packs
  product<T, Tile>({BM - 4, BN, 4 * BK + 1, 1}, 2, {true, true}, run);
}

template <class T, class Tile>
void of_a_tile() {
  lanes_of_a_tile<T, Tile>();
  blocks_of_a_product<Tile>();
  const auto launched = [](const ProductShape& s, dim3 grid, index_t depth, T* partial, auto A,
                           auto B, Store<T> C) {
    launch("product", product_kernel<Tile, T, decltype(A), decltype(B), Store<T>>, grid,
           Tile::kThreads, s, depth, partial, A, B, C);
  };
  products<T, Tile>(launched);
  const auto found = [&](auto along_a, auto along_b) {
    product<T, Tile>({Tile::BM + 1, Tile::BN - 1, 2 * Tile::BK + 3, 2}, 1, {along_a(), along_b()},
                     [&](const ProductShape& s, dim3 grid, index_t depth, T* partial,
                         MatrixLines<T> A, MatrixLines<T> B, Store<T> C) {
                       launched(s, grid, depth, partial, Found<T, along_a()>(A),
                                Found<T, along_b()>(B), C);
                     });
  };
  found(std::true_type{}, std::false_type{});
  found(std::false_type{}, std::true_type{});
}

template <class Tile>
void on_tensor_cores(Precision digits) {
  places_in_a_strip<Tile>();
  products<float, Tile>([&](const ProductShape& s, dim3 grid, index_t depth, float* partial,
                            MatrixLines<float> A, MatrixLines<float> B, Store<float> C) {
    launch("product",
           mma_product_kernel<Tile, MatrixLines<float>, MatrixLines<float>, Store<float>>, grid,
           Tile::kThreads, s, depth, partial, digits, A, B, C);
  });
}

}  // namespace
}  // namespace pynet::cuda

int main() {
  using namespace pynet::cuda;
  choices();
  of_a_tile<float, SmallTile>();
  of_a_tile<float, MediumTile>();
  of_a_tile<float, WideTile>();
  of_a_tile<float, HalfTile>();
  of_a_tile<float, LargeTile>();
  of_a_tile<double, SmallTile64>();
  of_a_tile<double, LargeTile64>();
  on_tensor_cores<LargeMmaTile>(Precision::Tf32);
  on_tensor_cores<LargeMmaTile>(Precision::Bf16);
  return verdict();
}
