#include "python/bind.h"

namespace pynet {
namespace {

double fraction(const Call& call, const char* name, py::handle object) {
  const double value = call.number(name, object);
  if (value < 0 || value >= 1) {
    fail_value(call.op(), name, "expected a number in 0 <= ... < 1, got " + text_of(object));
  }
  return value;
}

// What an optimizer keeps for each parameter.
struct Kept {
  const char* name;
  py::object object;
};

// Checks the arrays and runs the kernel; p decides the data type, as it stays where it is.
template <class Pair>
void update(Call& call, const Pair& kernel, py::object p_object, py::object g_object,
            const UpdateState& state, const Kept& s_kept = {}, const Kept& r_kept = {},
            const Kept& q_kept = {}) {
  if (!py::isinstance<NdArray>(p_object)) fail_no_array(call.op(), "p", p_object);
  const Array p_given(call.op(), "p", py::reinterpret_borrow<NdArray>(p_object));
  const auto apply = [&](auto zero) {
    using T = decltype(zero);
    Array g = call.follower("g", g_object);
    g.expect_shape(p_given.shape(), "like p");
    Array p = call.state<T>("p", p_object, p_given.shape());
    const auto data = [&](const Kept& kept) -> T* {
      return kept.name ? call.state<T>(kept.name, kept.object, p.shape()).template data<T>()
                       : nullptr;
    };
    T* s = data(s_kept);
    T* r = data(r_kept);
    T* q = data(q_kept);
    run(kernel, UpdateArgs<T>{p.data<T>(), g.data<T>(), s, r, q, p.size(), &state});
  };
  if (p_given.is_double()) {
    apply(double{});
  } else {
    apply(float{});
  }
}

// lr and what else a rule is told, in the order of UpdateState.
UpdateState numbers(const Call& call, py::handle lr, const char* a_name = nullptr,
                    py::handle a = {}, const char* b_name = nullptr, py::handle b = {}) {
  return {call.number("lr", lr),
          a_name ? call.number(a_name, a) : 0,
          b_name ? call.number(b_name, b) : 0,
          0,
          0,
          0};
}

UpdateState adam_numbers(const Call& call, py::handle lr, py::handle beta1, py::handle beta2,
                         py::handle iter) {
  constexpr index_t most = index_t(1) << 53;  // exact in a double
  return {call.number("lr", lr),
          fraction(call, "beta1", beta1),
          fraction(call, "beta2", beta2),
          0,
          0,
          static_cast<double>(call.integer("iter", iter, 1, most))};
}

void sgd_update(py::object p, py::object g, py::object lr) {
  Call call("sgd_update");
  update(call, kernels().sgd_update, p, g, numbers(call, lr));
}

void momentum_update(py::object p, py::object g, py::object v, py::object lr, py::object momentum) {
  Call call("momentum_update");
  update(call, kernels().momentum_update, p, g, numbers(call, lr, "momentum", momentum), {"v", v});
}

void nesterov_update(py::object p, py::object g, py::object v, py::object lr, py::object momentum) {
  Call call("nesterov_update");
  update(call, kernels().nesterov_update, p, g, numbers(call, lr, "momentum", momentum), {"v", v});
}

void lars_update(py::object p, py::object g, py::object v, py::object lr, py::object momentum,
                 py::object weight_decay, py::object trust) {
  Call call("lars_update");
  UpdateState state = numbers(call, lr, "momentum", momentum, "weight_decay", weight_decay);
  state.c = call.number("trust", trust);
  update(call, kernels().lars_update, p, g, state, {"v", v});
}

void rprop_update(py::object p, py::object g, py::object sign, py::object step, py::object least,
                  py::object most, py::object shrink, py::object grow) {
  Call call("rprop_update");
  const UpdateState state{0,
                          call.number("least", least),
                          call.number("most", most),
                          call.number("shrink", shrink),
                          call.number("grow", grow),
                          0};
  update(call, kernels().rprop_update, p, g, state, {"sign", sign}, {"step", step});
}

void adagrad_update(py::object p, py::object g, py::object h, py::object lr) {
  Call call("adagrad_update");
  update(call, kernels().adagrad_update, p, g, numbers(call, lr), {"h", h});
}

void rmsprop_update(py::object p, py::object g, py::object h, py::object lr,
                    py::object decay_rate) {
  Call call("rmsprop_update");
  const UpdateState state = numbers(call, lr, "decay_rate", decay_rate);
  update(call, kernels().rmsprop_update, p, g, state, {"h", h});
}

void adadelta_update(py::object p, py::object g, py::object h, py::object u, py::object lr,
                     py::object decay_rate, py::object eps) {
  Call call("adadelta_update");
  const UpdateState state = numbers(call, lr, "decay_rate", decay_rate, "eps", eps);
  update(call, kernels().adadelta_update, p, g, state, {"h", h}, {"u", u});
}

void adam_update(py::object p, py::object g, py::object m, py::object v, py::object lr,
                 py::object beta1, py::object beta2, py::object iter) {
  Call call("adam_update");
  const UpdateState state = adam_numbers(call, lr, beta1, beta2, iter);
  update(call, kernels().adam_update, p, g, state, {"m", m}, {"v", v});
}

void adamw_update(py::object p, py::object g, py::object m, py::object v, py::object lr,
                  py::object beta1, py::object beta2, py::object weight_decay, py::object iter) {
  Call call("adamw_update");
  UpdateState state = adam_numbers(call, lr, beta1, beta2, iter);
  state.c = call.number("weight_decay", weight_decay);
  update(call, kernels().adamw_update, p, g, state, {"m", m}, {"v", v});
}

void nadam_update(py::object p, py::object g, py::object m, py::object v, py::object lr,
                  py::object beta1, py::object beta2, py::object iter) {
  Call call("nadam_update");
  const UpdateState state = adam_numbers(call, lr, beta1, beta2, iter);
  update(call, kernels().nadam_update, p, g, state, {"m", m}, {"v", v});
}

void amsgrad_update(py::object p, py::object g, py::object m, py::object v, py::object v_max,
                    py::object lr, py::object beta1, py::object beta2, py::object iter) {
  Call call("amsgrad_update");
  const UpdateState state = adam_numbers(call, lr, beta1, beta2, iter);
  update(call, kernels().amsgrad_update, p, g, state, {"m", m}, {"v", v}, {"v_max", v_max});
}

void average_update(py::object p, py::object g, py::object rate) {
  Call call("average_update");
  update(call, kernels().average_update, p, g, {call.number("rate", rate), 0, 0, 0, 0, 0});
}

}  // namespace

void bind_update(py::module_& m) {
  using py::arg;
  def_op<&sgd_update>(m, "sgd_update", arg("p"), arg("g"), arg("lr"));
  def_op<&momentum_update>(m, "momentum_update", arg("p"), arg("g"), arg("v"), arg("lr"),
                           arg("momentum"));
  def_op<&nesterov_update>(m, "nesterov_update", arg("p"), arg("g"), arg("v"), arg("lr"),
                           arg("momentum"));
  def_op<&lars_update>(m, "lars_update", arg("p"), arg("g"), arg("v"), arg("lr"), arg("momentum"),
                       arg("weight_decay"), arg("trust"));
  def_op<&rprop_update>(m, "rprop_update", arg("p"), arg("g"), arg("sign"), arg("step"),
                        arg("least"), arg("most"), arg("shrink"), arg("grow"));
  def_op<&adagrad_update>(m, "adagrad_update", arg("p"), arg("g"), arg("h"), arg("lr"));
  def_op<&rmsprop_update>(m, "rmsprop_update", arg("p"), arg("g"), arg("h"), arg("lr"),
                          arg("decay_rate"));
  def_op<&adadelta_update>(m, "adadelta_update", arg("p"), arg("g"), arg("h"), arg("u"), arg("lr"),
                           arg("decay_rate"), arg("eps"));
  def_op<&adam_update>(m, "adam_update", arg("p"), arg("g"), arg("m"), arg("v"), arg("lr"),
                       arg("beta1"), arg("beta2"), arg("iter"));
  def_op<&adamw_update>(m, "adamw_update", arg("p"), arg("g"), arg("m"), arg("v"), arg("lr"),
                        arg("beta1"), arg("beta2"), arg("weight_decay"), arg("iter"));
  def_op<&nadam_update>(m, "nadam_update", arg("p"), arg("g"), arg("m"), arg("v"), arg("lr"),
                        arg("beta1"), arg("beta2"), arg("iter"));
  def_op<&amsgrad_update>(m, "amsgrad_update", arg("p"), arg("g"), arg("m"), arg("v"), arg("v_max"),
                          arg("lr"), arg("beta1"), arg("beta2"), arg("iter"));
  def_op<&average_update>(m, "average_update", arg("p"), arg("g"), arg("rate"));
}

}  // namespace pynet
