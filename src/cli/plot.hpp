// Drawing a CSV with the plot script of its experiment.
#pragma once

#include <string>
#include <vector>

namespace binade::cli {

/// The experiment that wrote a CSV, by its file name or else by the command in its first line.
/// Errors: io::DataError.
std::string experiment_of(const std::string& csv_path);

/// Runs experiments/plots/<experiment>.py and returns the paths of the PNG and SVG it wrote.
/// The Python is $VIRTUAL_ENV's, else the checkout's .venv, else python3.
/// Errors: io::DataError with the last line that the script said.
std::vector<std::string> plot_csv(const std::string& csv_path, const std::string& experiment);

}  // namespace binade::cli
