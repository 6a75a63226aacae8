#include <doctest/doctest.h>

#include <vector>

#include "plugin/collect/feature_table.h"

using namespace saetap;
using Kept = FeatureTable::Kept;

TEST_CASE("a feature keeps the k highest activations, ties by sequence and position") {
  FeatureTable table(2, 3, 0.5f);
  Sample dropped;
  CHECK(table.offer(1, {7, 2.0f, 1, 0}, &dropped) == Kept::added);
  CHECK(table.offer(1, {5, 2.0f, 9, 0}, &dropped) == Kept::added);
  CHECK(table.bars()[1] == 0.5f);
  CHECK(table.offer(1, {5, 1.0f, 3, 0}, &dropped) == Kept::added);
  CHECK(table.bars()[1] == 1.0f);
  CHECK(table.bars()[0] == 0.5f);
  // As strong as the weakest: the lower place stays or enters.
  CHECK(table.offer(1, {5, 1.0f, 4, 0}, &dropped) == Kept::no);
  CHECK(table.offer(1, {5, 1.0f, 2, 0}, &dropped) == Kept::replaced_weaker);
  CHECK(dropped == Sample{5, 1.0f, 3, 0});
  CHECK(table.offer(1, {9, 3.0f, 0, 0}, &dropped) == Kept::replaced_weaker);
  CHECK(dropped == Sample{5, 1.0f, 2, 0});
  CHECK(table.bars()[1] == 2.0f);
  CHECK(table.strongest(1) == std::vector<Sample>{{9, 3.0f, 0, 0}, {5, 2.0f, 9, 0}, {7, 2.0f, 1, 0}});
  CHECK(table.strongest(0).empty());
}

TEST_CASE("a place counts once, with its largest activation and at equal ones its latest step") {
  FeatureTable table(1, 2, 0.0f);
  Sample dropped;
  CHECK(table.offer(0, {1, 2.0f, 0, 10}, &dropped) == Kept::added);
  CHECK(table.offer(0, {1, 3.0f, 0, 20}, &dropped) == Kept::replaced_same_place);
  CHECK(table.offer(0, {1, 2.5f, 0, 30}, &dropped) == Kept::no);
  CHECK(table.offer(0, {1, 3.0f, 0, 40}, &dropped) == Kept::replaced_same_place);
  CHECK(table.offer(0, {1, 3.0f, 0, 35}, &dropped) == Kept::no);
  CHECK(table.strongest(0) == std::vector<Sample>{{1, 3.0f, 0, 40}});
  CHECK(table.bars()[0] == 0.0f);
  // Also where it is the weakest of a full feature, whose bar then rises with it.
  CHECK(table.offer(0, {2, 1.0f, 0, 41}, &dropped) == Kept::added);
  CHECK(table.offer(0, {2, 1.0f, 0, 42}, &dropped) == Kept::replaced_same_place);
  CHECK(table.offer(0, {2, 5.0f, 0, 43}, &dropped) == Kept::replaced_same_place);
  CHECK(table.strongest(0) == std::vector<Sample>{{2, 5.0f, 0, 43}, {1, 3.0f, 0, 40}});
  CHECK(table.bars()[0] == 3.0f);
}

TEST_CASE("a cleared table is as new") {
  FeatureTable table(1, 1, 0.25f);
  Sample dropped;
  table.offer(0, {1, 2.0f, 0, 0}, &dropped);
  table.clear();
  CHECK(table.size(0) == 0);
  CHECK(table.bars()[0] == 0.25f);
  CHECK(table.offer(0, {1, 1.0f, 0, 0}, &dropped) == Kept::added);
}

TEST_CASE("merging keeps the strongest of all lists, each place once") {
  const std::vector<std::vector<Sample>> lists{
      {{1, 5.0f, 0, 1}, {2, 3.0f, 0, 1}}, {}, {{3, 4.0f, 0, 2}, {1, 2.0f, 0, 9}}, {{2, 3.0f, 0, 7}}};
  CHECK(merge_strongest(lists, 9) == std::vector<Sample>{{1, 5.0f, 0, 1}, {3, 4.0f, 0, 2}, {2, 3.0f, 0, 7}});
  CHECK(merge_strongest(lists, 2) == std::vector<Sample>{{1, 5.0f, 0, 1}, {3, 4.0f, 0, 2}});
  CHECK(merge_strongest({}, 2).empty());
}
