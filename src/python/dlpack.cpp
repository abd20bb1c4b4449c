// Tensors of other libraries through DLPack, without a copy and without knowing those libraries.
//
// The structures below are DLPack's public ABI (dmlc/dlpack, dlpack.h 1.1), which is frozen within
// a major version. An array appears in Python as a buffer of unsigned integers of its elements'
// width; its dtype travels beside it as a name, because the buffer protocol has none for small
// formats.
#include <array>
#include <map>
#include <memory>

#include "bindings.hpp"

namespace binade::python {
namespace {

struct DLDevice {
  std::int32_t device_type, device_id;
};
struct DLDataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  ///< in elements; null: C-contiguous
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  std::uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;
  DLTensor tensor;
};
constexpr std::uint64_t kReadOnly = 1;

/// Names of NumPy and ml_dtypes, by DLPack's type code; {} stands for the bits.
constexpr std::array<const char*, 18> kTypeNames = {"int{}",          "uint{}",
                                                    "float{}",        "handle{}",
                                                    "bfloat{}",       "complex{}",
                                                    "bool",           "float8_e3m4",
                                                    "float8_e4m3",    "float8_e4m3b11fnuz",
                                                    "float8_e4m3fn",  "float8_e4m3fnuz",
                                                    "float8_e5m2",    "float8_e5m2fnuz",
                                                    "float8_e8m0fnu", "float6_e2m3fn",
                                                    "float6_e3m2fn",  "float4_e2m1fn"};

std::string type_name(DLDataType type) {
  std::string name = type.code < kTypeNames.size() ? kTypeNames[type.code] : "type{}";
  if (const auto at = name.find("{}"); at != name.npos) {
    name.replace(at, 2, std::to_string(type.bits));
  }
  return name;
}

/// A tensor taken over from a capsule; gives it back to its owner at the end.
class DLPackArray {
 public:
  explicit DLPackArray(py::capsule capsule) {
    const std::string name = capsule.name() == nullptr ? "" : capsule.name();
    if (name == "dltensor_versioned") {
      take<DLManagedTensorVersioned>(capsule, "used_dltensor_versioned");
    } else if (name == "dltensor") {
      take<DLManagedTensor>(capsule, "used_dltensor");
    } else {
      throw std::invalid_argument("a capsule called '" + name +
                                  "' where DLPack has 'dltensor' or 'dltensor_versioned'");
    }
  }

  std::string type() const { return type_name(tensor_->dtype); }

  std::pair<int, int> device() const {
    return {tensor_->device.device_type, tensor_->device.device_id};
  }
  std::uintptr_t address() const {
    return reinterpret_cast<std::uintptr_t>(tensor_->data) + tensor_->byte_offset;
  }
  std::vector<std::int64_t> shape() const {
    return {tensor_->shape, tensor_->shape + tensor_->ndim};
  }
  /// In elements.
  std::vector<std::int64_t> strides() const {
    const DLTensor& t = *tensor_;
    const auto rank = static_cast<std::size_t>(t.ndim);
    if (t.strides != nullptr) return {t.strides, t.strides + rank};
    std::vector<std::int64_t> dense(rank, 1);
    for (std::size_t i = rank; i-- > 1;) dense[i - 1] = dense[i] * t.shape[i];
    return dense;
  }

  /// For the host alone: whoever asks knows where the tensor lies.
  py::buffer_info buffer() const {
    const DLTensor& t = *tensor_;
    const py::ssize_t width = t.dtype.bits / 8;
    std::vector<py::ssize_t> shape(t.shape, t.shape + t.ndim), byte_strides;
    for (const std::int64_t stride : strides()) byte_strides.push_back(stride * width);
    static const std::map<py::ssize_t, const char*> letters = {
        {1, "B"}, {2, "H"}, {4, "I"}, {8, "Q"}};
    return {static_cast<char*>(t.data) + t.byte_offset,
            width,
            letters.at(width),
            t.ndim,
            std::move(shape),
            std::move(byte_strides),
            read_only_};
  }

 private:
  template <class Managed>
  void take(py::capsule& capsule, const char* used) {
    auto* managed = capsule.get_pointer<Managed>();
    if constexpr (requires { managed->flags; }) {
      if (managed->major != 1) {
        throw std::invalid_argument("DLPack version " + std::to_string(managed->major) +
                                    ", expected 1");
      }
      read_only_ = (managed->flags & kReadOnly) != 0;
    }
    const DLDataType type = managed->tensor.dtype;
    const int bits = type.bits;
    if (type.lanes != 1 || (bits != 8 && bits != 16 && bits != 32 && bits != 64)) {
      throw std::invalid_argument("elements of " + type_name(type) + ", " + std::to_string(bits) +
                                  " bits in " + std::to_string(type.lanes) +
                                  " lanes: expected one element in 8, 16, 32 or 64 bits");
    }
    capsule.set_name(used);  // from here on the capsule leaves the tensor alone
    tensor_ = std::shared_ptr<const DLTensor>(&managed->tensor, [managed](const DLTensor*) {
      if (managed->deleter != nullptr) managed->deleter(managed);
    });
  }

  std::shared_ptr<const DLTensor> tensor_;
  bool read_only_ = false;
};

}  // namespace

void bind_dlpack(py::module_& m) {
  py::class_<DLPackArray>(
      m, "DLPackArray", py::buffer_protocol(),
      "A tensor taken over from a DLPack capsule; a buffer where the host can read it.")
      .def(py::init<py::capsule>(), py::arg("capsule"))
      .def_property_readonly("type", &DLPackArray::type)
      .def_property_readonly("device", &DLPackArray::device)
      .def_property_readonly("address", &DLPackArray::address)
      .def_property_readonly("shape", &DLPackArray::shape)
      .def_property_readonly("strides", &DLPackArray::strides)
      .def_buffer(&DLPackArray::buffer);
}

}  // namespace binade::python
