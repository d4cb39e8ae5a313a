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
            const UpdateState& state, const Kept& s_kept = {}, const Kept& r_kept = {}) {
  if (!py::isinstance<py::array>(p_object)) {
    fail_type(call.op(), "p", "expected a NumPy array, got " + text_of(p_object));
  }
  const Array p_given(call.op(), "p", py::reinterpret_borrow<py::array>(p_object));
  const auto apply = [&](auto zero) {
    using T = decltype(zero);
    Array g = call.follower("g", g_object);
    g.expect_shape(p_given.shape(), "like p");
    Array p = call.state<T>("p", p_object, p_given.shape()), s, r;
    if (s_kept.name) s = call.state<T>(s_kept.name, s_kept.object, p.shape());
    if (r_kept.name) r = call.state<T>(r_kept.name, r_kept.object, p.shape());
    run(kernel,
        UpdateArgs<T>{p.data<T>(), g.data<T>(), s.data<T>(), r.data<T>(), p.size(), &state});
  };
  if (p_given.is_double()) {
    apply(double{});
  } else {
    apply(float{});
  }
}

void sgd_update(py::object p, py::object g, py::object lr) {
  Call call("sgd_update");
  update(call, kernels().sgd_update, p, g, {call.number("lr", lr), 0, 0, 0});
}

void momentum_update(py::object p, py::object g, py::object v, py::object lr, py::object momentum) {
  Call call("momentum_update");
  const UpdateState state{call.number("lr", lr), call.number("momentum", momentum), 0, 0};
  update(call, kernels().momentum_update, p, g, state, {"v", v});
}

void nesterov_update(py::object p, py::object g, py::object v, py::object lr, py::object momentum) {
  Call call("nesterov_update");
  const UpdateState state{call.number("lr", lr), call.number("momentum", momentum), 0, 0};
  update(call, kernels().nesterov_update, p, g, state, {"v", v});
}

void adagrad_update(py::object p, py::object g, py::object h, py::object lr) {
  Call call("adagrad_update");
  update(call, kernels().adagrad_update, p, g, {call.number("lr", lr), 0, 0, 0}, {"h", h});
}

void rmsprop_update(py::object p, py::object g, py::object h, py::object lr,
                    py::object decay_rate) {
  Call call("rmsprop_update");
  const UpdateState state{call.number("lr", lr), call.number("decay_rate", decay_rate), 0, 0};
  update(call, kernels().rmsprop_update, p, g, state, {"h", h});
}

void adam_update(py::object p, py::object g, py::object m, py::object v, py::object lr,
                 py::object beta1, py::object beta2, py::object iter) {
  Call call("adam_update");
  constexpr index_t most = index_t(1) << 53;  // exact in a double
  const UpdateState state{call.number("lr", lr), fraction(call, "beta1", beta1),
                          fraction(call, "beta2", beta2),
                          static_cast<double>(call.integer("iter", iter, 1, most))};
  update(call, kernels().adam_update, p, g, state, {"m", m}, {"v", v});
}

}  // namespace

void bind_update(py::module_& m) {
  using py::arg;
  m.def("sgd_update", &sgd_update, arg("p"), arg("g"), arg("lr"));
  m.def("momentum_update", &momentum_update, arg("p"), arg("g"), arg("v"), arg("lr"),
        arg("momentum"));
  m.def("nesterov_update", &nesterov_update, arg("p"), arg("g"), arg("v"), arg("lr"),
        arg("momentum"));
  m.def("adagrad_update", &adagrad_update, arg("p"), arg("g"), arg("h"), arg("lr"));
  m.def("rmsprop_update", &rmsprop_update, arg("p"), arg("g"), arg("h"), arg("lr"),
        arg("decay_rate"));
  m.def("adam_update", &adam_update, arg("p"), arg("g"), arg("m"), arg("v"), arg("lr"),
        arg("beta1"), arg("beta2"), arg("iter"));
}

}  // namespace pynet
