// The parts of the GEMM loops' table, each filled in by a file of its own. Private to this folder;
// for *.isa.cpp alone.
#pragma once

#include "gemm_kernels.hpp"

namespace binade::detail::BINADE_ISA {

void fill_chain_loops(GemmKernels& kernels);  // gemm_chain.isa.cpp
void fill_pack_loops(GemmKernels& kernels);   // gemm_pack.isa.cpp
void fill_row_loops(GemmKernels& kernels);    // dot_rows.isa.cpp
void fill_wide_loops(GemmKernels& kernels);   // gemm_wide.isa.cpp

}  // namespace binade::detail::BINADE_ISA
