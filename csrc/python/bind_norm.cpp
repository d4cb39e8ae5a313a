#include <limits>
#include <string>

#include "python/bind.h"

namespace pynet {
namespace {

struct NormShape {
  index_t N, C, S;
};

NormShape norm_shape(const Call& call, const Array& x) {
  if (x.ndim() != 2 && x.ndim() != 4) {
    fail_value(call.op(), "x",
               "expected 2 dimensions (N, D) or 4 (N, C, H, W), got shape " + repr(x.shape()));
  }
  return {x.shape(0), x.shape(1), x.ndim() == 4 ? x.shape(2) * x.shape(3) : 1};
}

constexpr const char* kPerChannel = "like the columns or channels of x";

py::tuple batch_norm(py::object x_object, py::object gamma_object, py::object beta_object,
                     py::object running_mean, py::object running_var, py::object momentum,
                     py::object eps, bool train, bool unbiased, bool relu, py::object out) {
  Call call("batch_norm");
  Array x = call.array("x", x_object);
  Array gamma = call.array("gamma", gamma_object), beta = call.array("beta", beta_object);
  const NormShape s = norm_shape(call, x);
  const Shape channels{s.C};
  gamma.expect_shape(channels, kPerChannel);
  beta.expect_shape(channels, kPerChannel);
  const double momentum_value = call.number("momentum", momentum);
  const double eps_value = call.number("eps", eps);
  if (eps_value < 0) fail_value(call.op(), "eps", "expected at least 0, got a negative number");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array means, vars;
    if (!train) {
      if (running_mean.is_none() || running_var.is_none()) {
        fail_value(call.op(), running_mean.is_none() ? "running_mean" : "running_var",
                   "expected an array for test mode, got None");
      }
      means = call.follower("running_mean", running_mean);
      vars = call.follower("running_var", running_var);
      means.expect_shape(channels, kPerChannel);
      vars.expect_shape(channels, kPerChannel);
    } else {
      if (!running_mean.is_none()) means = call.state<T>("running_mean", running_mean, channels);
      if (!running_var.is_none()) vars = call.state<T>("running_var", running_var, channels);
    }
    Array y = call.output<T>("out", out, x.shape());
    Array mean = call.output<T>("mean", py::none(), channels);
    Array std = call.output<T>("std", py::none(), channels);
    BatchNormArgs<T> args{};
    args.y = y.data<T>(), args.mean = mean.data<T>(), args.std = std.data<T>();
    args.running_mean = means.data<T>(), args.running_var = vars.data<T>();
    args.x = x.data<T>(), args.gamma = gamma.data<T>(), args.beta = beta.data<T>();
    args.N = s.N, args.C = s.C, args.S = s.S;
    args.momentum = momentum_value, args.eps = eps_value;
    args.train = train, args.unbiased = unbiased, args.relu = relu;
    run(kernels().batch_norm, args);
    return py::make_tuple(y.object(), mean.object(), std.object());
  });
}

py::tuple batch_norm_backward(py::object dout_object, py::object x_object, py::object gamma_object,
                              py::object mean_object, py::object std_object, bool train,
                              py::object y_object, py::object out, py::object dgamma_out,
                              py::object dbeta_out) {
  Call call("batch_norm_backward");
  Array dout = call.follower("dout", dout_object);
  Array x = call.array("x", x_object), gamma = call.array("gamma", gamma_object);
  Array mean = call.follower("mean", mean_object), std = call.follower("std", std_object);
  const NormShape s = norm_shape(call, x);
  const Shape channels{s.C};
  dout.expect_shape(x.shape(), "like x");
  gamma.expect_shape(channels, kPerChannel);
  mean.expect_shape(channels, kPerChannel);
  std.expect_shape(channels, kPerChannel);
  Array y = y_object.is_none() ? Array() : call.follower("y", y_object);
  if (!y_object.is_none()) y.expect_shape(x.shape(), "like x");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, x.shape());
    Array dgamma = call.output<T>("dgamma", dgamma_out, channels);
    Array dbeta = call.output<T>("dbeta", dbeta_out, channels);
    BatchNormBackwardArgs<T> args{};
    args.dx = dx.data<T>(), args.dgamma = dgamma.data<T>(), args.dbeta = dbeta.data<T>();
    args.dout = dout.data<T>(), args.x = x.data<T>(), args.gamma = gamma.data<T>();
    args.mean = mean.data<T>(), args.std = std.data<T>(), args.y = y.data<T>();
    args.N = s.N, args.C = s.C, args.S = s.S;
    args.train = train, args.grad = Grad::Write;
    run(kernels().batch_norm_backward, args);
    return py::make_tuple(dx.object(), dgamma.object(), dbeta.object());
  });
}

// (N, C) or (N, C, ...) as (N, C, S), and its groups of channels.
struct GroupShape {
  index_t N, C, S, groups;
};

GroupShape group_shape(const Call& call, const Array& x, const py::object& groups_object) {
  if (x.ndim() < 2) {
    fail_value(call.op(), "x", "expected shape (N, C, ...), got " + repr(x.shape()));
  }
  const index_t C = x.shape(1), groups = call.integer("groups", groups_object, 1, C);
  if (C % groups != 0) {
    fail_value(
        call.op(), "groups",
        "expected a divisor of " + std::to_string(C) + " channels, got " + std::to_string(groups));
  }
  return {x.shape(0), C, x.size() / (x.shape(0) * C), groups};
}

py::tuple group_norm(py::object x_object, py::object gamma_object, py::object beta_object,
                     py::object groups, py::object eps, py::object out) {
  Call call("group_norm");
  Array x = call.array("x", x_object);
  Array gamma = call.array("gamma", gamma_object), beta = call.array("beta", beta_object);
  const GroupShape s = group_shape(call, x, groups);
  gamma.expect_shape({s.C}, kPerChannel);
  beta.expect_shape({s.C}, kPerChannel);
  const double eps_value = call.number("eps", eps);
  if (eps_value < 0) fail_value(call.op(), "eps", "expected at least 0, got a negative number");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, x.shape());
    Array mean = call.output<T>("mean", py::none(), {s.N, s.groups});
    Array std = call.output<T>("std", py::none(), {s.N, s.groups});
    run(kernels().group_norm,
        GroupNormArgs<T>{y.data<T>(), mean.data<T>(), std.data<T>(), x.data<T>(), gamma.data<T>(),
                         beta.data<T>(), s.N, s.C, s.S, s.groups, eps_value});
    return py::make_tuple(y.object(), mean.object(), std.object());
  });
}

py::tuple group_norm_backward(py::object dout_object, py::object x_object, py::object gamma_object,
                              py::object mean_object, py::object std_object, py::object groups,
                              py::object out, py::object dgamma_out, py::object dbeta_out) {
  Call call("group_norm_backward");
  Array dout = call.follower("dout", dout_object);
  Array x = call.array("x", x_object), gamma = call.array("gamma", gamma_object);
  Array mean = call.follower("mean", mean_object), std = call.follower("std", std_object);
  const GroupShape s = group_shape(call, x, groups);
  dout.expect_shape(x.shape(), "like x");
  gamma.expect_shape({s.C}, kPerChannel);
  mean.expect_shape({s.N, s.groups}, "(N, groups)");
  std.expect_shape({s.N, s.groups}, "(N, groups)");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, x.shape());
    Array dgamma = call.output<T>("dgamma", dgamma_out, {s.C});
    Array dbeta = call.output<T>("dbeta", dbeta_out, {s.C});
    run(kernels().group_norm_backward,
        GroupNormBackwardArgs<T>{dx.data<T>(), dgamma.data<T>(), dbeta.data<T>(), dout.data<T>(),
                                 x.data<T>(), gamma.data<T>(), mean.data<T>(), std.data<T>(), s.N,
                                 s.C, s.S, s.groups, Grad::Write});
    return py::make_tuple(dx.object(), dgamma.object(), dbeta.object());
  });
}

// The numbers of a local response normalisation.
struct Response {
  index_t n;
  double alpha, beta;
};

Response response(const Call& call, const py::object& n, const py::object& alpha_object,
                  const py::object& beta) {
  const double alpha = call.number("alpha", alpha_object);
  if (alpha < 0) fail_value(call.op(), "alpha", "expected at least 0, got a negative number");
  return {call.integer("n", n, 1, std::numeric_limits<std::int32_t>::max()), alpha,
          call.number("beta", beta)};
}

py::tuple local_response_norm(py::object x_object, py::object n, py::object k_object,
                              py::object alpha, py::object beta, py::object out) {
  Call call("local_response_norm");
  Array x = call.array("x", x_object);
  const GroupShape s = group_shape(call, x, py::int_(1));
  const Response r = response(call, n, alpha, beta);
  const double k = call.number("k", k_object);
  if (k <= 0) fail_value(call.op(), "k", "expected a number above 0, got " + text_of(k_object));
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array y = call.output<T>("out", out, x.shape());
    Array scale = call.output<T>("scale", py::none(), x.shape());
    run(kernels().local_response_norm,
        LocalResponseNormArgs<T>{y.data<T>(), scale.data<T>(), x.data<T>(), s.N, s.C, s.S, r.n,
                                 static_cast<T>(k), static_cast<T>(r.alpha),
                                 static_cast<T>(r.beta)});
    return py::make_tuple(y.object(), scale.object());
  });
}

NdArray local_response_norm_backward(py::object dout_object, py::object x_object,
                                     py::object y_object, py::object scale_object, py::object n,
                                     py::object alpha, py::object beta, py::object out, bool add) {
  Call call("local_response_norm_backward");
  Array dout = call.follower("dout", dout_object), x = call.array("x", x_object);
  Array y = call.array("y", y_object), scale = call.follower("scale", scale_object);
  const GroupShape s = group_shape(call, x, py::int_(1));
  const Response r = response(call, n, alpha, beta);
  for (const Array* array : {&dout, &y, &scale}) array->expect_shape(x.shape(), "like x");
  if (add && out.is_none()) fail_value(call.op(), "out", "expected an array to add to, got None");
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array dx = call.output<T>("out", out, x.shape());
    run(kernels().local_response_norm_backward,
        LocalResponseNormBackwardArgs<T>{
            dx.data<T>(), dout.data<T>(), x.data<T>(), y.data<T>(), scale.data<T>(), s.N, s.C, s.S,
            r.n, static_cast<T>(r.alpha), static_cast<T>(r.beta), add ? Grad::Add : Grad::Write});
    return dx.object();
  });
}

}  // namespace

void bind_norm(py::module_& m) {
  def_op<&group_norm>(m, "group_norm", py::arg("x"), py::arg("gamma"), py::arg("beta"),
                      py::arg("groups") = 1, py::kw_only(), py::arg("eps") = 1e-5,
                      py::arg("out") = py::none());
  def_op<&group_norm_backward>(m, "group_norm_backward", py::arg("dout"), py::arg("x"),
                               py::arg("gamma"), py::arg("mean"), py::arg("std"),
                               py::arg("groups") = 1, py::kw_only(), py::arg("out") = py::none(),
                               py::arg("dgamma") = py::none(), py::arg("dbeta") = py::none());
  def_op<&local_response_norm>(m, "local_response_norm", py::arg("x"), py::kw_only(),
                               py::arg("n") = 5, py::arg("k") = 2.0, py::arg("alpha") = 1e-4,
                               py::arg("beta") = 0.75, py::arg("out") = py::none());
  def_op<&local_response_norm_backward>(
      m, "local_response_norm_backward", py::arg("dout"), py::arg("x"), py::arg("y"),
      py::arg("scale"), py::kw_only(), py::arg("n") = 5, py::arg("alpha") = 1e-4,
      py::arg("beta") = 0.75, py::arg("out") = py::none(), py::arg("add") = false);
  def_op<&batch_norm>(m, "batch_norm", py::arg("x"), py::arg("gamma"), py::arg("beta"),
                      py::arg("running_mean").none(true), py::arg("running_var").none(true),
                      py::kw_only(), py::arg("momentum") = 0.9, py::arg("eps") = 1e-6,
                      py::arg("train") = true, py::arg("unbiased") = false, py::arg("relu") = false,
                      py::arg("out") = py::none());
  def_op<&batch_norm_backward>(
      m, "batch_norm_backward", py::arg("dout"), py::arg("x"), py::arg("gamma"), py::arg("mean"),
      py::arg("std"), py::kw_only(), py::arg("train") = true, py::arg("y") = py::none(),
      py::arg("out") = py::none(), py::arg("dgamma") = py::none(), py::arg("dbeta") = py::none());
}

}  // namespace pynet
