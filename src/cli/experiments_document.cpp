#include "cli/experiments_document.hpp"

#include <algorithm>

#include "binade/experiments/experiment.hpp"
#include "cli/terminal.hpp"

namespace binade::cli {
namespace {

using experiments::Experiment;
using experiments::Finding;

constexpr const char* kHead =
    "# Experiments\n\n"
    "Each asks one question; `binade run NAME --help` lists its parameters, and any of them can be "
    "swept: `--sweep seed=1..15`.\n"
    "Made by `binade list experiments --markdown`. A test measures every figure under *here* "
    "again, "
    "with the flags beside it.\n"
    "*(calculated)*: nobody published the figure; a program that shares no code with this one gave "
    "it, on another draw of the same distribution.\n";

std::string flags_of(const Finding& finding) {
  std::string text;
  for (const auto& [name, value] : finding.arguments) {
    std::string flag = name;
    std::ranges::replace(flag, '_', '-');
    text += (text.empty() ? "--" : " --") + flag + " " + value;
  }
  return text.empty() ? "" : "`" + text + "`";
}

std::string section(const Experiment& e) {
  std::string text = "\n## " + e.name + "\n\n**" + e.question + "**\n\nSource: " + e.source +
                     ".\n\n```sh\nbinade run " + e.name + " --out out --plot\n```\n";
  if (e.needs_device) text += "\nIt runs on a GPU.\n";
  if (e.keeps_figure) text += "\n![" + e.question + "](results/" + e.name + ".png)\n";
  if (e.findings.empty()) {
    return text + (e.measures_time ? "\nRates are those of a machine.\n"
                                   : "\nNo figure was published to stand beside.\n");
  }
  TextTable table({"what", "published", "here", "verdict", "flags"});
  for (const Finding& f : e.findings) {
    table.row({f.what, f.published, f.ours, f.verdict, flags_of(f)});
  }
  return text + "\n" + table.markdown();
}

}  // namespace

std::string experiments_document() {
  std::string text = kHead;
  for (const Experiment& e : experiments::registry()) text += section(e);
  return text;
}

}  // namespace binade::cli
