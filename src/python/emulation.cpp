#include "binade/emulation/block_scale.hpp"
#include "binade/emulation/dot_model.hpp"
#include "binade/emulation/gemm.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/emulation/metrics.hpp"
#include "binade/emulation/profiles.hpp"
#include "bindings.hpp"

namespace binade::python {
namespace {

py::dict metrics_dict(const ErrorMetrics& m) {
  py::dict d;
  d["fro_rel"] = m.fro_rel;
  d["max_over_mean"] = m.max_over_mean;
  d["max_over_max"] = m.max_over_max;
  d["max_rel_large"] = m.max_rel_large;
  d["sqnr_db"] = m.sqnr_db;
  d["calc_diff"] = m.calc_diff;
  d["cosine"] = m.cosine;
  d["bias"] = m.bias;
  d["mismatch_rate"] = m.mismatch_rate;
  return d;
}

/// One operand as the Python side passes it: codes, rows, format and perhaps scales with a shape.
GemmOperand operand(const Bytes& codes, FloatFormat format, std::size_t rows, std::size_t k,
                    const Bytes* scales, std::size_t scale_rows, std::size_t scale_cols,
                    const char* name) {
  codes.expect(name, rows * k, format.container_bits());
  GemmOperand o;
  o.format = format;
  o.codes = codes.data();
  o.rows = rows;
  if (scales != nullptr) {
    scales->expect("scales", scale_rows * scale_cols, 32);
    o.scales = {scales->as<const float>(), scale_rows * scale_cols};
    o.scale_rows = scale_rows;
    o.scale_cols = scale_cols;
  }
  return o;
}

std::optional<Bytes> optional_bytes(const std::optional<py::buffer>& buffer) {
  if (!buffer) return std::nullopt;
  return Bytes(*buffer);
}

void bind_scaling(py::module_& m) {
  m.def("recipe_names", [] {
    std::vector<std::string> names;
    for (const ScaleRecipe& recipe : scale_recipes()) names.push_back(recipe.name);
    return names;
  });
  m.def("recipe_facts", [](const std::string& name) {
    const ScaleRecipe& recipe = find_scale_recipe(name);
    std::vector<std::string> types;
    for (const ScaleType type : recipe.scale_types) types.emplace_back(name_of(type));
    return py::make_tuple(recipe.source, recipe.default_granularity, types);
  });
  py::class_<Quantized>(m, "Quantized")
      .def_readonly("element", &Quantized::element)
      .def_readonly("scale_format", &Quantized::scale_format)
      .def_readonly("rows", &Quantized::rows)
      .def_readonly("cols", &Quantized::cols)
      .def_readonly("scale_rows", &Quantized::scale_rows)
      .def_readonly("scale_cols", &Quantized::scale_cols)
      .def_readonly("tensor_scale", &Quantized::tensor_scale)
      .def_property_readonly("granularity",
                             [](const Quantized& q) { return granularity_name(q.granularity); })
      .def_property_readonly("codes",
                             [](const Quantized& q) {
                               return py::bytearray(reinterpret_cast<const char*>(q.codes.data()),
                                                    q.codes.size());
                             })
      .def_property_readonly("scales",
                             [](const Quantized& q) {
                               return py::bytearray(reinterpret_cast<const char*>(q.scales.data()),
                                                    q.scales.size() * sizeof(float));
                             })
      .def_property_readonly("scale_codes", [](const Quantized& q) {
        return py::bytearray(reinterpret_cast<const char*>(q.scale_codes.data()),
                             q.scale_codes.size());
      })
      .def("dequantize", [](const Quantized& q, const py::buffer& target, int threads) {
        const Bytes out(target, true);
        out.expect("target", q.rows * q.cols, 32);
        const py::gil_scoped_release unlocked;
        dequantize(q, {out.as<float>(), q.rows * q.cols}, threads);
      }, py::arg("target"), py::arg("threads"));
  m.def("quantize", [](const py::buffer& x, std::size_t rows, std::size_t cols,
                       const std::string& recipe, const std::string& granularity,
                       const std::string& scale_type, const FloatFormat& element, int threads) {
    const Bytes in(x);
    in.expect("x", rows * cols, 32);
    const ScaleRecipe& record = find_scale_recipe(recipe);
    const Granularity blocks = parse_granularity(granularity);
    const ScaleType type = parse_scale_type(scale_type);
    const py::gil_scoped_release unlocked;
    return quantize({in.as<const float>(), rows * cols}, rows, cols, record, blocks, type, element,
                    threads);
  }, py::arg("x"), py::arg("rows"), py::arg("cols"), py::arg("recipe"), py::arg("granularity"),
     py::arg("scale_type"), py::arg("element"), py::arg("threads"));
}

void bind_instructions(py::module_& m) {
  py::class_<Instruction>(m, "Instruction", "A matrix instruction and the model of its arithmetic.")
      .def_static("find", [](const std::string& name) { return find_instruction(name); },
                  py::arg("name"))
      .def_static("from_json", [](const std::string& json) { return instruction_from_json(json); },
                  py::arg("json"))
      .def("to_json", [](const Instruction& i) { return instruction_to_json(i); })
      .def_readonly("name", &Instruction::name)
      .def_readonly("a", &Instruction::a)
      .def_readonly("b", &Instruction::b)
      .def_readonly("c", &Instruction::c)
      .def_readonly("k", &Instruction::k)
      .def_readonly("verified", &Instruction::verified)
      .def_readonly("source", &Instruction::source);
  m.def("instruction_names", [] {
    std::vector<std::string> names;
    for (const Instruction& i : instructions()) names.push_back(i.name);
    return names;
  });
  m.def("dot", [](const Instruction& instruction, const py::buffer& a, const py::buffer& b,
                  const py::buffer& c, const py::buffer& d, std::size_t rows, std::size_t k,
                  int threads) {
    const Bytes in_a(a), in_b(b), in_c(c), out(d, true);
    in_a.expect("a", rows * k, instruction.a.container_bits());
    in_b.expect("b", rows * k, instruction.b.container_bits());
    in_c.expect("c", rows, instruction.c.container_bits());
    out.expect("d", rows, instruction.c.container_bits());
    const py::gil_scoped_release unlocked;
    dot(instruction, in_a.data(), in_b.data(), in_c.data(), out.data(), rows, k, threads);
  }, py::arg("instruction"), py::arg("a"), py::arg("b"), py::arg("c"), py::arg("d"),
     py::arg("rows"), py::arg("k"), py::arg("threads"));

  py::class_<DotTerm>(m, "DotTerm", "One term of a step as the matrix unit sees it.")
      .def_readonly("k", &DotTerm::k)
      .def_readonly("negative", &DotTerm::negative)
      .def_readonly("significand", &DotTerm::significand)
      .def_readonly("fraction_bits", &DotTerm::fraction_bits)
      .def_readonly("exponent", &DotTerm::exponent)
      .def_readonly("aligned", &DotTerm::aligned)
      .def_readonly("takes_part", &DotTerm::takes_part)
      .def_readonly("lost_bits", &DotTerm::lost_bits);
  py::class_<DotStep>(m, "DotStep", "One fused step: aligned terms, their sum, the result.")
      .def_readonly("max_exponent", &DotStep::max_exponent)
      .def_readonly("terms", &DotStep::terms)
      .def_readonly("sum", &DotStep::sum)
      .def_readonly("result", &DotStep::result);
  m.def("trace_dot", [](const Instruction& instruction, const py::buffer& a, const py::buffer& b,
                        const py::buffer& c, std::size_t k) {
    const Bytes in_a(a), in_b(b), in_c(c);
    in_a.expect("a", k, instruction.a.container_bits());
    in_b.expect("b", k, instruction.b.container_bits());
    in_c.expect("c", 1, instruction.c.container_bits());
    const DotTrace trace = trace_dot(instruction, in_a.data(), in_b.data(), in_c.data(), k);
    return py::make_tuple(trace.steps, trace.result);
  }, py::arg("instruction"), py::arg("a"), py::arg("b"), py::arg("c"), py::arg("k"));
}

void bind_gemm(py::module_& m) {
  m.def("profile_names", [] {
    std::vector<std::string> names;
    for (const GemmProfile& profile : gemm_profiles()) names.push_back(profile.name);
    return names;
  });
  m.def("profile_facts", [](const std::string& name) {
    const GemmProfile& p = find_gemm_profile(name);
    return py::make_tuple(p.source, p.promotion_interval, p.verified);
  });
  m.def("gemm", [](const std::string& profile, const FloatFormat& format_a, const py::buffer& a,
                   std::size_t rows_a, const std::optional<py::buffer>& scales_a,
                   std::size_t scale_rows_a, std::size_t scale_cols_a, const FloatFormat& format_b,
                   const py::buffer& b, std::size_t rows_b,
                   const std::optional<py::buffer>& scales_b, std::size_t scale_rows_b,
                   std::size_t scale_cols_b, std::size_t k, const FloatFormat& output,
                   const py::buffer& d, std::optional<int> promotion_interval,
                   const Instruction* instruction, int threads) {
    const Bytes codes_a(a), codes_b(b), out(d, true);
    const auto sa = optional_bytes(scales_a), sb = optional_bytes(scales_b);
    out.expect("d", rows_a * rows_b, output.container_bits());
    const GemmOperand left = operand(codes_a, format_a, rows_a, k, sa ? &*sa : nullptr,
                                     scale_rows_a, scale_cols_a, "a");
    const GemmOperand right = operand(codes_b, format_b, rows_b, k, sb ? &*sb : nullptr,
                                      scale_rows_b, scale_cols_b, "b");
    const GemmProfile& record = find_gemm_profile(profile);
    GemmOptions options;
    options.promotion_interval = promotion_interval;
    options.instruction = instruction;
    options.threads = threads;
    const py::gil_scoped_release unlocked;
    gemm(record, left, right, k, output, out.data(), options);
  });
  m.def("error_metrics", [](const py::buffer& computed, const py::buffer& reference,
                            std::size_t count) {
    const Bytes x(computed), y(reference);
    x.expect("computed", count, 64);
    y.expect("reference", count, 64);
    return metrics_dict(error_metrics(std::span(x.as<const double>(), count),
                                      std::span(y.as<const double>(), count)));
  }, py::arg("computed"), py::arg("reference"), py::arg("count"));
  m.def("split_error", [](const py::buffer& a, const py::buffer& b, std::size_t rows_a,
                          std::size_t rows_b, std::size_t k, const std::string& recipe,
                          const std::string& scale_type, const std::string& profile,
                          const FloatFormat& element, const FloatFormat& output, int threads) {
    const Bytes x(a), y(b);
    x.expect("a", rows_a * k, 32);
    y.expect("b", rows_b * k, 32);
    GemmOptions options;
    options.threads = threads;
    const ErrorSplit split = split_error(
        {x.as<const float>(), rows_a * k}, {y.as<const float>(), rows_b * k}, rows_a, rows_b, k,
        find_scale_recipe(recipe), parse_scale_type(scale_type), find_gemm_profile(profile),
        element, output, options);
    py::list parts;
    for (const auto& part : split.parts) {
      parts.append(py::make_tuple(part.cause, part.fro_rel, part.bias));
    }
    return py::make_tuple(parts, split.total_fro_rel);
  });
}

}  // namespace

void bind_emulation(py::module_& m) {
  bind_scaling(m);
  bind_instructions(m);
  bind_gemm(m);
}

}  // namespace binade::python
