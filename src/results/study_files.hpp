// Which tensors of which files are the layers of a study, and their activations.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "binade/experiments/study.hpp"
#include "results/row_source.hpp"

namespace binade::results {

struct StudyLayer {
  std::string name;
  RowSource weights;
  std::optional<RowSource> activations;
};

struct StudyInput {
  std::vector<StudyLayer> layers;  ///< in the order of the file
  std::vector<std::string> notes;  ///< what was left out
};

/// The layers of a file: the matrices whose names end in "weight" or, where none does, all
/// matrices; with patterns (as a shell's: * and ?), the tensors whose names match one.
///
/// Activations of a layer X.weight are the tensor X.input, X or X.weight of their file; those of a
/// file of one layer may be a file of one tensor. Leading dimensions count as tokens.
/// Nothing but headers is read: whatever is wrong is found before the work begins.
/// Errors: io::DataError for files that are none, no layers, a pattern without a match, a layer
/// that is no matrix of floating-point numbers, one without activations, and other lengths K.
StudyInput study_input(const std::string& path, const std::string& activations_path,
                       const std::vector<std::string>& patterns);

}  // namespace binade::results
