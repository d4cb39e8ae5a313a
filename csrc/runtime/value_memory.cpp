#include "runtime/value_memory.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <utility>

namespace pynet {
namespace {

// The addresses of values that have no place yet: beyond what a process can have, kStep apart.
constexpr std::uintptr_t kNowhere = std::uintptr_t(1) << 62;
constexpr std::uintptr_t kStep = std::uintptr_t(1) << 44;

char* address_of(std::size_t value) {
  return reinterpret_cast<char*>(kNowhere + static_cast<std::uintptr_t>(value) * kStep);
}
bool is_value(const char* address) { return reinterpret_cast<std::uintptr_t>(address) >= kNowhere; }
std::size_t value_at(const char* address) {
  return static_cast<std::size_t>((reinterpret_cast<std::uintptr_t>(address) - kNowhere) / kStep);
}

constexpr std::size_t kAlign = 64;

}  // namespace

bool ValueMemory::is_fixed(const char* begin, const char* end) const {
  for (const auto& range : fixed_) {
    if (range.first < end && begin < range.second) return true;
  }
  return is_held_(begin, end);
}

void ValueMemory::separate(Calls& calls) {
  while (!try_to_separate(calls)) {
  }
}

// False where a call reads what was not written as one value: that memory is fixed from now on, and
// nothing has been changed.
bool ValueMemory::try_to_separate(Calls& calls) {
  struct Current {
    std::size_t bytes, value;
  };
  std::map<const char*, Current> current;  // the value that lies at an address now
  std::vector<std::pair<Operand, std::size_t>> moves;
  std::size_t values = 0;
  for (const auto& call : calls) {
    const std::vector<Operand> operands = call->operands();
    for (const Operand& operand : operands) {
      const char* end = operand.data + operand.bytes;
      if (operand.access == Access::Write || is_fixed(operand.data, end)) continue;
      const auto found = current.find(operand.data);
      if (found == current.end() || found->second.bytes != operand.bytes) {
        fixed_.emplace_back(operand.data, end);
        return false;
      }
      moves.emplace_back(operand, found->second.value);
    }
    for (const Operand& operand : operands) {
      const char* end = operand.data + operand.bytes;
      if (operand.access != Access::Write || is_fixed(operand.data, end)) continue;
      // What lay there is gone, whole or in part.
      for (auto i = current.begin(); i != current.end();) {
        const bool overlaps = i->first < end && operand.data < i->first + i->second.bytes;
        i = overlaps ? current.erase(i) : std::next(i);
      }
      current[operand.data] = {operand.bytes, values};
      moves.emplace_back(operand, values++);
    }
  }
  for (const auto& move : moves) move.first.move_to(address_of(move.second));
  return true;
}

std::size_t ValueMemory::size(Calls& calls) {
  values_.clear();
  std::map<std::size_t, std::size_t> index;  // of a value in values_
  for (std::size_t i = 0; i < calls.size(); ++i) {
    for (const Operand& operand : calls[i]->operands()) {
      if (!is_value(operand.data)) continue;
      const auto added = index.emplace(value_at(operand.data), values_.size());
      if (added.second) values_.push_back({operand.bytes, i, i, 0});
      values_[added.first->second].last = i;
    }
  }
  // The largest first, each at the lowest place that is free during its life.
  std::vector<std::size_t> order(values_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return values_[a].bytes > values_[b].bytes;
  });
  std::size_t size = 0;
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t v : order) {
    Value& value = values_[v];
    const std::size_t bytes = (value.bytes + kAlign - 1) / kAlign * kAlign;
    for (const std::size_t p : placed) {
      const Value& other = values_[p];
      if (other.last < value.first || value.last < other.first) continue;
      if (value.offset + bytes <= other.offset) break;
      value.offset =
          std::max(value.offset, other.offset + (other.bytes + kAlign - 1) / kAlign * kAlign);
    }
    placed.insert(std::upper_bound(placed.begin(), placed.end(), value.offset,
                                   [this](std::size_t offset, std::size_t p) {
                                     return offset < values_[p].offset;
                                   }),
                  v);
    size = std::max(size, value.offset + bytes);
  }
  return size;
}

void ValueMemory::place(Calls& calls, char* slab) {
  std::map<std::size_t, std::size_t> index;
  for (const auto& call : calls) {
    for (const Operand& operand : call->operands()) {
      if (!is_value(operand.data)) continue;
      const auto added = index.emplace(value_at(operand.data), index.size());
      operand.move_to(slab + values_[added.first->second].offset);
    }
  }
}

}  // namespace pynet
