// Convolution and its input gradient as one thing: a product of weights with the windows of an
// image.
//
// The input gradient is a convolution of dout with the filters turned round. With a stride, the
// pixels of dx fall into classes, by their remainders modulo the stride, and each class meets only
// its own taps of the filter: nothing is multiplied by an inserted zero.
#pragma once

#include "cpu/conv_shape.h"

namespace pynet::PYNET_ISA {
namespace {

// One convolution as the product out[m, pixel] = sum over taps of weights[m, tap] * in[tap, pixel],
// for every image and group.
template <class T>
struct Product {
  T* out;
  const T* in;
  const T* weights;
  const T* bias;                 // of each row m of all groups, or null
  bool relu;                     // negative results count as 0; not where beta is
  T beta;                        // out = product + beta * out
  index_t images, groups, M, C;  // M and C of one group
  Axis y, x;
  // Weight (g, m, c, i, j) at w_first + g*w_group + m*w_row + c*w_channel + i*w_y + j*w_x.
  index_t w_first, w_group, w_row, w_channel, w_y, w_x;
  // Pixel (p, q) of the product is pixel (y_first + p*y_step, x_first + q*x_step) of the output.
  index_t out_H, out_W, y_first, x_first, y_step, x_step;
  // Max pooling on the way out, or null. With it out is nothing: best and arg are written.
  const PoolShape* pool;
  T* best;
  std::int32_t* arg;
};

template <class T>
Product<T> product_of(const Conv2dArgs<T>& p, index_t) {
  const ConvShape s = flattened(p.s);
  Product<T> r{};
  r.out = p.y, r.in = p.x, r.weights = p.W, r.bias = p.b, r.relu = p.relu;
  r.images = s.N, r.groups = s.groups, r.M = s.FN / s.groups, r.C = s.C / s.groups;
  r.y = forward_axis(s.H, s.OH, s.FH, s.stride_h, s.pad_h, s.dilation_h);
  r.x = forward_axis(s.W, s.OW, s.FW, s.stride_w, s.pad_w, s.dilation_w);
  r.w_x = 1, r.w_y = s.FW, r.w_channel = s.FH * s.FW, r.w_row = r.C * r.w_channel;
  r.w_group = r.M * r.w_row;
  r.out_H = s.OH, r.out_W = s.OW, r.y_step = r.x_step = 1;
  return r;
}

// A convolution without the pooling behind it.
template <class T>
Conv2dArgs<T> conv_of(const Conv2dMaxPool2dArgs<T>& p, T* y) {
  return {y, p.x, p.W, p.b, p.s, p.relu, p.winograd};
}
template <class T>
Product<T> product_of(const Conv2dMaxPool2dArgs<T>& p, index_t c) {
  Product<T> r = product_of(conv_of<T>(p, nullptr), c);
  r.pool = &p.pool, r.best = p.y, r.arg = p.arg;
  return r;
}

// The class of pixels (h, w) with h % stride_h == c / columns, w % stride_w == c % columns.
template <class T>
Product<T> product_of(const Conv2dDxArgs<T>& p, index_t c) {
  const ConvShape s = flattened(p.s);
  const index_t columns = min_of(s.stride_w, s.W);
  const BackwardAxis y =
      backward_axis(c / columns, s.H, s.OH, s.FH, s.stride_h, s.pad_h, s.dilation_h);
  const BackwardAxis x =
      backward_axis(c % columns, s.W, s.OW, s.FW, s.stride_w, s.pad_w, s.dilation_w);
  Product<T> r{};
  r.out = p.dx, r.in = p.dout, r.weights = p.W;
  r.beta = p.grad == Grad::Add ? 1 : 0;
  r.images = s.N, r.groups = s.groups, r.M = s.C / s.groups, r.C = s.FN / s.groups;
  r.y = y.axis, r.x = x.axis;
  r.w_row = s.FH * s.FW, r.w_channel = r.M * r.w_row, r.w_group = r.C * r.w_channel;
  r.w_first = y.first_tap * s.FW + x.first_tap;
  r.w_y = y.tap_step * s.FW, r.w_x = x.tap_step;
  r.out_H = s.H, r.out_W = s.W;
  r.y_first = c / columns, r.x_first = c % columns;
  r.y_step = s.stride_h, r.x_step = s.stride_w;
  return r;
}

template <class T, template <class> class Args>
index_t classes_of(const Args<T>&) {
  return 1;
}
template <class T>
index_t classes_of(const Conv2dDxArgs<T>& p) {
  const ConvShape s = flattened(p.s);
  return min_of(s.stride_h, s.H) * min_of(s.stride_w, s.W);
}

// The largest class in every respect.
template <class T, template <class> class Args>
Product<T> bound_of(const Args<T>& p) {
  return product_of(p, 0);
}
template <class T>
Product<T> bound_of(const Conv2dDxArgs<T>& p) {
  const ConvShape s = flattened(p.s);
  Product<T> r = product_of(p, 0);
  r.y.taps = ceil_div(s.FH, tap_step(s.stride_h, s.dilation_h));
  r.x.taps = ceil_div(s.FW, tap_step(s.stride_w, s.dilation_w));
  return r;
}

}  // namespace
}  // namespace pynet::PYNET_ISA
