#include "cli/shared_function.hpp"

#include <dlfcn.h>

#include <exception>
#include <filesystem>
#include <utility>

#include "io/error.hpp"

namespace binade::cli {
namespace {

std::string last_error() {
  const char* text = dlerror();
  return text != nullptr ? text : "unknown reason";
}

void* find_symbol(const std::string& path, const std::string& symbol) {
  std::error_code error;
  // A bare name would be looked for in the system's folders alone.
  const std::string file =
      std::filesystem::exists(path, error) ? std::filesystem::absolute(path, error).string() : path;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw io::DataError("cannot load '" + path + "': " + last_error());
  void* found = dlsym(library, symbol.c_str());
  if (found == nullptr) throw io::DataError("'" + path + "' has no symbol '" + symbol + "'");
  return found;
}

/// Calls a function that is no friend.
template <class Function, class... Arguments>
void call(const std::string& symbol, Function function, Arguments... arguments) {
  try {
    function(arguments...);
  } catch (const std::exception& error) {
    throw io::DataError("'" + symbol + "' threw: " + error.what());
  } catch (...) {
    throw io::DataError("'" + symbol + "' threw something that is no exception");
  }
}

}  // namespace

DotFunction load_shared_dot(const std::string& path, const std::string& symbol) {
  const auto function = reinterpret_cast<SharedDot>(find_symbol(path, symbol));
  return [symbol, function](const void* a, const void* b, const void* c, void* d, std::size_t rows,
                            std::size_t k) {
    call(symbol, function, a, b, c, d, static_cast<std::int64_t>(rows),
         static_cast<std::int64_t>(k));
  };
}

GemmFunction load_shared_gemm(const std::string& path, const std::string& symbol) {
  const auto function = reinterpret_cast<SharedGemm>(find_symbol(path, symbol));
  return [symbol, function](const void* a, const void* b, const void* c, void* d, std::size_t m,
                            std::size_t n, std::size_t k) {
    call(symbol, function, a, b, c, d, static_cast<std::int64_t>(m), static_cast<std::int64_t>(n),
         static_cast<std::int64_t>(k));
  };
}

}  // namespace binade::cli
