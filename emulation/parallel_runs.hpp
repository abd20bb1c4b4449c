// Work shared among threads in contiguous runs. Private to this folder.
#pragma once

#include <omp.h>

#include <cstddef>

namespace binade::detail {

/// body(first, last): each thread gets one contiguous run of 0 .. count - 1.
template <class Body>
void parallel_runs(std::size_t count, int threads, Body&& body) {
#pragma omp parallel num_threads(threads)
  {
    const auto all = static_cast<std::size_t>(omp_get_num_threads());
    const auto mine = static_cast<std::size_t>(omp_get_thread_num());
    body(count * mine / all, count * (mine + 1) / all);
  }
}

}  // namespace binade::detail
