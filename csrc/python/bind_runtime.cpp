#include "python/bind.h"

namespace pynet {
namespace {

py::dict thread_info() {
  const ThreadChoice choice = default_threads();
  py::dict info;
  info["threads"] = num_threads();
  info["default"] = choice.threads;
  info["reason"] = choice.reason;
  return info;
}

}  // namespace

void bind_runtime(py::module_& m) {
  m.def("version", [] { return PYNET_VERSION; });
  m.def("isa", &isa);
  m.def("isas", [] {
    py::list names;
    for (const std::string& name : isas()) names.append(name);
    return names;
  });
  m.def("set_isa", &set_isa, py::arg("name"));
  m.def("winograd", &winograd);
  m.def("set_winograd", &set_winograd, py::arg("on"));
  m.def("num_threads", &num_threads);
  m.def(
      "set_num_threads",
      [](py::object n) {
        set_num_threads(static_cast<int>(Call("set_num_threads").integer("n", n, 0, 1024)));
      },
      py::arg("n"));
  m.def("thread_info", &thread_info);
}

}  // namespace pynet
