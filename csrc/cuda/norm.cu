// Batch normalisation (Ioffe and Szegedy, 2015), with the ReLU behind it if asked.
//
// Two launches for images: the sums of each channel's parts, and one pass that writes, whose blocks
// begin by adding up the parts of their channel. For rows of features what follows from the sums is
// computed once in between. Sums are taken in double precision.
#include "cuda/lane.h"
#include "cuda/planes.h"

namespace pynet::cuda {
namespace {

// Numbers of a channel, made by one thread of a block for all of them.
template <class Values, class Make>
PYNET_INLINE Values shared_values(const double* partial, const ChannelParts& p, index_t c,
                                  bool summed, const Make& make) {
  PYNET_SHARED(Values, values);
  if (threadIdx.x < kWarpSize) {
    double sum[2] = {};
    if (summed) join_parts(partial, p, c, sum);
    if (threadIdx.x == 0) values = make(sum);
  }
  __syncthreads();
  return values;
}

// Leaves the sums of a single part where those of several lie.
struct KeepSums {
  double* partial;
  PYNET_INLINE void operator()(index_t c, double (&sum)[2]) const {
    partial[2 * c] = sum[0];
    partial[2 * c + 1] = sum[1];
  }
};

// The element's channel in rows of features, by a multiplication.
template <class Body>
void for_row_elements(const char* op, const ChannelParts& p, const Body& body) {
  require_countable(op, p);
  require(p.N * p.C < (index_t{1} << 31), op, "x: expected fewer than 2^31 elements, got more");
  const Divider by_C(p.C);
  for_indices(op, p.N * p.C, [=] __device__(index_t i) {
    body(i, i - by_C.quotient(static_cast<std::uint32_t>(i)) * p.C);
  });
}

// --- forward -------------------------------------------------------------------------------------

// y = slope * (x - mean) + offset, held above 0 with relu
template <class T>
struct ForwardValues {
  T slope, mean, offset;
  int relu;
  PYNET_INLINE void operator()(T& y, T x) const {
    const T v = fma(slope, x - mean, offset);
    y = relu ? relu_of<T>(v) : v;
  }
};

// Of x - x[0,c,0], which keeps the sums small.
template <class T>
struct ForwardSums {
  const T* x;
  index_t S;
  struct Of {
    double shift;
    PYNET_INLINE void operator()(double (&sum)[2], T x) const {
      const double d = static_cast<double>(x) - shift;
      sum[0] += d;
      sum[1] += d * d;
    }
  };
  PYNET_INLINE Of of(index_t c) const { return {static_cast<double>(x[c * S])}; }
};

// What follows from the sums of a channel; written where `leads`. The running values stay where a
// step has been stopped.
template <class T>
PYNET_INLINE ForwardValues<T> forward_values(const BatchNormArgs<T>& args, index_t c,
                                             const double (&sum)[2], bool leads,
                                             const std::int64_t* stop) {
  double mean, var;
  if (args.train) {
    const double m = static_cast<double>(args.N * args.S);
    mean = static_cast<double>(args.x[c * args.S]) + sum[0] / m;
    var = (sum[1] - sum[0] * (sum[0] / m)) / m;
    var = var < 0 ? 0 : var;
    const double unbias = args.unbiased && m > 1 ? m / (m - 1) : 1;
    const auto move = [&](T* running, double value) {
      if (!running || !leads || (stop && *stop)) return;
      running[c] = static_cast<T>(args.momentum * static_cast<double>(running[c]) +
                                  (1 - args.momentum) * value);
    };
    move(args.running_mean, mean);
    move(args.running_var, var * unbias);
  } else {
    mean = static_cast<double>(args.running_mean[c]);
    var = static_cast<double>(args.running_var[c]);
  }
  const double std = sqrt(var + args.eps), slope = static_cast<double>(args.gamma[c]) / std;
  if (leads) {
    args.mean[c] = static_cast<T>(mean);
    args.std[c] = static_cast<T>(std);
  }
  // What the mean loses when it is rounded to T is given back here.
  const T middle = static_cast<T>(mean);
  const double lost = mean - static_cast<double>(middle);
  return {static_cast<T>(slope), middle,
          static_cast<T>(static_cast<double>(args.beta[c]) - slope * lost), args.relu};
}

template <class T>
struct ForwardMake {
  BatchNormArgs<T> args;
  ChannelParts parts;
  const double* partial;
  const std::int64_t* stop;
  PYNET_INLINE ForwardValues<T> of(index_t c, bool leads) const {
    return shared_values<ForwardValues<T>>(
        partial, parts, c, args.train,
        [&](const double (&sum)[2]) { return forward_values(args, c, sum, leads, stop); });
  }
};

// Behind the doubles of the parts there are, for rows of features, the values of each channel.
template <class Values>
Values* values_behind(const ChannelParts& parts, void* memory) {
  return reinterpret_cast<Values*>(static_cast<char*>(memory) + parts.bytes(2));
}
template <class Values>
Work plan_of(const ChannelParts& parts) {
  return plan_launch(parts.bytes(2) + static_cast<std::size_t>(parts.C) * sizeof(Values));
}

template <class T>
Work batch_norm_plan(const BatchNormArgs<T>& args) {
  return plan_of<ForwardValues<T>>(ChannelParts(args.N, args.C, args.S));
}

template <class T>
void batch_norm_run(const BatchNormArgs<T>& args, const Tile& tile) {
  const char* op = "batch_norm";
  const ChannelParts parts(args.N, args.C, args.S);
  double* partial = static_cast<double*>(tile.shared);
  const ForwardSums<T> sums{args.x, args.S};
  const std::int64_t* stop = stop_word();
  if (args.S > 1) {
    if (args.train) {
      sum_planes<2, T>(op, partial, parts, sums, KeepSums{partial}, in(args.x));
    }
    return map_planes<T>(op, parts, ForwardMake<T>{args, parts, partial, stop}, true, out(args.y),
                         in(args.x));
  }
  auto* values = values_behind<ForwardValues<T>>(parts, tile.shared);
  const auto finish = [=] __device__(index_t c, const double (&sum)[2]) {
    values[c] = forward_values(args, c, sum, true, stop);
  };
  if (args.train) {
    sum_channels<2>(
        op, partial, parts,
        [=] __device__(double (&sum)[2], index_t i, index_t c) { sums.of(c)(sum, args.x[i]); },
        finish);
  } else {
    for_channels(op, args.C, [=] __device__(index_t c) { finish(c, {}); });
  }
  for_row_elements(op, parts,
                   [=] __device__(index_t i, index_t c) { values[c](args.y[i], args.x[i]); });
}

// --- backward ------------------------------------------------------------------------------------

// dx = a*(dout - c) + b*(x - mean), c the mean of dout; behind a ReLU dout is 0 where it let
// nothing through.
template <class T>
struct BackwardValues {
  T a, b, c, mean;
  int train, add;
  PYNET_INLINE void operator()(T& dx, T dout, T x) const {
    const T d = train ? fma(b, x - mean, a * (dout - c)) : a * dout;
    dx = add ? dx + d : d;
  }
  PYNET_INLINE void operator()(T& dx, T dout, T x, bool through) const {
    (*this)(dx, through ? dout : T{0}, x);
  }
};

template <class T>
struct BackwardSums {
  const T* mean;
  struct Of {
    double mean;
    PYNET_INLINE void operator()(double (&sum)[2], T dout, T x) const {
      const double d = static_cast<double>(dout);
      sum[0] += d;
      sum[1] += d * (static_cast<double>(x) - mean);
    }
    PYNET_INLINE void operator()(double (&sum)[2], T dout, T x, T y, bool& through) const {
      through = !(y <= 0);
      (*this)(sum, through ? dout : T{0}, x);
    }
  };
  PYNET_INLINE Of of(index_t c) const { return {static_cast<double>(mean[c])}; }
};

template <class T>
PYNET_INLINE BackwardValues<T> backward_values(const BatchNormBackwardArgs<T>& args, index_t c,
                                               const double (&sum)[2], bool leads) {
  const double m = static_cast<double>(args.N * args.S), std = static_cast<double>(args.std[c]);
  const double dgamma = sum[1] / std, slope = static_cast<double>(args.gamma[c]) / std;
  if (leads) {
    args.dbeta[c] = static_cast<T>(sum[0]);
    args.dgamma[c] = static_cast<T>(dgamma);
  }
  return {static_cast<T>(slope),
          static_cast<T>(-slope * dgamma / (m * std)),
          static_cast<T>(sum[0] / m),
          args.mean[c],
          args.train,
          args.grad == Grad::Add};
}

template <class T>
struct BackwardMake {
  BatchNormBackwardArgs<T> args;
  ChannelParts parts;
  const double* partial;
  PYNET_INLINE BackwardValues<T> of(index_t c, bool leads) const {
    return shared_values<BackwardValues<T>>(partial, parts, c, true, [&](const double (&sum)[2]) {
      return backward_values(args, c, sum, leads);
    });
  }
};

// Behind all that: which elements the ReLU let through, a bit for each in the bytes of packs.
template <class T>
std::size_t bit_bytes(const BatchNormBackwardArgs<T>& args) {
  if (args.S == 1 || !args.y) return 0;
  return static_cast<std::size_t>(args.N * args.C * args.S / pack_terms<T>(args.S));
}

template <class T>
Work batch_norm_backward_plan(const BatchNormBackwardArgs<T>& args) {
  const Work work = plan_of<BackwardValues<T>>(ChannelParts(args.N, args.C, args.S));
  return plan_launch(work.shared + bit_bytes(args));
}

// For images. y is only looked at by the first pass, which leaves the bits for the second one.
template <class T>
void backward_of_planes(const char* op, const BatchNormBackwardArgs<T>& args,
                        const ChannelParts& parts, double* partial) {
  const BackwardSums<T> sums{args.mean};
  const BackwardMake<T> make{args, parts, partial};
  auto* bits =
      reinterpret_cast<std::uint8_t*>(values_behind<BackwardValues<T>>(parts, partial) + parts.C);
  const auto sum = [&](const auto&... more) {
    sum_planes<2, T>(op, partial, parts, sums, KeepSums{partial}, in(args.dout), in(args.x),
                     more...);
  };
  const auto map = [&](const auto& dx, const auto&... more) {
    map_planes<T>(op, parts, make, args.grad != Grad::Skip, dx, in(args.dout), in(args.x), more...);
  };
  const auto map_bits = [&](const auto& dx) {
    return args.y ? map(dx, BitPort<false>{bits}) : map(dx);
  };
  if (args.y) {
    sum(in(args.y), BitPort<true>{bits});
  } else {
    sum();
  }
  return args.grad == Grad::Add ? map_bits(in_out(args.dx)) : map_bits(out(args.dx));
}

template <class T>
void batch_norm_backward_run(const BatchNormBackwardArgs<T>& args, const Tile& tile) {
  const char* op = "batch_norm_backward";
  const ChannelParts parts(args.N, args.C, args.S);
  double* partial = static_cast<double*>(tile.shared);
  if (args.S > 1) return backward_of_planes(op, args, parts, partial);
  const BackwardSums<T> sums{args.mean};
  auto* values = values_behind<BackwardValues<T>>(parts, tile.shared);
  const auto dout_at = [=] __device__(index_t i) {
    return args.y ? through_relu<T>(args.dout[i], args.y[i]) : args.dout[i];
  };
  sum_channels<2>(
      op, partial, parts,
      [=] __device__(double (&sum)[2], index_t i, index_t c) {
        sums.of(c)(sum, dout_at(i), args.x[i]);
      },
      [=] __device__(index_t c, const double (&sum)[2]) {
        values[c] = backward_values(args, c, sum, true);
      });
  if (args.grad == Grad::Skip) return;
  for_row_elements(op, parts, [=] __device__(index_t i, index_t c) {
    values[c](args.dx[i], dout_at(i), args.x[i]);
  });
}

}  // namespace

PYNET_EXPORT(batch_norm, BatchNormArgs)
PYNET_EXPORT(batch_norm_backward, BatchNormBackwardArgs)

}  // namespace pynet::cuda
