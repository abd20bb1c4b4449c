// cuBLASLt's FP8 GEMM, loaded when it is asked for: what others use, to be measured beside ours.
// Private to this folder.
#pragma once

#include <memory>
#include <string>

#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"

namespace binade::experiments {

/// The library, its handle and a workspace of 32 MiB.
class CublasLt {
 public:
  /// path: of the shared library, or its name where the loader finds it.
  /// Errors: std::runtime_error when it cannot be loaded.
  explicit CublasLt(const std::string& path);
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;
  ~CublasLt();

  /// The product of `call` by an algorithm of the library's heuristic: the first, as
  /// torch._scaled_mm takes it, or a later one. Promotion interval 0 stands for fast accumulation
  /// and 128 for none; scales of blocks must have the library's layout: [k / 128, m] of A, [n /
  /// 128, k / 128] of B. Not waited for. Errors: std::runtime_error with the library's status, also
  /// where it has no algorithm, or not so many.
  class Matmul {
   public:
    Matmul(CublasLt& library, const cuda::DeviceGemm& call, std::size_t algorithm = 0);
    Matmul(Matmul&&) noexcept;
    ~Matmul();
    /// What the algorithm is: "id 66, tile 22, stages 5, cluster 3, split 1", the library's
    /// numbers.
    std::string algorithm() const;
    /// Parts of K that are summed apart; 1: none.
    std::size_t split() const;
    /// With other matrices of the same shape, in the places that `call` names.
    void run(const cuda::DeviceGemm& call);

   private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
  };

 private:
  struct Functions;
  std::unique_ptr<Functions> functions_;
  void* handle_ = nullptr;
  cuda::DeviceArray workspace_;
};

}  // namespace binade::experiments
