#include "cuda/direct_conv.h"

#include "cuda/direct_tile.h"

namespace pynet::cuda {
namespace {

// --- what becomes of a thread's sums -------------------------------------------------------------

template <class T>
struct MapEnd {
  T* y;
  const T* b;  // or null
  bool relu;
  index_t FN, OH, OW;
  int width;  // pixels of a store

  PYNET_INLINE T finished(T sum, index_t m) const {
    const T v = b ? sum + b[m] : sum;
    return relu ? relu_of<T>(v) : v;
  }
  PYNET_INLINE void operator()(const DirectSums<T>& sum, index_t image, index_t row, index_t column,
                               index_t first) const {
    if (width == 4) return put<16 / sizeof(T)>(sum, image, row, column, first);
    if (width == 2) return put<2>(sum, image, row, column, first);
    put<1>(sum, image, row, column, first);
  }
  template <int W>
  PYNET_INLINE void put(const DirectSums<T>& sum, index_t image, index_t row, index_t column,
                        index_t first) const {
    PYNET_UNROLL
    for (int m = 0; m < DirectJob<T>::kMaps; ++m) {
      if (first + m >= FN) return;
      PYNET_UNROLL
      for (int i = 0; i < kDirectDown; ++i) {
        T* line = y + ((image * FN + first + m) * OH + row + i) * OW;
        PYNET_UNROLL
        for (int j = 0; j < kDirectAcross; j += W) {
          if (row + i >= OH || column + j >= OW) continue;
          Pack<T, W> pack;
          PYNET_UNROLL
          for (int k = 0; k < W; ++k) pack.lane[k] = finished(sum[m][i][j + k], first + m);
          store_pack(line + column + j, pack);
        }
      }
    }
  }
};

// Maxima of 2 x 2 windows, and where they were.
template <class T>
struct PoolEnd {
  MapEnd<T> map;  // its y, OH and OW are those of the maxima
  std::int32_t* arg;

  PYNET_INLINE void operator()(const DirectSums<T>& sum, index_t image, index_t row, index_t column,
                               index_t first) const {
    if (map.width == 2) return put<2>(sum, image, row / 2, column / 2, first);
    put<1>(sum, image, row / 2, column / 2, first);
  }
  template <int W>
  PYNET_INLINE void put(const DirectSums<T>& sum, index_t image, index_t row, index_t column,
                        index_t first) const {
    PYNET_UNROLL
    for (int m = 0; m < DirectJob<T>::kMaps; ++m) {
      if (first + m >= map.FN || row >= map.OH) return;
      const index_t line = ((image * map.FN + first + m) * map.OH + row) * map.OW;
      PYNET_UNROLL
      for (int j = 0; j < 2; j += W) {
        if (column + j >= map.OW) continue;
        Pack<T, W> largest;
        Pack<std::int32_t, W> best;
        PYNET_UNROLL
        for (int k = 0; k < W; ++k) {
          largest.lane[k] = map.finished(sum[m][0][2 * (j + k)], first + m);
          best.lane[k] = 0;
          PYNET_UNROLL
          for (int f = 1; f < 4; ++f) {
            const T v = map.finished(sum[m][f / 2][2 * (j + k) + f % 2], first + m);
            const T so_far = largest.lane[k];
            if (v > so_far || (v != v && so_far == so_far)) {  // the first of equals; NaN wins
              largest.lane[k] = v;
              best.lane[k] = f;
            }
          }
        }
        store_pack(map.y + line + column + j, largest);
        store_pack(arg + line + column + j, best);
      }
    }
  }
};

// --- the launch ----------------------------------------------------------------------------------

template <class T>
DirectTile tile_of(const ConvShape& s, index_t outputs_down, index_t outputs_across) {
  using Job = DirectJob<T>;
  if (!direct_applies(s)) return {0, 0, 0, 0, 0};
  return direct_tile(s, outputs_down, outputs_across, Job::kMaps, Job::kPack,
                     kDirectBytes / static_cast<int>(sizeof(T)));
}

// The tile of a convolution whose maps are pooled: the pixels that no window meets are left out.
template <class T>
DirectTile tile_of(const Conv2dMaxPool2dArgs<T>& args) {
  if (args.pool.FH != 2 || args.pool.FW != 2) return {0, 0, 0, 0, 0};
  return tile_of<T>(args.s, 2 * args.pool.OH, 2 * args.pool.OW);
}

template <class T, class End>
void launch_direct(const char* op, const DirectJob<T>& job, const End& end) {
  const std::size_t bytes = static_cast<std::size_t>(job.elements()) * sizeof(T);
  launch_with_shared(op, direct_kernel<T, End>, static_cast<unsigned>(job.grid.blocks),
                     static_cast<unsigned>(job.grid.lanes * job.tile.groups), bytes, job, end);
}

}  // namespace

template <class T>
bool run_direct(const char* op, const Conv2dArgs<T>& args) {
  const ConvShape& s = args.s;
  const DirectTile tile = tile_of<T>(s, s.OH, s.OW);
  if (tile.images == 0) return false;
  const auto together = [&](int pixels) {
    return s.OW % pixels == 0 && is_aligned(args.y, pixels * sizeof(T) > 16 ? 2 : pixels);
  };
  launch_direct(op, DirectJob<T>(args.x, args.W, s, tile, s.OH, s.OW),
                MapEnd<T>{args.y, args.b, args.relu, s.FN, s.OH, s.OW,
                          together(4)   ? 4
                          : together(2) ? 2
                                        : 1});
  return true;
}

template <class T>
bool is_direct(const Conv2dMaxPool2dArgs<T>& args) {
  return tile_of(args).images > 0;
}

template <class T>
bool run_direct(const char* op, const Conv2dMaxPool2dArgs<T>& args) {
  const PoolShape& pool = args.pool;
  const DirectTile tile = tile_of(args);
  if (tile.images == 0) return false;
  const bool pairs = pool.OW % 2 == 0 && is_aligned(args.y, 2) && is_aligned(args.arg, 2);
  launch_direct(op, DirectJob<T>(args.x, args.W, args.s, tile, 2 * pool.OH, 2 * pool.OW),
                PoolEnd<T>{{args.y, args.b, args.relu, args.s.FN, pool.OH, pool.OW, pairs ? 2 : 1},
                           args.arg});
  return true;
}

#define PYNET_DIRECT(T)                                        \
  template bool run_direct(const char*, const Conv2dArgs<T>&); \
  template bool is_direct(const Conv2dMaxPool2dArgs<T>&);      \
  template bool run_direct(const char*, const Conv2dMaxPool2dArgs<T>&);
PYNET_DIRECT(float)
PYNET_DIRECT(double)

}  // namespace pynet::cuda
