#include "python/bind.h"

namespace pynet {
namespace {

// C = alpha op(A) op(B) + beta C + bias, for matrices or for stacks of them.
NdArray gemm(py::object A_object, py::object B_object, py::object bias_object, bool trans_a,
             bool trans_b, py::object alpha_object, py::object beta_object, bool relu,
             py::object out) {
  Call call("gemm");
  Array A = call.array("A", A_object), B = call.array("B", B_object);
  Array bias = call.optional("bias", bias_object);
  const double alpha = call.number("alpha", alpha_object), beta = call.number("beta", beta_object);
  if (A.ndim() != 2 && A.ndim() != 3) {
    fail_value(call.op(), "A",
               "expected 2 dimensions (M, K), or 3 (batch, M, K), got shape " + repr(A.shape()));
  }
  B.expect_rank(A.ndim(), "like A");
  const index_t batch = A.ndim() == 3 ? A.shape(0) : 1;
  const index_t M = A.shape(trans_a ? -1 : -2), K = A.shape(trans_a ? -2 : -1);
  const index_t N = B.shape(trans_b ? -2 : -1), K_of_B = B.shape(trans_b ? -1 : -2);
  if (K_of_B != K) {
    fail_value(call.op(), "B",
               "expected an inner size of " + std::to_string(K) + " like A, got shape " +
                   repr(B.shape()) + (trans_b ? " transposed" : ""));
  }
  if (A.ndim() == 3 && B.shape(0) != batch) {
    fail_value(
        call.op(), "B",
        "expected " + std::to_string(batch) + " matrices like A, got shape " + repr(B.shape()));
  }
  if (bias) bias.expect_shape({N}, "like the columns of the product");
  if (beta != 0 && out.is_none()) {
    fail_value(call.op(), "out", "expected an array to add to, as beta is not 0, got None");
  }
  return call.dispatch([&](auto zero) {
    using T = decltype(zero);
    Array C = call.output<T>("out", out, A.ndim() == 3 ? Shape{batch, M, N} : Shape{M, N});
    GemmArgs<T> args{};
    args.C = C.data<T>();
    args.A = A.data<T>();
    args.B = B.data<T>();
    args.bias = bias.data<T>();
    args.batch = batch, args.M = M, args.N = N, args.K = K;
    args.A_row = trans_a ? 1 : K, args.A_col = trans_a ? M : 1, args.A_batch = M * K;
    args.B_row = trans_b ? 1 : N, args.B_col = trans_b ? K : 1, args.B_batch = K * N;
    args.C_row = N, args.C_batch = M * N;
    args.alpha = static_cast<T>(alpha), args.beta = static_cast<T>(beta), args.relu = relu;
    run(kernels().gemm, args);
    return C.object();
  });
}

}  // namespace

void bind_gemm(py::module_& m) {
  def_op<&gemm>(m, "gemm", py::arg("A"), py::arg("B"), py::arg("bias") = py::none(),
                py::arg("trans_a") = false, py::arg("trans_b") = false, py::arg("alpha") = 1.0,
                py::arg("beta") = 0.0, py::arg("relu") = false, py::arg("out") = py::none());
}

}  // namespace pynet
