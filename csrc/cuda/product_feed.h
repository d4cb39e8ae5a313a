// How strips of A and B come into shared memory: copied asynchronously, in 16 bytes where lines lie
// side by side and are aligned to that, else number by number.
#pragma once

#include "cuda/copy_async.h"
#include "cuda/product_matrix.h"

namespace pynet::cuda {

// A strip: BK steps of K of so many lines. The padding keeps 16 bytes aligned, and lets threads
// that write 8 steps of 4 lines find 32 banks.
template <class T, int LINES, int BK>
struct Strip {
  static constexpr int kPack = 16 / static_cast<int>(sizeof(T));
  T at[BK][LINES + kPack];
};

// Which elements of a strip thread t copies, W neighbouring lines in turn i: threads follow each
// other along RUN steps of K, then to the next line.
template <int LINES, int BK, int THREADS, int RUN, int W>
struct Deal {
  static constexpr int kTurns = LINES * BK / (THREADS * W);
  static constexpr int kLines =  // different lines of a thread, over and over
      LINES * RUN > THREADS* W ? LINES * RUN / (THREADS * W) : 1;
  static_assert(kTurns * THREADS * W == LINES * BK && BK % RUN == 0 && LINES % W == 0, "");
  static __host__ __device__ constexpr int line(int t, int i) {
    return (i * THREADS + t) / RUN % (LINES / W) * W;
  }
  static __host__ __device__ constexpr int step(int t, int i) {
    const int e = i * THREADS + t;
    return e % RUN + RUN * (e / (RUN * (LINES / W)));
  }
};

constexpr int kRun = 8;  // 32 bytes of a line are what memory delivers at once

// Lines of any kind. A thread keeps what find() wants to know of its lines.
template <class T, int LINES, int BK, int THREADS, class Lines>
class ProductFeed {
  using Way = Deal<LINES, BK, THREADS, Lines::along_k() ? kRun : 1, 1>;
  Lines of_;
  typename Lines::Line line_[Way::kLines];
  index_t k_;
  int t_, lines_left_;

 public:
  PYNET_INLINE ProductFeed(const Lines& of, index_t first, index_t lines, index_t k)
      : of_(of), k_(k), t_(static_cast<int>(threadIdx.x)) {
    lines_left_ = lines - first < LINES ? static_cast<int>(lines - first) : LINES;
    PYNET_UNROLL
    for (int i = 0; i < Way::kLines; ++i) {
      const int at = Way::line(t_, i);
      line_[i] = of.line(at < lines_left_ ? first + at : 0);
    }
  }

  // Copies the next strip; k_left: steps of K there are.
  PYNET_INLINE void copy(AsyncCopies& copies, Strip<T, LINES, BK>& strip, index_t k_left) {
    PYNET_UNROLL
    for (int i = 0; i < Way::kTurns; ++i) {
      const int at = Way::line(t_, i), step = Way::step(t_, i);
      const T* from = nullptr;
      if (at < lines_left_ && step < k_left) {
        from = of_.find(line_[i % Way::kLines], k_ + step);
      }
      copies.copy<1>(&strip.at[step][at], from, from != nullptr);
    }
    k_ += BK;
  }
};

// The lines of a matrix: an address that goes on by the same steps.
template <class T, int LINES, int BK, int THREADS>
class ProductFeed<T, LINES, BK, THREADS, MatrixLines<T>> {
  static constexpr int kPack = Strip<T, LINES, BK>::kPack, kWide = LINES + kPack;
  using AlongK = Deal<LINES, BK, THREADS, kRun, 1>;
  using AlongLines = Deal<LINES, BK, THREADS, 1, 1>;
  using Packs = Deal<LINES, BK, THREADS, 1, kPack>;
  const T* from_;  // this thread's first element of the next strip
  index_t line_step_, step_;
  int at_;  // where that lies in the strip
  int lines_left_;
  bool along_k_, packs_;

 public:
  PYNET_INLINE ProductFeed(const MatrixLines<T>& of, index_t first, index_t lines, index_t k)
      : line_step_(of.line_step), step_(of.step), along_k_(of.along_k()) {
    packs_ = of.line_step == 1 && of.step % kPack == 0 &&
             reinterpret_cast<std::uintptr_t>(of.begin) % 16 == 0;
    lines_left_ = lines - first < LINES ? static_cast<int>(lines - first) : LINES;
    const int t = static_cast<int>(threadIdx.x);
    const auto begin = [&](auto way) {
      const int line = decltype(way)::line(t, 0), step = decltype(way)::step(t, 0);
      at_ = step * kWide + line;
      from_ = of.begin + (first + line) * line_step_ + (k + step) * step_;
    };
    if (packs_) {
      begin(Packs{});
    } else if (along_k_) {
      begin(AlongK{});
    } else {
      begin(AlongLines{});
    }
  }

  PYNET_INLINE void copy(AsyncCopies& copies, Strip<T, LINES, BK>& strip, index_t k_left) {
    T* const to = &strip.at[0][0] + at_;
    if (packs_) {
      copy_by<Packs, kPack>(copies, to, k_left, 1, step_);
    } else if (along_k_) {
      copy_by<AlongK, 1>(copies, to, k_left, line_step_, 1);
    } else {
      copy_by<AlongLines, 1>(copies, to, k_left, line_step_, step_);
    }
    from_ += BK * step_;
  }

 private:
  template <class Way, int W>
  PYNET_INLINE void copy_by(AsyncCopies& copies, T* to, index_t k_left, index_t line_step,
                            index_t step) const {
    if (lines_left_ == LINES && k_left >= BK) {  // the same for all threads: inside A or B
      PYNET_UNROLL
      for (int i = 0; i < Way::kTurns; ++i) {
        const int lines_on = Way::line(0, i), steps_on = Way::step(0, i);
        copies.copy<W>(to + steps_on * kWide + lines_on,
                       from_ + lines_on * line_step + steps_on * step);
      }
      return;
    }
    const int t = static_cast<int>(threadIdx.x);
#if defined(__CUDACC__)
#pragma unroll 1  // at edges only; registers are few
#endif
    for (int i = 0; i < Way::kTurns; ++i) {
      const int lines_on = Way::line(0, i), steps_on = Way::step(0, i);
      const int left = Way::step(t, i) < k_left ? lines_left_ - Way::line(t, i) : 0;
      copies.copy<W>(to + steps_on * kWide + lines_on,
                     from_ + lines_on * line_step + steps_on * step,
                     left < 0 ? 0 : (left > W ? W : left));
    }
  }
};

}  // namespace pynet::cuda
