#include "cublaslt.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <vector>

#include "binade/formats/catalog.hpp"

namespace binade::experiments {
namespace {

// The part of the library's interface that is used, as cuBLASLt 12 and 13 document it. cuBLASLt's
// matrices are column-major, so that D^T = B A^T: its first operand is our B.
constexpr int kCompute32F = 68, kReal32F = 0, kRealBf16 = 14, kRealE4M3 = 28, kRealE5M2 = 29;
constexpr int kTranspose = 1;
enum class Field {  // of a description of an operation
  kTransposeFirst = 3,
  kScaleFirst = 17,
  kScaleSecond = 18,
  kFastAccumulation = 25,
  kScaleModeFirst = 31,
  kScaleModeSecond = 32,
};
enum class ScaleMode : std::int32_t { kScalar = 0, kVector = 3, kRow128 = 4, kBlock128 = 5 };
constexpr int kPreferWorkspaceBytes = 1;
constexpr std::size_t kMostAlgorithms = 32;

/// Numbers that describe an algorithm.
struct Setting {
  int field;
  const char* name;
};
constexpr int kSplit = 2;
constexpr Setting kSettings[] = {{0, "id"},         {1, "tile"},      {6, "stages"}, {8, "cluster"},
                                 {kSplit, "split"}, {3, "reduction"}, {5, "custom"}};

struct Algorithm {
  std::uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  std::size_t workspace_bytes;
  int status;
  float waves;
  int reserved[4];
};
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;

int type_of(FloatFormat format) {
  return format == E4M3::format   ? kRealE4M3
         : format == E5M2::format ? kRealE5M2
         : format == Bf16::format ? kRealBf16
                                  : kReal32F;
}

void check(int status, const char* what) {
  if (status == 0) return;
  throw std::runtime_error(std::string("cuBLASLt: ") + what + ": status " + std::to_string(status));
}

}  // namespace

struct CublasLt::Functions {
  void* library;
  int (*create)(void**);
  int (*destroy)(void*);
  int (*desc_create)(void**, int, int);
  int (*desc_set)(void*, int, const void*, std::size_t);
  int (*desc_destroy)(void*);
  int (*layout_create)(void**, int, std::uint64_t, std::uint64_t, std::int64_t);
  int (*layout_destroy)(void*);
  int (*preference_create)(void**);
  int (*preference_set)(void*, int, const void*, std::size_t);
  int (*preference_destroy)(void*);
  int (*heuristic)(void*, void*, void*, void*, void*, void*, void*, int, Heuristic*, int*);
  int (*config_get)(const Algorithm*, int, void*, std::size_t, std::size_t*);
  int (*matmul)(void*, void*, const void*, const void*, void*, const void*, void*, const void*,
                const void*, void*, void*, void*, const Algorithm*, void*, std::size_t, void*);

  explicit Functions(const std::string& path) : library(dlopen(path.c_str(), RTLD_NOW)) {
    if (library == nullptr) throw std::runtime_error(std::string("cuBLASLt: ") + dlerror());
    find(create, "cublasLtCreate");
    find(destroy, "cublasLtDestroy");
    find(desc_create, "cublasLtMatmulDescCreate");
    find(desc_set, "cublasLtMatmulDescSetAttribute");
    find(desc_destroy, "cublasLtMatmulDescDestroy");
    find(layout_create, "cublasLtMatrixLayoutCreate");
    find(layout_destroy, "cublasLtMatrixLayoutDestroy");
    find(preference_create, "cublasLtMatmulPreferenceCreate");
    find(preference_set, "cublasLtMatmulPreferenceSetAttribute");
    find(preference_destroy, "cublasLtMatmulPreferenceDestroy");
    find(heuristic, "cublasLtMatmulAlgoGetHeuristic");
    find(config_get, "cublasLtMatmulAlgoConfigGetAttribute");
    find(matmul, "cublasLtMatmul");
  }

 private:
  template <class Function>
  void find(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    if (function == nullptr) throw std::runtime_error(std::string("cuBLASLt: no ") + name);
  }
};

CublasLt::CublasLt(const std::string& path)
    : functions_(std::make_unique<Functions>(path)), workspace_(kWorkspaceBytes) {
  check(functions_->create(&handle_), "cublasLtCreate");
}

CublasLt::~CublasLt() { functions_->destroy(handle_); }

struct CublasLt::Matmul::Parts {
  CublasLt& lt;
  void *operation = nullptr, *first = nullptr, *second = nullptr, *result = nullptr;
  Algorithm algorithm{};

  explicit Parts(CublasLt& library) : lt(library) {}
  ~Parts() {
    const Functions& f = *lt.functions_;
    for (void* layout : {first, second, result}) {
      if (layout != nullptr) f.layout_destroy(layout);
    }
    if (operation != nullptr) f.desc_destroy(operation);
  }

  template <class Value>
  void set(Field field, Value value) {
    check(lt.functions_->desc_set(operation, static_cast<int>(field), &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  }

  void describe(const cuda::DeviceGemm& call) {
    const Functions& f = *lt.functions_;
    check(f.desc_create(&operation, kCompute32F, kReal32F), "cublasLtMatmulDescCreate");
    set(Field::kTransposeFirst, std::int32_t{kTranspose});
    set(Field::kFastAccumulation, static_cast<std::int8_t>(call.promotion_interval == 0));
    const bool row = call.scaling == cuda::GemmScaling::kRow;
    const bool block = call.scaling == cuda::GemmScaling::kBlock;
    const ScaleMode one = row ? ScaleMode::kVector : ScaleMode::kScalar;
    if (row || block) {
      set(Field::kScaleModeFirst, block ? ScaleMode::kBlock128 : one);
      set(Field::kScaleModeSecond, block ? ScaleMode::kRow128 : one);
    }
    set_scales(call);
    const auto k = static_cast<std::int64_t>(call.k), n = static_cast<std::int64_t>(call.n);
    check(f.layout_create(&first, type_of(call.b_format), call.k, call.n, k), "layout of B");
    check(f.layout_create(&second, type_of(call.a_format), call.k, call.m, k), "layout of A");
    check(f.layout_create(&result, type_of(call.output), call.n, call.m, n), "layout of D");
  }

  void set_scales(const cuda::DeviceGemm& call) {
    set(Field::kScaleFirst, call.scale_b.data);
    set(Field::kScaleSecond, call.scale_a.data);
  }

  /// Takes the `wanted`th algorithm that the heuristic names.
  void choose(std::size_t wanted) {
    const Functions& f = *lt.functions_;
    void* preference = nullptr;
    check(f.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    f.preference_set(preference, kPreferWorkspaceBytes, &kWorkspaceBytes, sizeof kWorkspaceBytes);
    std::vector<Heuristic> list(kMostAlgorithms);
    int found = 0;
    // One is asked for where one is wanted, as torch does: the library may then look no further.
    const int asked = wanted == 0 ? 1 : static_cast<int>(kMostAlgorithms);
    const int status = f.heuristic(lt.handle_, operation, first, second, result, result, preference,
                                   asked, list.data(), &found);
    f.preference_destroy(preference);
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    if (wanted >= static_cast<std::size_t>(found)) {
      throw std::runtime_error("cuBLASLt: " + std::to_string(found) +
                               " algorithms for this product");
    }
    algorithm = list[wanted].algorithm;
  }

  std::optional<std::uint32_t> setting(int field) const {
    std::uint32_t value = 0;  // attributes of 16 bits leave the upper half alone
    std::size_t written = 0;
    for (const std::size_t bytes : {sizeof value, sizeof(std::uint16_t)}) {
      if (lt.functions_->config_get(&algorithm, field, &value, bytes, &written) == 0) return value;
    }
    return std::nullopt;
  }

  std::string describe_algorithm() const {
    std::string text;
    for (const Setting& s : kSettings) {
      const auto value = setting(s.field);
      if (!value) continue;
      text += (text.empty() ? "" : ", ") + std::string(s.name) + " " + std::to_string(*value);
    }
    return text;
  }
};

CublasLt::Matmul::Matmul(CublasLt& library, const cuda::DeviceGemm& call, std::size_t algorithm)
    : parts_(std::make_unique<Parts>(library)) {
  parts_->describe(call);
  parts_->choose(algorithm);
}

std::string CublasLt::Matmul::algorithm() const { return parts_->describe_algorithm(); }

std::size_t CublasLt::Matmul::split() const {
  return std::max<std::size_t>(1, parts_->setting(kSplit).value_or(1));
}

CublasLt::Matmul::Matmul(Matmul&&) noexcept = default;
CublasLt::Matmul::~Matmul() = default;

void CublasLt::Matmul::run(const cuda::DeviceGemm& call) {
  constexpr float kOne = 1.0f, kZero = 0.0f;
  Parts& p = *parts_;
  p.set_scales(call);
  check(p.lt.functions_->matmul(p.lt.handle_, p.operation, &kOne, call.b, p.first, call.a, p.second,
                                &kZero, call.d, p.result, call.d, p.result, &p.algorithm,
                                p.lt.workspace_.data(), kWorkspaceBytes, nullptr),
        "cublasLtMatmul");
}

}  // namespace binade::experiments
