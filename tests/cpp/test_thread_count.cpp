#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "pynet/runtime.h"
#include "runtime/thread_count.h"

using namespace pynet;
namespace fs = std::filesystem;

TEST_SUITE_BEGIN("thread_count");

namespace {

// A control group hierarchy made of files.
class FakeGroups {
 public:
  FakeGroups() : root_(fs::temp_directory_path() / "pynet_test_cgroups") {
    fs::remove_all(root_);
    fs::create_directories(root_ / "sys");
  }
  ~FakeGroups() { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << "\n";
  }
  double quota() { return cgroup_quota((root_ / "sys").string(), (root_ / "proc").string()); }

 private:
  fs::path root_;
};

}  // namespace

TEST_CASE("version 2: the tightest quota on the way up counts") {
  FakeGroups groups;
  groups.write("proc", "0::/box/inner");
  groups.write("sys/box/inner/cpu.max", "max 100000");
  groups.write("sys/box/cpu.max", "250000 100000");
  CHECK(groups.quota() == doctest::Approx(2.5));
  groups.write("sys/box/inner/cpu.max", "50000 100000");
  CHECK(groups.quota() == doctest::Approx(0.5));
}

TEST_CASE("version 2 inside a container: the group is the root of what is seen") {
  FakeGroups groups;
  groups.write("proc", "0::/");
  groups.write("sys/cpu.max", "150000 100000");
  CHECK(groups.quota() == doctest::Approx(1.5));
}

TEST_CASE("version 1: quota over period; -1 is no limit") {
  FakeGroups groups;
  groups.write("proc", "4:memory:/m\n3:cpu,cpuacct:/jobs");
  groups.write("sys/cpu/jobs/cpu.cfs_quota_us", "300000");
  groups.write("sys/cpu/jobs/cpu.cfs_period_us", "100000");
  CHECK(groups.quota() == doctest::Approx(3));
  groups.write("sys/cpu/jobs/cpu.cfs_quota_us", "-1");
  CHECK(groups.quota() == 0);
}

TEST_CASE("no files, or files of nonsense, mean no limit") {
  FakeGroups groups;
  CHECK(groups.quota() == 0);
  groups.write("proc", "nonsense");
  groups.write("sys/cpu.max", "a b");
  CHECK(groups.quota() == 0);
}

TEST_CASE("the environment decides first") {
  const auto with = [](const char* ours, const char* openmp) {
    ours ? setenv("PYNET_NUM_THREADS", ours, 1) : unsetenv("PYNET_NUM_THREADS");
    openmp ? setenv("OMP_NUM_THREADS", openmp, 1) : unsetenv("OMP_NUM_THREADS");
    return default_threads();
  };
  CHECK(with("3", "5").threads == 3);
  CHECK(with(nullptr, "5").threads == 5);
  CHECK(with(nullptr, "6,2").threads == 6);
  CHECK(with("many", "5").reason == "OMP_NUM_THREADS");
  const ThreadChoice plain = with("0", "-1");
  CHECK(plain.threads >= 1);
  CHECK(plain.reason != "OMP_NUM_THREADS");
  with(nullptr, nullptr);
}

TEST_CASE("set_num_threads") {
  set_num_threads(3);
  CHECK(num_threads() == 3);
  CHECK_THROWS_AS(set_num_threads(-1), std::invalid_argument);
  CHECK_THROWS_AS(set_num_threads(5000), std::invalid_argument);
  CHECK(num_threads() == 3);
  set_num_threads(0);
  CHECK(num_threads() == default_threads().threads);
}

TEST_SUITE_END();
