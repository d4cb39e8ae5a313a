// Chooses the kernel table of this processor, once.
#include <atomic>
#include <cstdlib>
#include <stdexcept>

#include "built_isas.h"
#include "pynet/runtime.h"
#include "runtime/cpu_features.h"

namespace pynet {

// Each instruction set of the build defines one table in its own namespace.
#define PYNET_DECLARE(name)            \
  namespace name {                     \
  void fill_table(KernelTable* table); \
  }
PYNET_BUILT_ISAS(PYNET_DECLARE)
#undef PYNET_DECLARE

namespace {

struct Isa {
  const char* name;
  void (*fill_table)(KernelTable* table);
};

#define PYNET_ROW(name) {#name, name::fill_table},
constexpr Isa kBuilt[] = {PYNET_BUILT_ISAS(PYNET_ROW)};  // plainest first
#undef PYNET_ROW

// Sets whose tests have run on a real processor. Others are built, and run when PYNET_ISA asks.
constexpr const char* kTested[] = {"baseline", "avx2"};

bool tested(const std::string& name) {
  for (const char* isa : kTested) {
    if (name == isa) return true;
  }
  return false;
}

struct Choice {
  const Isa* isa;
  KernelTable table;
};

std::atomic<const Choice*> g_choice{nullptr};

const Choice* make_choice(const Isa& isa) {
  Choice* choice = new Choice{&isa, {}};  // lives as long as the process: kernels may be running
  isa.fill_table(&choice->table);
  return choice;
}

std::string list() {
  std::string names;
  for (const std::string& name : isas()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

const Isa& find(const std::string& name, const char* asked_by) {
  for (const Isa& isa : kBuilt) {
    if (name == isa.name && cpu_has(isa.name)) return isa;
  }
  throw std::invalid_argument(std::string("[") + asked_by + "] name: expected one of " + list() +
                              ", got '" + name + "'");
}

const Isa& best() {
  const Isa* choice = &kBuilt[0];
  for (const Isa& isa : kBuilt) {
    if (tested(isa.name) && cpu_has(isa.name)) choice = &isa;
  }
  return *choice;
}

const Choice& chosen() {
  const Choice* choice = g_choice.load(std::memory_order_acquire);
  if (choice) return *choice;
  const char* asked = std::getenv("PYNET_ISA");
  const Choice* mine = make_choice(asked && *asked ? find(asked, "PYNET_ISA") : best());
  if (g_choice.compare_exchange_strong(choice, mine)) return *mine;
  delete mine;  // another thread was first
  return *choice;
}

}  // namespace

const KernelTable& kernels() { return chosen().table; }

std::string isa() { return chosen().isa->name; }

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const Isa& isa : kBuilt) {
    if (cpu_has(isa.name)) names.push_back(isa.name);
  }
  return names;
}

void set_isa(const std::string& name) {
  // The old choice is kept: a kernel of another thread may still hold its table.
  g_choice.store(make_choice(find(name, "set_isa")), std::memory_order_release);
}

}  // namespace pynet
