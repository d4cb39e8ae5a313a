// New images whose pixels are old ones as they are: padding, and upsampling to the nearest pixel.
//
// The columns are cut into runs, whose pixels come from neighbours: whole vectors go at once.
#pragma once

#include "cpu/loop.h"
#include "cpu/pairs.h"
#include "pynet/resample.h"

namespace pynet::PYNET_ISA {
namespace {

// What n new columns from `to` on are made of.
enum class From {
  Neighbours,  // from, from + 1, from + 2 ...
  Twice,       // from, from, from + 1, from + 1 ...; n is even
  Outside,     // nothing but the fill
  Anywhere,    // what the table says, all inside
};
struct Run {
  From kind;
  index_t to, from, n;
};

template <class T>
PYNET_INLINE bool is_copy(const ResampleGrid<T>& g) {
  if (g.P != 1 || g.Q != 1) return false;
  bool ones = true;
  for (index_t i = 0; i < g.OH; ++i) ones &= g.row_weights[i] == 1;
  for (index_t i = 0; i < g.OW; ++i) ones &= g.column_weights[i] == 1;
  return ones;
}

// The longest run of a kind that is worth one, from column `to` on.
template <class T>
PYNET_INLINE Run run_at(const ResampleGrid<T>& g, index_t to) {
  const std::int32_t* c = g.columns + to;
  const index_t left = g.OW - to;
  index_t n = 0;
  if (c[0] == g.W) {
    while (n < left && c[n] == g.W) ++n;
    return {From::Outside, to, c[0], n};
  }
  while (n < left && c[n] == c[0] + n && c[n] < g.W) ++n;
  From kind = From::Neighbours;
  if (n < 4) {
    n = 0;
    while (n + 1 < left && c[n] == c[0] + n / 2 && c[n + 1] == c[n] && c[n] < g.W) n += 2;
    kind = From::Twice;
  }
  if (n < 4) n = 1, kind = From::Anywhere;
  return {kind, to, c[0], n};
}

// Cuts the columns into at most OW runs and returns their number.
template <class T>
PYNET_INLINE index_t cut_columns(const ResampleGrid<T>& g, Run* runs) {
  index_t count = 0;
  for (index_t to = 0; to < g.OW;) {
    const Run run = run_at(g, to);
    if (run.kind == From::Anywhere && count > 0 && runs[count - 1].kind == From::Anywhere) {
      runs[count - 1].n += run.n;
    } else {
      runs[count++] = run;
    }
    to += run.n;
  }
  return count;
}

// A number of elements in whole vectors, the last of which goes over some a second time.
template <class T, class Body, class Rest>
PYNET_INLINE void for_overlapping(index_t n, const Body& body, const Rest& rest) {
  constexpr index_t L = kLanes<T>;
  if (n < L) {
    for (index_t i = 0; i < n; ++i) rest(i);
    return;
  }
  for (index_t i = 0; i + L <= n; i += L) body(i);
  if (n % L) body(n - L);
}

template <class T>
PYNET_INLINE void copy_elements(T* to, const T* from, index_t n) {
  for_overlapping<T>(
      n, [&](index_t i) { store(to + i, load(from + i)); }, [&](index_t i) { to[i] = from[i]; });
}
template <class T>
PYNET_INLINE void fill_elements(T* to, T value, index_t n) {
  for_overlapping<T>(
      n, [&](index_t i) { store(to + i, splat(value)); }, [&](index_t i) { to[i] = value; });
}

// One new row of one old row.
template <class T>
PYNET_INLINE void copy_columns(const ResampleGrid<T>& g, const Run* runs, index_t count, T fill,
                               const T* x, T* y) {
  constexpr index_t L = kLanes<T>;
  for (const Run* run = runs; run < runs + count; ++run) {
    T* to = y + run->to;
    const T* from = x + run->from;
    const index_t n = run->n;
    if (run->kind == From::Neighbours) {
      copy_elements(to, from, n);
    } else if (run->kind == From::Outside) {
      fill_elements(to, fill, n);
    } else if (run->kind == From::Twice) {
      index_t i = 0;
      for (; i + 2 * L <= n; i += 2 * L) {
        const vec<T> v = spread(load(from + i / 2));
        const PairOf<vec<T>> pair = join(v, v);
        store(to + i, pair.first), store(to + i + L, pair.second);
      }
      for (; i < n; i += 2) to[i] = to[i + 1] = from[i / 2];
    } else {
      for (index_t i = 0; i < n; ++i) to[i] = x[g.columns[run->to + i]];
    }
  }
}

// One new image of one old image.
template <class T>
PYNET_INLINE void copy_plane(const ResampleGrid<T>& g, const Run* runs, index_t count, T fill,
                             const T* x, T* y) {
  for (index_t oy = 0; oy < g.OH; ++oy, y += g.OW) {
    if (oy > 0 && g.rows[oy] == g.rows[oy - 1]) {
      copy_elements(y, y - g.OW, g.OW);
    } else if (g.rows[oy] == g.H) {
      fill_elements(y, fill, g.OW);
    } else {
      copy_columns(g, runs, count, fill, x + g.rows[oy] * g.W, y);
    }
  }
}

// Adds one new row's gradient to its old row's, run after run.
template <class T>
PYNET_INLINE void return_columns(const ResampleGrid<T>& g, const Run* runs, index_t count, T* dx,
                                 const T* dout) {
  constexpr index_t L = kLanes<T>;
  for (const Run* run = runs; run < runs + count; ++run) {
    const T* from = dout + run->to;
    T* to = dx + run->from;
    const index_t n = run->n;
    if (run->kind == From::Neighbours) {
      for_vectors<T>(0, n, [&](index_t i, auto lanes) {
        lanes.store(to + i, lanes.load(to + i) + lanes.load(from + i));
      });
    } else if (run->kind == From::Twice) {
      index_t i = 0;
      for (; i + 2 * L <= n; i += 2 * L) {
        const PairOf<vec<T>> pair = split(load(from + i), load(from + i + L));
        store(to + i / 2, load(to + i / 2) + in_order(pair.first + pair.second));
      }
      for (; i < n; i += 2) to[i / 2] += from[i] + from[i + 1];
    } else if (run->kind == From::Anywhere) {
      for (index_t i = 0; i < n; ++i) dx[g.columns[run->to + i]] += from[i];
    }
  }
}

}  // namespace
}  // namespace pynet::PYNET_ISA
