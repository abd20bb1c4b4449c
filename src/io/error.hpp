// The one exception of files and data.
#pragma once

#include <stdexcept>

namespace binade::io {

/// Data that cannot be processed: what was found and what was expected, on one line.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace binade::io
