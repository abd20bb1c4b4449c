// binade page: one HTML file about low-precision numbers, for a class.
#include "page/page.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/command.hpp"
#include "io/error.hpp"
#include "io/load.hpp"

namespace binade::cli {
namespace {

constexpr const char* kOwnTensors = "experiments/data/tiny_lm_layer.safetensors";
constexpr std::size_t kMostTensors = 48;
constexpr std::size_t kMostElements = std::size_t{1} << 28;

struct PageOptions {
  std::string out, tensors;
};

/// The file named, or the layer that comes with the source where there is a checkout.
std::string tensors_path(const PageOptions& options) {
  if (!options.tensors.empty()) return options.tensors == "none" ? "" : options.tensors;
  for (const std::filesystem::path root : {".", BINADE_SOURCE_DIR}) {
    if (std::filesystem::exists(root / kOwnTensors)) return (root / kOwnTensors).string();
  }
  return "";
}

std::vector<page::PageTensor> read_tensors(const std::string& path) {
  std::vector<page::PageTensor> tensors;
  std::size_t elements = 0;
  for (const io::StoredTensor& stored : io::open_all(path)) {
    elements += stored.count();
    if (tensors.size() == kMostTensors || elements > kMostElements) {
      throw io::DataError(path + ": more than " + std::to_string(kMostTensors) +
                          " tensors or 2^28 " + "elements; the page is for a few layers");
    }
    const io::Tensor tensor = stored.read_all();
    const FloatFormat format = io::element_format(tensor.dtype, std::nullopt, stored.where);
    tensors.push_back({stored.name.empty() ? "values" : stored.name,
                       std::string(io::info(tensor.dtype).name), tensor.shape,
                       io::to_fp32(format, tensor.data(), tensor.count())});
  }
  return tensors;
}

void write(const PageOptions& options, Session& session) {
  const std::string path = tensors_path(options);
  const std::vector<page::PageTensor> tensors =
      path.empty() ? std::vector<page::PageTensor>{} : read_tensors(path);
  const std::string html =
      page::make_page(tensors, std::filesystem::path(path).filename().string());
  io::OutputFile file(options.out);
  file.write(html);
  file.commit();
  session.out << options.out << ": " << html.size() << " bytes, " << tensors.size() << " tensors\n";
}

}  // namespace

Command page_command() {
  return {"page", "a page about low-precision numbers for a class: one HTML file, works offline",
          "binade page page.html --tensors none", [](CLI::App& app) -> Action {
            const auto options = std::make_shared<PageOptions>();
            app.add_option("OUT", options->out, "the HTML file to write")->required();
            app.add_option("--tensors", options->tensors,
                           "a .safetensors or .npy file whose magnitudes to draw, or none "
                           "(default: the layer in experiments/data, in a checkout)")
                ->type_name("FILE");
            return [options](Session& session) { write(*options, session); };
          }};
}

}  // namespace binade::cli
