// What is kept so far, for who asks while the run goes on.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <iterator>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "plugin/callbacks/library_callback.h"
#include "plugin/session/c_answer.h"
#include "plugin/session/c_sites.h"
#include "plugin/session/process.h"
#include "plugin/session/session.h"

namespace saetap {

namespace {

// Asks the collector's thread, which may answer only when nobody waits any more: so the answer lives as long as it
// needs. Throws what `find` throws.
template <typename Found>
Found found_by(std::function<Found(const SampleCollector&)> find) {
  struct Answer {
    Found found{};
    std::string refusal = "it could not be read, see the log";
  };
  const auto answer = std::make_shared<Answer>();
  process_session()->look([answer, find = std::move(find)](const SampleCollector& collector) {
    try {
      answer->found = find(collector);
      answer->refusal.clear();
    } catch (const std::exception& error) {
      answer->refusal = error.what();
    }
  });
  if (!answer->refusal.empty()) throw std::invalid_argument(answer->refusal);
  return std::move(answer->found);
}

const SiteCollection& site_at(const SampleCollector& collector, std::int64_t place) {
  const auto count = static_cast<std::int64_t>(collector.sites().size());
  if (place < 0 || place >= count) {
    throw std::invalid_argument("there is no site at place " + std::to_string(place) + " of " + std::to_string(count));
  }
  return std::next(collector.sites().begin(), place)->second;
}

void check_features(const SiteCollection& collection, std::int64_t first, std::int64_t count) {
  const auto features = collection.site->features;
  if (first >= 0 && count >= 0 && first <= features && count <= features - first) return;
  throw std::invalid_argument("features " + std::to_string(first) + " to " + std::to_string(first + count - 1) +
                              " are not all among 0 to " + std::to_string(features - 1));
}

saetap_statistics statistics_of(const Part& part, std::size_t feature) {
  const auto& own = part.statistics[feature];
  return {own.active,   own.sum,       own.sum_of_squares, own.max,       own.nonfinite,
          own.negative, part.eligible, part.first_step,    part.last_step};
}

// Nothing where they are not known.
std::span<const std::int32_t> segment_tokens(const SequencePool& pool, SequenceId sequence, std::uint32_t segment,
                                             SequencePool::Room& room) {
  const auto found = pool.segments().find({sequence, segment});
  return found == pool.segments().end() ? std::span<const std::int32_t>{} : pool.tokens(found->second, room);
}

std::int32_t token_at(const SequencePool& pool, SequenceId sequence, std::uint32_t position) {
  SequencePool::Room room;
  const auto tokens = segment_tokens(pool, sequence, position / kSegmentTokens, room);
  const auto at = position % kSegmentTokens;
  return at < tokens.size() ? tokens[at] : -1;
}

struct Excerpt {
  std::vector<std::int32_t> tokens;
  std::int64_t at = 0;
};

// Those that are known without a gap.
Excerpt excerpt(const SequencePool& pool, const saetap_sample& sample, std::int64_t before, std::int64_t after) {
  Excerpt found;
  const std::int64_t middle = sample.position;
  const auto known = [&](std::int64_t position) {
    return position < 0 ? -1 : token_at(pool, sample.sequence, static_cast<std::uint32_t>(position));
  };
  if (known(middle) < 0) return found;
  auto first = middle;
  while (first > middle - before && known(first - 1) >= 0) --first;
  for (auto at = first; at <= middle + after && known(at) >= 0; ++at) found.tokens.push_back(known(at));
  found.at = middle - first;
  return found;
}

// Of the structures in version 1.
constexpr std::size_t kSiteInfo1 = offsetof(saetap_site_info, group) + sizeof(saetap_site_info::group);
constexpr std::size_t kSiteCounts1 =
    offsetof(saetap_site_counts, rows_ambiguous) + sizeof(saetap_site_counts::rows_ambiguous);

// As much of it as the reader knows; its struct_size says how much.
template <typename Structure>
void give(const Structure& from, Structure* to) {
  auto sized = from;
  sized.struct_size = std::min<std::uint32_t>(to->struct_size, sizeof sized);
  std::memcpy(to, &sized, sized.struct_size);
}

// For the life of the process: a program may read it while its recording ends.
const char* kept_text(const char* text) {
  static std::mutex changes;
  static auto* kept = new std::set<std::string>();
  const std::lock_guard lock(changes);
  return kept->insert(text).first->c_str();
}

template <typename... Pointers>
void check_given(Pointers... pointers) {
  if (((pointers == nullptr) || ...)) throw std::invalid_argument("a pointer is NULL");
}

}  // namespace

int count_sites(int64_t* count) {
  return answer([&](std::string&) -> int {
    check_given(count);
    *count = found_by<std::int64_t>(
        [](const SampleCollector& collector) { return static_cast<std::int64_t>(collector.sites().size()); });
    return SAETAP_OK;
  });
}

int read_site(int64_t place, saetap_site_info* site) {
  return answer([&](std::string&) -> int {
    check_given(site);
    check_size(site->struct_size, kSiteInfo1, "saetap_site_info");
    auto info = found_by<saetap_site_info>([place](const SampleCollector& collector) {
      auto found = site_info(*site_at(collector, place).site);
      for (const char** text : {&found.name, &found.module_type, &found.path, &found.method, &found.description}) {
        *text = kept_text(*text);
      }
      return found;
    });
    give(info, site);
    return SAETAP_OK;
  });
}

int read_site_counts(int64_t place, saetap_site_counts* counts) {
  return answer([&](std::string&) -> int {
    check_given(counts);
    check_size(counts->struct_size, kSiteCounts1, "saetap_site_counts");
    const auto sites = process_session()->sites();
    if (place < 0 || place >= static_cast<std::int64_t>(sites.size())) {
      throw std::invalid_argument("there is no site at place " + std::to_string(place) + " of " +
                                  std::to_string(sites.size()));
    }
    const auto& own = sites[static_cast<std::size_t>(place)].second;
    give(saetap_site_counts{sizeof(saetap_site_counts), own.steps, own.steps_collected, own.calls, own.rows_seen,
                            own.rows_collected, own.rows_excluded, own.rows_resolved, own.rows_ambiguous},
         counts);
    return SAETAP_OK;
  });
}

int read_statistics(int64_t place, int64_t first, int64_t count, saetap_statistics* statistics) {
  return answer([&](std::string&) -> int {
    check_given(statistics);
    const auto found = found_by<std::vector<saetap_statistics>>([=](const SampleCollector& collector) {
      const auto& collection = site_at(collector, place);
      check_features(collection, first, count);
      std::vector<saetap_statistics> all;
      for (auto feature = first; feature < first + count; ++feature) {
        all.push_back(statistics_of(*collection.part(PartKind::open), static_cast<std::size_t>(feature)));
      }
      return all;
    });
    std::copy(found.begin(), found.end(), statistics);
    return SAETAP_OK;
  });
}

int read_top_samples(int64_t place, int64_t feature, saetap_sample* samples, int64_t room, int64_t* count) {
  return answer([&](std::string&) -> int {
    check_given(count);
    if (room < 0 || (samples == nullptr && room > 0)) throw std::invalid_argument("there is no room for samples");
    const auto found = found_by<std::vector<saetap_sample>>([=](const SampleCollector& collector) {
      const auto& collection = site_at(collector, place);
      check_features(collection, feature, 1);
      std::vector<saetap_sample> all;
      const auto& table = collection.part(PartKind::open)->samples;
      for (const auto& sample : table.strongest(static_cast<std::uint32_t>(feature))) {
        all.push_back({sample.sequence, sample.position, sample.step, sample.activation,
                       token_at(collector.sequences(), sample.sequence, sample.position)});
      }
      return all;
    });
    *count = static_cast<std::int64_t>(found.size());
    std::copy_n(found.begin(), std::min(*count, room), samples);
    return SAETAP_OK;
  });
}

int read_sample_tokens(const saetap_sample* sample, int64_t before, int64_t after, int32_t* tokens, int64_t* count,
                       int64_t* at) {
  return answer([&](std::string&) -> int {
    check_given(sample, tokens, count, at);
    constexpr std::int64_t kMost = 1 << 20;
    if (before < 0 || after < 0 || before > kMost || after > kMost) {
      throw std::invalid_argument("before and after have to be from 0 to " + std::to_string(kMost));
    }
    const auto found = found_by<Excerpt>([one = *sample, before, after](const SampleCollector& collector) {
      return excerpt(collector.sequences(), one, before, after);
    });
    *count = static_cast<std::int64_t>(found.tokens.size());
    *at = found.at;
    std::copy(found.tokens.begin(), found.tokens.end(), tokens);
    return SAETAP_OK;
  });
}

}  // namespace saetap
