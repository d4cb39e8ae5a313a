#pragma once

#include <string>

namespace pynet {

// How many processors the control group of this process may use, or 0 without a limit.
// `sys` is where the hierarchy is mounted and `proc` the list of groups: arguments for the tests.
double cgroup_quota(const std::string& sys, const std::string& proc);

}  // namespace pynet
