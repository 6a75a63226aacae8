// Work on all cores, on the threads that LibTorch has anyway.
#pragma once

#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace saetap {

// Calls part(first, last) for disjoint ranges that make up 0..count-1, each at least `least` long unless there is only
// one; at most as many as LibTorch has threads, and returns when all are done. One range on the calling thread where it
// is inside such work already. What a part throws comes out here.
void in_parallel(std::int64_t count, std::int64_t least, c10::function_ref<void(std::int64_t, std::int64_t)> part);

}  // namespace saetap
