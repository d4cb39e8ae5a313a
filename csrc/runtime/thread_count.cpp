// How many threads to use when nobody says: not more than the processors this process may use.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "pynet/runtime.h"
#include "runtime/thread_count.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace pynet {
namespace {

// A whole number from the environment, or 0. OMP_NUM_THREADS may be a list: its first entry counts.
int threads_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return 0;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  const bool whole = end != text && (*end == '\0' || *end == ',');
  return whole && value >= 1 && value <= 1024 ? static_cast<int>(value) : 0;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The group of this process in a hierarchy of /proc/self/cgroup: lines "id:controllers:path".
std::string cgroup_path(const std::string& proc, const std::string& controller) {
  std::ifstream file(proc);
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool found = controller.empty()
                           ? controllers == ",,"
                           : controllers.find("," + controller + ",") != std::string::npos;
    if (found) return line.substr(second + 1);
  }
  return "";
}

double ratio(const std::string& quota, const std::string& period) {
  const double q = std::atof(quota.c_str());
  const double p = std::atof(period.c_str());
  return q > 0 && p > 0 ? q / p : 0;
}

// The smallest quota on the way from the group of this process up to the root.
template <class Read>
double smallest_quota(const std::string& root, std::string path, const Read& read) {
  double smallest = 0;
  for (;;) {
    const double quota = read(root + path);
    if (quota > 0 && (smallest == 0 || quota < smallest)) smallest = quota;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos || path.empty()) return smallest;
    path.erase(slash);
  }
}

int usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  const unsigned n = std::thread::hardware_concurrency();
  return n ? static_cast<int>(n) : 1;
}

// Two hardware threads of one core share its arithmetic: one of them is enough.
int usable_cores() {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 0;
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &set)) continue;
    const std::string siblings = first_line("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                                            "/topology/thread_siblings_list");
    if (siblings.empty()) return 0;
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
#else
  return 0;
#endif
}

}  // namespace

double cgroup_quota(const std::string& sys, const std::string& proc) {
  const auto version2 = [](const std::string& folder) {
    const std::string line = first_line(folder + "/cpu.max");  // "150000 100000" or "max 100000"
    const std::size_t space = line.find(' ');
    return space == std::string::npos ? 0 : ratio(line.substr(0, space), line.substr(space + 1));
  };
  const auto version1 = [](const std::string& folder) {
    return ratio(first_line(folder + "/cpu.cfs_quota_us"),
                 first_line(folder + "/cpu.cfs_period_us"));
  };
  const double two = smallest_quota(sys, cgroup_path(proc, ""), version2);
  const double one = smallest_quota(sys + "/cpu", cgroup_path(proc, "cpu"), version1);
  return two > 0 && one > 0 ? (two < one ? two : one) : two + one;
}

ThreadChoice default_threads() {
  for (const char* variable : {"PYNET_NUM_THREADS", "OMP_NUM_THREADS"}) {
    if (const int threads = threads_from(variable)) return {threads, variable};
  }
  ThreadChoice choice{usable_processors(), "processors this process may use"};
  const int cores = usable_cores();
  if (cores > 0 && cores < choice.threads) choice = {cores, "physical cores"};
#if defined(__linux__)
  const double quota = cgroup_quota("/sys/fs/cgroup", "/proc/self/cgroup");
  if (quota > 0 && quota < choice.threads) {
    char text[64];
    std::snprintf(text, sizeof(text), "control group quota of %.3g processors", quota);
    choice = {quota < 1 ? 1 : static_cast<int>(quota), text};
  }
#endif
  return choice;
}

}  // namespace pynet
