// What memory each kernel reads and writes, and how much it computes: from its argument struct.
//
//   operands(args, visit)   calls visit(&pointer, bytes, Access) for every array of the struct
//   operations(args)        multiplications and additions, roughly for what is no product
//
// A recorded step uses both: to see that no call reaches memory that it does not hold, to find
// calls that may be made one, to give values other places, and for its table.
#pragma once

#include "pynet/kernels.h"

namespace pynet {

enum class Access { Read, Write, Both };

namespace operand {

inline Access written(Grad grad) { return grad == Grad::Add ? Access::Both : Access::Write; }

// The elements from the first to the last of a strided (batch, rows, columns).
inline index_t reach(index_t batch, index_t batch_step, index_t rows, index_t row_step,
                     index_t columns, index_t column_step) {
  if (batch == 0 || rows == 0 || columns == 0) return 0;
  return (batch - 1) * batch_step + (rows - 1) * row_step + (columns - 1) * column_step + 1;
}

// One call of visit, for n elements of T; nothing for null.
template <class Visit>
struct To {
  const Visit& visit;
  template <class T>
  void read(const T*& p, index_t n) const {
    if (p) visit(&p, n * static_cast<index_t>(sizeof(T)), Access::Read);
  }
  template <class T>
  void write(T*& p, index_t n, Access access = Access::Write) const {
    if (p) visit(&p, n * static_cast<index_t>(sizeof(T)), access);
  }
};

inline index_t image(const ConvShape& s) { return s.N * s.C * s.H * s.W; }
inline index_t filters(const ConvShape& s) { return s.FN * (s.C / s.groups) * s.FH * s.FW; }
inline index_t maps(const ConvShape& s) { return s.N * s.FN * s.OH * s.OW; }
inline index_t columns(const ConvShape& s) { return s.N * s.OH * s.OW * s.C * s.FH * s.FW; }
inline index_t image(const PoolShape& s) { return s.N * s.C * s.H * s.W; }
inline index_t maps(const PoolShape& s) { return s.N * s.C * s.OH * s.OW; }

}  // namespace operand

// --- products ------------------------------------------------------------------------------------

template <class T, class Visit>
void operands(GemmArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.A, operand::reach(p.batch, p.A_batch, p.M, p.A_row, p.K, p.A_col));
  to.read(p.B, operand::reach(p.batch, p.B_batch, p.K, p.B_row, p.N, p.B_col));
  to.read(p.bias, p.N);
  to.read(p.y, operand::reach(p.batch, p.C_batch, p.M, p.C_row, p.N, 1));
  to.write(p.sums, p.N);
  to.write(p.C, operand::reach(p.batch, p.C_batch, p.M, p.C_row, p.N, 1),
           p.beta != 0 ? Access::Both : Access::Write);
}
template <class T>
double operations(const GemmArgs<T>& p) {
  return 2.0 * static_cast<double>(p.batch) * static_cast<double>(p.M) * static_cast<double>(p.N) *
         static_cast<double>(p.K);
}

inline double operations(const ConvShape& s) {
  return 2.0 * static_cast<double>(operand::maps(s)) *
         static_cast<double>(s.C / s.groups * s.FH * s.FW);
}

template <class T, class Visit>
void operands(Conv2dArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, operand::image(p.s));
  to.read(p.W, operand::filters(p.s));
  to.read(p.b, p.s.FN);
  to.write(p.y, operand::maps(p.s));
}
template <class T, class Visit>
void operands(Conv2dMaxPool2dArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, operand::image(p.s));
  to.read(p.W, operand::filters(p.s));
  to.read(p.b, p.s.FN);
  to.write(p.y, operand::maps(p.pool));
  to.write(p.arg, operand::maps(p.pool));
}
template <class T, class Visit>
void operands(Conv2dDxArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, operand::maps(p.s));
  to.read(p.W, operand::filters(p.s));
  to.read(p.y, operand::image(p.s));
  to.write(p.dx, operand::image(p.s), operand::written(p.grad));
}
template <class T, class Visit>
void operands(Conv2dDwArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, operand::maps(p.s));
  to.read(p.x, operand::image(p.s));
  to.write(p.dW, operand::filters(p.s));
}
template <class T>
double operations(const Conv2dArgs<T>& p) {
  return operations(p.s);
}
template <class T>
double operations(const Conv2dMaxPool2dArgs<T>& p) {
  return operations(p.s);
}
template <class T>
double operations(const Conv2dDxArgs<T>& p) {
  return operations(p.s);
}
template <class T>
double operations(const Conv2dDwArgs<T>& p) {
  return operations(p.s);
}

template <class T, class Visit>
void operands(Im2colArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, operand::image(p.s));
  to.write(p.col, operand::columns(p.s));
}
template <class T, class Visit>
void operands(Col2imArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.col, operand::columns(p.s));
  to.write(p.x, operand::image(p.s));
}

// --- pooling and resampling ----------------------------------------------------------------------

template <class T, class Visit>
void operands(MaxPool2dArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, operand::image(p.s));
  to.write(p.y, operand::maps(p.s));
  to.write(p.arg, operand::maps(p.s));
}
template <class T, class Visit>
void operands(MaxPool2dBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, operand::maps(p.s));
  to.read(p.arg, operand::maps(p.s));
  to.read(p.y, operand::maps(p.s));
  to.write(p.dx, operand::image(p.s), operand::written(p.grad));
}
template <class T, class Visit>
void operands(AvgPool2dArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, operand::image(p.s));
  to.write(p.y, operand::maps(p.s));
}
template <class T, class Visit>
void operands(AvgPool2dBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, operand::maps(p.s));
  to.write(p.dx, operand::image(p.s), operand::written(p.grad));
}

template <class T, class Visit>
void operands_of_grid(ResampleGrid<T>& g, const operand::To<Visit>& to) {
  to.read(g.rows, g.OH * g.P);
  to.read(g.row_weights, g.OH * g.P);
  to.read(g.columns, g.OW * g.Q);
  to.read(g.column_weights, g.OW * g.Q);
}
template <class T, class Visit>
void operands(Resample2dArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  operands_of_grid(p.grid, to);
  to.read(p.x, p.grid.planes * p.grid.H * p.grid.W);
  to.write(p.y, p.grid.planes * p.grid.OH * p.grid.OW);
}
template <class T, class Visit>
void operands(Resample2dBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  operands_of_grid(p.grid, to);
  to.read(p.dout, p.grid.planes * p.grid.OH * p.grid.OW);
  to.write(p.dx, p.grid.planes * p.grid.H * p.grid.W, operand::written(p.grad));
}

// --- normalisation -------------------------------------------------------------------------------

template <class T, class Visit>
void operands(BatchNormArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.N * p.C * p.S);
  to.read(p.gamma, p.C);
  to.read(p.beta, p.C);
  to.write(p.running_mean, p.C, Access::Both);
  to.write(p.running_var, p.C, Access::Both);
  to.write(p.mean, p.C);
  to.write(p.std, p.C);
  to.write(p.y, p.N * p.C * p.S);
}
template <class T, class Visit>
void operands(BatchNormBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.N * p.C * p.S);
  to.read(p.x, p.N * p.C * p.S);
  to.read(p.y, p.N * p.C * p.S);
  to.read(p.gamma, p.C);
  to.read(p.mean, p.C);
  to.read(p.std, p.C);
  to.write(p.dgamma, p.C);
  to.write(p.dbeta, p.C);
  to.write(p.dx, p.N * p.C * p.S, operand::written(p.grad));
}
template <class T, class Visit>
void operands(GroupNormArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.N * p.C * p.S);
  to.read(p.gamma, p.C);
  to.read(p.beta, p.C);
  to.write(p.mean, p.N * p.groups);
  to.write(p.std, p.N * p.groups);
  to.write(p.y, p.N * p.C * p.S);
}
template <class T, class Visit>
void operands(GroupNormBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.N * p.C * p.S);
  to.read(p.x, p.N * p.C * p.S);
  to.read(p.gamma, p.C);
  to.read(p.mean, p.N * p.groups);
  to.read(p.std, p.N * p.groups);
  to.write(p.dgamma, p.C);
  to.write(p.dbeta, p.C);
  to.write(p.dx, p.N * p.C * p.S, operand::written(p.grad));
}
template <class T, class Visit>
void operands(LocalResponseNormArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.N * p.C * p.S);
  to.write(p.scale, p.N * p.C * p.S);
  to.write(p.y, p.N * p.C * p.S);
}
template <class T, class Visit>
void operands(LocalResponseNormBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.N * p.C * p.S);
  to.read(p.x, p.N * p.C * p.S);
  to.read(p.y, p.N * p.C * p.S);
  to.read(p.scale, p.N * p.C * p.S);
  to.write(p.dx, p.N * p.C * p.S, operand::written(p.grad));
}

// --- element by element --------------------------------------------------------------------------

template <class T, class Visit>
void operands(DropoutArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
  to.write(p.mask, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(DropoutBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.n);
  to.read(p.mask, p.n);
  to.write(p.dx, p.n, operand::written(p.grad));
}
template <class T, class Visit>
void operands(AddArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.a, p.n);
  to.read(p.b, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(ScaleArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(ClipArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(ActivationArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(ActivationBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.n);
  to.read(p.y, p.n);
  to.write(p.dx, p.n, operand::written(p.grad));
}
template <class T, class Visit>
void operands(RuleArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(RuleBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.n);
  to.read(p.x, p.n);
  to.write(p.dx, p.n, operand::written(p.grad));
}
template <class T, class Visit>
void operands(UpdateArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.g, p.n);
  to.write(p.p, p.n, Access::Both);
  to.write(p.s, p.n, Access::Both);
  to.write(p.r, p.n, Access::Both);
  to.write(p.q, p.n, Access::Both);
}

// --- sums and losses -----------------------------------------------------------------------------

template <class T, class Visit>
void operands(SumArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
}
template <class T, class Visit>
void operands(SumChannelsArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.N * p.C * p.S);
  to.write(p.y, p.C);
}
template <class T, class Visit>
void operands(SoftmaxArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.N * p.D);
  to.write(p.y, p.N * p.D);
}
template <class T, class Visit>
void operands(SoftmaxBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.dout, p.N * p.D);
  to.read(p.y, p.N * p.D);
  to.write(p.dx, p.N * p.D);
}
template <class T, class Visit>
void operands(SoftmaxCrossEntropyArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.N * p.D);
  to.read(p.labels, p.N);
  to.read(p.rows, p.N * p.D);
  to.write(p.y, p.N * p.D);
  to.write(p.dx, p.N * p.D);
}
template <class T, class Visit>
void operands(SoftmaxCrossEntropyBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.y, p.N * p.D);
  to.read(p.labels, p.N);
  to.read(p.rows, p.N * p.D);
  to.write(p.dx, p.N * p.D);
}
template <class T, class Visit>
void operands(PairLossArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.x, p.n);
  to.read(p.t, p.n);
  to.write(p.y, p.n);
}
template <class T, class Visit>
void operands(PairLossBackwardArgs<T>& p, const Visit& visit) {
  const operand::To<Visit> to{visit};
  to.read(p.y, p.n);
  to.read(p.t, p.n);
  to.write(p.dx, p.n);
}

// For what is no product: one for each element that is written.
template <template <class> class Args, class T>
double operations(const Args<T>& args) {
  Args<T> copy = args;
  double bytes = 0;
  operands(copy, [&](const void*, index_t size, Access access) {
    if (access != Access::Read) bytes += static_cast<double>(size);
  });
  return bytes / static_cast<double>(sizeof(T));
}

}  // namespace pynet
