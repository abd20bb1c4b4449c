#include "cli/result.hpp"

#include "io/error.hpp"

namespace binade::cli {

OutputDirectory::OutputDirectory(const std::string& path) {
  std::error_code error;
  for (std::filesystem::path p = path; !p.empty() && !std::filesystem::exists(p, error);
       p = p.parent_path()) {
    made_.push_back(p);
  }
  std::filesystem::create_directories(path, error);
  if (!std::filesystem::is_directory(path)) {
    throw io::DataError("cannot make the directory '" + path +
                        "': " + (error ? error.message() : "it is a file"));
  }
}

OutputDirectory::~OutputDirectory() {
  std::error_code not_empty;
  for (const auto& path : made_) std::filesystem::remove(path, not_empty);
}

}  // namespace binade::cli
