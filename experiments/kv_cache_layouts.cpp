// What a token's cache entry may lose before attention notices, by the layout it is stored in.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "attention.hpp"
#include "binade/emulation/kv_cache.hpp"
#include "binade/emulation/metrics.hpp"
#include "binade/formats/catalog.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

constexpr std::size_t kBlock = 64;  // tokens of a page, as FlashMLA takes them

/// An entry of `latent` + `rope` elements and how it goes into the cache and out again.
struct Cache {
  std::string name;
  std::size_t latent = 512, rope = 64;
  double entry_bytes = 0;
  const KvLayout* layout = nullptr;  ///< null: BF16 or E4M3 without scales, by name
  std::size_t width() const { return latent + rope; }
};

Cache find_cache(const std::string& name) {
  if (name == "bf16") return {name, 512, 64, 2 * 576, nullptr};
  if (name == "e4m3") return {name, 512, 64, 576, nullptr};
  const KvLayout& layout = find_kv_layout(name);
  return {name, layout.latent, layout.rope, static_cast<double>(layout.entry_bytes()), &layout};
}

/// Tokens whose latents have the root mean square 1, as a normalisation leaves them, and whose
/// rotary parts are N(0, 1).
std::vector<float> unit_entries(std::size_t tokens, std::size_t latent, std::size_t rope,
                                const Arguments& arguments) {
  const std::size_t width = latent + rope;
  std::vector<float> x =
      sample("normal", tokens * width, seed_argument(arguments), latent, arguments.threads);
  for (std::size_t t = 0; t < tokens; ++t) {
    const std::span<float> row = std::span(x).subspan(t * width, latent);
    double sum = 0;
    for (const float v : row) sum += static_cast<double>(v) * v;
    const double factor = 1 / std::sqrt(sum / static_cast<double>(latent));
    for (float& v : row) v = static_cast<float>(factor * v);
  }
  return x;
}

/// What the cache gives back for entries of BF16 codes.
std::vector<std::uint16_t> through(const Cache& cache, const std::vector<std::uint16_t>& entries,
                                   int threads) {
  std::vector<std::uint16_t> read(entries.size());
  if (cache.layout != nullptr) {
    const std::size_t size = kBlock * cache.width();
    const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
    for (std::size_t first = 0; first < entries.size(); first += size) {
      const std::size_t count = std::min(size, entries.size() - first);
      std::vector<std::uint8_t> block(cache.layout->block_bytes(count / cache.width()));
      pack_kv_block(*cache.layout, std::span(entries).subspan(first, count), block, 1);
      unpack_kv_block(*cache.layout, block, std::span(read).subspan(first, count), 1);
    }
  } else if (cache.name == "e4m3") {
    std::vector<std::uint8_t> codes(entries.size());
    cast(Bf16::format, entries.data(), E4M3::format, codes.data(), codes.size());
    cast(E4M3::format, codes.data(), Bf16::format, read.data(), read.size());
  } else {
    read = entries;
  }
  return read;
}

struct EntryError {
  double latent_rel_rms = 0, latent_zeroed = 0, rope_changed = 0;
};

EntryError entry_error(const Cache& cache, std::span<const std::uint16_t> stored,
                       std::span<const std::uint16_t> read) {
  double signal = 0, noise = 0;
  std::size_t zeroed = 0, changed = 0;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (i % cache.width() >= cache.latent) {
      changed += stored[i] != read[i];
      continue;
    }
    const double x = bf16_value(stored[i]), e = bf16_value(read[i]) - x;
    signal += x * x;
    noise += e * e;
    zeroed += x != 0 && (read[i] & 0x7fff) == 0;
  }
  const std::size_t tokens = stored.size() / cache.width();
  const auto share = [&](std::size_t count, std::size_t of) {
    return static_cast<double>(count) / static_cast<double>(tokens * of);
  };
  return {std::sqrt(noise / signal), share(zeroed, cache.latent), share(changed, cache.rope)};
}

/// One kind of entry at its unit size, the queries that meet it and what they get without rounding.
struct Problem {
  std::vector<float> entries, queries;
  std::vector<std::vector<double>> exact;  ///< a length each
};

Problem make_problem(const Cache& cache, const std::vector<std::size_t>& lengths,
                     const Arguments& arguments) {
  Problem p;
  p.entries = unit_entries(lengths.back(), cache.latent, cache.rope, arguments);
  p.queries = sample("normal", size_argument(arguments, "queries") * cache.width(),
                     seed_argument(arguments), 1, arguments.threads);
  const double factor = arguments.number("spread") / std::sqrt(static_cast<double>(cache.width()));
  for (float& v : p.queries) v = static_cast<float>(factor * v);
  p.exact = latent_attention(p.queries, p.entries, cache.width(), cache.latent, lengths,
                             arguments.threads);
  return p;
}

void add_rows(Table& table, const Cache& cache, const Problem& p, double rms,
              const std::vector<std::size_t>& lengths, const Arguments& arguments) {
  // Latents of size rms, in BF16; attention reads them at the size that the query was made for.
  std::vector<float> values = p.entries;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % cache.width() < cache.latent) values[i] = static_cast<float>(rms * values[i]);
  }
  std::vector<std::uint16_t> stored(values.size());
  cast(kFp32Format, values.data(), Bf16::format, stored.data(), stored.size(), kIeeeRules);
  const std::vector<std::uint16_t> read = through(cache, stored, arguments.threads);
  const EntryError e = entry_error(cache, stored, read);
  decode(Bf16::format, read.data(), values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % cache.width() < cache.latent) values[i] = static_cast<float>(values[i] / rms);
  }
  const auto got =
      latent_attention(p.queries, values, cache.width(), cache.latent, lengths, arguments.threads);
  const double of_bf16 = cache.entry_bytes / (2.0 * static_cast<double>(cache.width()));
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const ErrorMetrics m = error_metrics(std::span<const double>(got[i]), p.exact[i]);
    table.rows.push_back({cache.name, static_cast<std::int64_t>(cache.entry_bytes), of_bf16, rms,
                          count_cell(lengths[i]), e.latent_rel_rms, e.latent_zeroed, e.rope_changed,
                          m.fro_rel});
  }
}

Table run(const Arguments& arguments) {
  std::vector<std::size_t> lengths;
  for (const std::int64_t length : arguments.integer_list("length")) {
    lengths.push_back(checked_size("length", length));
  }
  std::ranges::sort(lengths);
  const auto sizes = arguments.number_list("rms");
  for (const double rms : sizes) {
    if (!(rms >= 1e-30 && rms <= 1e30)) {
      throw std::invalid_argument("parameter rms: expected numbers from 1e-30 to 1e30");
    }
  }
  const auto names = arguments.text_list("layouts");
  Table table;
  Progress progress{arguments, names.size() * sizes.size()};
  for (const std::string& name : names) {
    const Cache cache = find_cache(name);
    const Problem p = make_problem(cache, lengths, arguments);
    for (const double rms : sizes) {
      add_rows(table, cache, p, rms, lengths, arguments);
      progress.step();
    }
  }
  return table;
}

}  // namespace

Experiment kv_cache_layouts() {
  Experiment e;
  e.name = "kv_cache_layouts";
  e.question = "What does attention lose to an FP8 key-value cache?";
  e.source =
      "FlashMLA, tests/quant.py: entries of 656 bytes (V3.2) and 584 bytes (V4), BF16 has 1152; "
      "vLLM blog 2026-04-22: without scales 94 to 98 % of the long-context score remains";
  e.parameters = {
      {"layouts",
       "bf16,e4m3,flashmla,flashmla-v4",
       "",
       "bf16; e4m3: all of it in E4M3 without a scale; or those of FlashMLA",
       {"bf16", "e4m3", "flashmla", "flashmla-v4"}},
      {"rms",
       "1e-7,1e-6,1e-5,1e-4,1e-3,0.01,0.1,1,10,100,1000",
       "0.01,1",
       "root mean square of the latents",
       {}},
      {"length", "512,2048,8192", "64,128", "tokens of context", {}},
      {"queries", "4", "2", "heads that attend", {}},
      {"spread", "1", "", "standard deviation of the scores", {}},
      seed_parameter(),
  };
  e.columns = {
      {"layout", "", "of a token's entry"},
      {"entry_bytes", "B", "of one token in one layer"},
      {"of_bf16", "", "the same over BF16's"},
      {"rms", "", "root mean square of the latents"},
      {"length", "", "tokens of context"},
      {"latent_rel_rms", "", "root mean square error of the latents over their own, all tokens"},
      {"latent_zeroed", "", "share of the latents' elements that became zero"},
      {"rope_changed", "", "share of the rotary elements that differ in any bit"},
      {"output_fro_rel", "", "Frobenius norm of the error of attention's output over its own"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"bytes of an entry, FlashMLA (V3.2)",
       "656",
       "656",
       "reproduced",
       "entry_bytes",
       {{"rms", "1"}, {"length", "8192"}, {"queries", "1"}, {"layouts", "flashmla"}},
       {},
       {}},
      {"bytes of an entry, FlashMLA (V4)",
       "584",
       "584",
       "reproduced",
       "entry_bytes",
       {{"rms", "1"}, {"length", "8192"}, {"queries", "1"}, {"layouts", "flashmla-v4"}},
       {},
       {}},
      {"error of latents of size 1 under FlashMLA's scales",
       "2.654 % (calculated)",
       "2.66 %",
       "reproduced",
       "latent_rel_rms",
       {{"rms", "1"}, {"length", "8192"}, {"queries", "1"}, {"layouts", "flashmla"}},
       {},
       {}},
      {"the same without scales, as vLLM's default has it",
       "2.654 % (calculated)",
       "2.66 %",
       "reproduced: latents of size 1 need no scale",
       "latent_rel_rms",
       {{"rms", "1"}, {"length", "8192"}, {"queries", "1"}, {"layouts", "e4m3"}},
       {},
       {}},
      {"elements of the rotary part that FlashMLA changes",
       "none",
       "0",
       "reproduced",
       "rope_changed",
       {{"rms", "1"}, {"length", "8192"}, {"queries", "1"}, {"layouts", "flashmla"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
