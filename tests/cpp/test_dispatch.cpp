#include <doctest/doctest.h>

#include <stdexcept>

#include "pynet/runtime.h"

using namespace pynet;

TEST_SUITE_BEGIN("dispatch");

TEST_CASE("the plainest set is always there, and every listed set can be chosen") {
  REQUIRE(!isas().empty());
  const std::string before = isa();
  for (const std::string& name : isas()) {
    set_isa(name);
    CHECK(isa() == name);
    CHECK((kernels().gemm.f32.run != nullptr));
    CHECK((kernels().gemm.f64.plan != nullptr));
  }
  set_isa(before);
}

TEST_CASE("sets have kernels of their own") {
  if (isas().size() < 2) return;
  set_isa(isas().front());
  const auto plain = kernels().gemm.f32.run;
  set_isa(isas().back());
  CHECK((kernels().gemm.f32.run != plain));
}

TEST_CASE("an unknown set is refused and the choice stays") {
  const std::string before = isa();
  CHECK_THROWS_AS(set_isa("sse9"), std::invalid_argument);
  CHECK(isa() == before);
}

TEST_SUITE_END();
