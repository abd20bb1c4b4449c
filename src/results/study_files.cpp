#include "results/study_files.hpp"

#include <fnmatch.h>

#include <algorithm>

#include "io/error.hpp"
#include "io/load.hpp"

namespace binade::results {
namespace {

using io::DataError;
using io::StoredTensor;
using Tensors = std::vector<StoredTensor>;

bool is_matrix(const StoredTensor& tensor) {
  return tensor.shape.size() == 2 && tensor.count() > 0 && io::info(tensor.dtype).format;
}

std::string label(const StoredTensor& tensor) {
  return tensor.name.empty() ? tensor.where : tensor.name;
}

std::string described(const StoredTensor& tensor) {
  return tensor.where + " is " + io::shape_text(tensor.shape) + " " +
         std::string(io::info(tensor.dtype).name);
}

bool matches(const std::string& name, const std::string& pattern) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

/// What the patterns name, in the order of the file.
Tensors chosen(const Tensors& all, const std::vector<std::string>& patterns,
               const std::string& path) {
  for (const std::string& pattern : patterns) {
    const auto fits = [&](const StoredTensor& t) { return matches(label(t), pattern); };
    if (std::ranges::none_of(all, fits)) {
      throw DataError("no tensor of '" + path + "' matches '" + pattern + "'" +
                      (all.empty() ? "" : ", expected for instance " + label(all.front())));
    }
  }
  Tensors found;
  for (const StoredTensor& tensor : all) {
    const auto fits = [&](const std::string& p) { return matches(label(tensor), p); };
    if (std::ranges::none_of(patterns, fits)) continue;
    if (!is_matrix(tensor)) {
      throw DataError(described(tensor) + ", expected a matrix of floating-point numbers");
    }
    found.push_back(tensor);
  }
  return found;
}

Tensors layers_of(const Tensors& all, const std::string& path) {
  Tensors matrices, weights;
  std::ranges::copy_if(all, std::back_inserter(matrices), is_matrix);
  std::ranges::copy_if(matrices, std::back_inserter(weights),
                       [](const StoredTensor& t) { return t.name.ends_with("weight"); });
  if (matrices.empty()) {
    throw DataError("'" + path + "' holds no matrix of floating-point numbers, expected layers");
  }
  return weights.empty() ? matrices : weights;
}

const StoredTensor& activations_of(const StoredTensor& layer, const Tensors& all, bool only_one,
                                   const std::string& path) {
  if (only_one && all.size() == 1) return all.front();
  std::string stem = label(layer);
  if (stem.ends_with(".weight")) stem.resize(stem.size() - std::string(".weight").size());
  for (const std::string& name : {stem + ".input", stem, label(layer)}) {
    const auto found = std::ranges::find(all, name, &StoredTensor::name);
    if (found != all.end()) return *found;
  }
  throw DataError("layer " + label(layer) + " has no activations in '" + path +
                  "', expected a tensor " + stem + ".input, or other --layers");
}

RowSource source_of(const StoredTensor& tensor) {
  return row_source(tensor, io::element_format(tensor.dtype, std::nullopt, tensor.where));
}

RowSource checked_activations(const StoredTensor& layer, const StoredTensor& x) {
  const std::size_t k = layer.shape.back();
  if (x.shape.size() < 2 || x.count() == 0 || !io::info(x.dtype).format || x.shape.back() != k) {
    throw DataError(described(x) + ", expected activations [tokens, " + std::to_string(k) +
                    "] for " + label(layer) + " " + io::shape_text(layer.shape));
  }
  return source_of(x);
}

}  // namespace

StudyInput study_input(const std::string& path, const std::string& activations_path,
                       const std::vector<std::string>& patterns) {
  const Tensors all = io::open_all(path);
  const Tensors layers = patterns.empty() ? layers_of(all, path) : chosen(all, patterns, path);
  const Tensors inputs = activations_path.empty() ? Tensors() : io::open_all(activations_path);
  StudyInput input;
  for (const StoredTensor& layer : layers) {
    StudyLayer& added = input.layers.emplace_back();
    added.name = label(layer);
    added.weights = source_of(layer);
    if (activations_path.empty()) continue;
    added.activations = checked_activations(
        layer, activations_of(layer, inputs, layers.size() == 1, activations_path));
  }
  if (const std::size_t others = all.size() - layers.size(); others > 0) {
    input.notes.push_back(std::to_string(others) + " of " + std::to_string(all.size()) +
                          " tensors are no layers of this study");
  }
  return input;
}

}  // namespace binade::results
