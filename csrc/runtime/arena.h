// Memory of its own for a recorded step: what the pool hands out while an arena is in use stays the
// arena's, so that the addresses in the recorded calls are nobody else's until the step is dropped.
// Blocks freed during the recording are handed out again within it: buffers are shared by lifetime.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace pynet {

class Arena;

Arena* make_arena();
void drop_arena(Arena* arena) noexcept;     // blocks still in use keep it until they are freed
Arena* use_arena(Arena* arena) noexcept;    // on this thread; null: none. Returns the one before
void* scratch_allocate(std::size_t bytes);  // from the pool, whatever arena is in use
bool arena_holds(const Arena* arena, const void* data, std::size_t bytes);  // within one block
std::size_t arena_bytes(const Arena* arena);
// Gives back the free blocks that none of these ranges touches.
void trim_arena(Arena* arena, const std::vector<std::pair<const char*, const char*>>& used);

}  // namespace pynet
