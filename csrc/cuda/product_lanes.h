// The tiles of the product: who computes what of C, and how many steps of K are on their way.
#pragma once

#include "cuda/product_feed.h"

namespace pynet::cuda {

// A block computes BM x BN of C, BK steps of K at a time, of which STAGES - 1 turns are on their
// way. A thread has TM x TN sums, LM x LN threads, a warp or half of one, a tile of LM TM x LN TN.
// SLICES teams of threads share the steps of a turn, and add up what they have in the end: that
// gives a small tile many threads.
//
// A thread's rows and columns are packs of 16 bytes, LM packs apart: each of its reads brings four
// floats, and those of a warp meet no bank twice. Its lanes stand so that every other one reads the
// same pack of A and every other pair the same one of B, which the hardware then reads for half a
// warp at once.
template <class T, int BM_, int BN_, int BK_, int TM_, int TN_, int LM, int LN, int SLICES,
          int STAGES, int BLOCKS>
struct LaneTile {
  static constexpr int BM = BM_, BN = BN_, BK = BK_, TM = TM_, TN = TN_;
  static constexpr int kSlices = SLICES, kStages = STAGES;
  static constexpr int kBlocks = BLOCKS;  // of a processor at the same time, for matrices
  static constexpr int kTeam = BM / TM * (BN / TN), kThreads = kTeam * SLICES;
  static constexpr int kSteps = BK / SLICES;  // of a turn, for a team
  static constexpr int kPack = 16 / static_cast<int>(sizeof(T));
  static_assert(kTeam % (LM * LN) == 0 && kThreads % 32 == 0 && kSteps % 2 == 0, "");
  static_assert(BM % (LM * TM) == 0 && BN % (LN * TN) == 0 && STAGES >= 2, "");

  using StripOfA = Strip<T, BM, BK>;
  using StripOfB = Strip<T, BN, BK>;
  struct Stage {
    StripOfA a;
    StripOfB b;
  };
  // Sums that teams give away at the same time: all but one team's, or half of them after half.
  static constexpr bool kGiveAll = (SLICES - 1) * BM * BN * sizeof(T) <= 32 * 1024;
  static constexpr int kGiven = SLICES < 2 ? 1 : kGiveAll ? SLICES - 1 : SLICES / 2;
  union Shared {
    Stage stage[STAGES];
    Pack<T, kPack> sums[kGiven][SLICES < 2 ? 1 : TM * TN / kPack][kTeam];
  };

  static __host__ __device__ constexpr int slice(int t) { return t / kTeam; }
  static __host__ __device__ constexpr int row(int t, int i) {
    const int lane = t % (LM * LN), tile = t % kTeam / (LM * LN) % (BM / (LM * TM));
    return tile * LM * TM + (i / kPack * LM + lane / 2 % LM) * kPack + i % kPack;
  }
  static __host__ __device__ constexpr int column(int t, int j) {
    const int lane = t % (LM * LN), tile = t % kTeam / (LM * LN) / (BM / (LM * TM));
    const int across = lane % 2 + lane / (2 * LM) * 2;
    return tile * LN * TN + (j / kPack * LN + across) * kPack + j % kPack;
  }
};

}  // namespace pynet::cuda
