// Chooses the kernel table of this processor, once.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <mutex>
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

// Sets whose tests run with every change: NEON's in an emulator (.ci/run arm), the others' on
// processors. A set that is not here is built all the same, and runs when PYNET_ISA asks.
constexpr const char* kTested[] = {"baseline", "avx2", "neon"};

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

// The table of one set, which must be one that this processor has: code that fills the table is
// compiled for it too. A table is never freed, as another thread's kernel may hold it.
const Choice* choice_of(const Isa& isa) {
  static Choice choices[std::size(kBuilt)];
  static std::once_flag filled[std::size(kBuilt)];
  const std::ptrdiff_t i = &isa - kBuilt;
  std::call_once(filled[i], [&] {
    choices[i].isa = &isa;
    isa.fill_table(&choices[i].table);
  });
  return &choices[i];
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
  const Choice* mine = choice_of(asked && *asked ? find(asked, "PYNET_ISA") : best());
  // Another thread may have been first, with set_isa.
  return g_choice.compare_exchange_strong(choice, mine) ? *mine : *choice;
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
  g_choice.store(choice_of(find(name, "set_isa")), std::memory_order_release);
}

}  // namespace pynet
