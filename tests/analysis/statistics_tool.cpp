// Reads questions from stdin, a line each, and prints the answers, so that they can be held against SciPy:
//
//   tail HITS DRAWS MARKED ALL     hypergeometric_tail
//   share HITS OF                  share_interval
//   mean ACTIVE SUM SUM_OF_SQUARES mean_interval
//   fdr P…                         benjamini_hochberg
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "integrations/analysis/confidence.h"
#include "integrations/analysis/token_enrichment.h"

namespace {

void print(const std::vector<double>& values) {
  for (const double value : values) std::printf("%.17g ", value);
  std::printf("\n");
}

void print(const std::optional<saetap::Interval>& interval) {
  print(interval ? std::vector{interval->low, interval->high} : std::vector<double>());
}

void answer(std::istream& question) {
  std::string kind;
  question >> kind;
  if (kind == "fdr") {
    std::vector<double> p;
    for (double one = 0; question >> one;) p.push_back(one);
    return print(saetap::benjamini_hochberg(p));
  }
  std::uint64_t a = 0, b = 0, c = 0, d = 0;
  if (kind == "mean") {
    saetap::FeatureStatistics statistics;
    question >> statistics.active >> statistics.sum >> statistics.sum_of_squares;
    return print(saetap::mean_interval(statistics));
  }
  question >> a >> b;
  if (kind == "share") return print(saetap::share_interval(a, b));
  question >> c >> d;
  print(std::vector{saetap::hypergeometric_tail(a, b, c, d)});
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream question(line);
    answer(question);
  }
}
