// Where the indexer of sparse attention, which looks at every token, costs more than the attention
// that it thins out.
#include <algorithm>

#include "binade/experiments/sizing.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

Table run(const Arguments& arguments) {
  const sizing::ModelDimensions model = sizing::shipped_model(arguments.text("model"));
  Table table;
  const auto lengths = arguments.integer_list("length");
  Progress progress{arguments, lengths.size()};
  for (const std::int64_t length : lengths) {
    checked_size("length", length);
    const sizing::AttentionBill bill = sizing::attention_bill(model, length);
    const double sparse = bill.core + bill.index;
    table.rows.push_back({model.name, length, bill.dense, bill.core, bill.index, sparse,
                          bill.dense / sparse, bill.index / sparse,
                          sizing::indexer_crossover(model)});
    progress.step();
  }
  return table;
}

}  // namespace

Experiment sparse_attention_cost() {
  Experiment e;
  e.name = "sparse_attention_cost";
  e.question = "From which context on does the indexer cost more than the attention it saves?";
  e.source =
      "DeepSeek-V3.2-Exp report: core attention falls from O(L^2) to O(L k), the indexer remains "
      "O(L^2) with fewer and narrower heads, in FP8";
  e.parameters = {
      {"model", "deepseek-v3.2", "", "a shipped model that has an indexer", {}},
      {"length",
       "512,1024,2048,4096,8192,16384,32768,65536,131072,262144,524288,1048576",
       "1024,65536",
       "tokens of context",
       {}},
  };
  e.columns = {
      {"model", "", "whose dimensions these are"},
      {"length", "", "tokens of context"},
      {"dense_macs", "MAC", "multiply-accumulates of one query in one layer, every token attended"},
      {"core_macs", "MAC", "of attention over the tokens selected"},
      {"index_macs", "MAC", "of the indexer over every token"},
      {"sparse_macs", "MAC", "of the two together"},
      {"saving", "", "dense over sparse"},
      {"index_share", "", "of the indexer in sparse"},
      {"crossover", "", "tokens of context at which indexer and selected tokens cost the same"},
  };
  e.keeps_figure = true;
  e.findings = {
      {"dense over sparse at 32 768 tokens",
       "8.2 (calculated)",
       "8.2",
       "reproduced",
       "saving",
       {{"length", "32768"}},
       {},
       {}},
      {"dense over sparse at 131 072 tokens",
       "13.4 (calculated)",
       "13.4",
       "reproduced",
       "saving",
       {{"length", "131072"}},
       {},
       {}},
      {"tokens at which the indexer costs what it saves on",
       "34816 (calculated)",
       "34816",
       "reproduced",
       "crossover",
       {{"length", "34816"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
